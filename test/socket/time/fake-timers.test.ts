/** A test runner's fake timers stand still. Links of a program whose tests use them go on all the same. */
import { Consumer, newId, Provider, Server } from 'signalbox/socket'
import { afterEach, expect, it, vi } from 'vitest'
import { bytes, failure, text } from '../tools/house.ts'

afterEach(() => {
  vi.useRealTimers()
})

it('requests are answered, and time out, while the timers of the platform are faked', async () => {
  await using server = await Server.listen({ graceMs: 0 })
  vi.useFakeTimers()
  await using provider = await Provider.connect(server.url, newId())
  await using consumer = await Consumer.connect(server.url, provider.channelId)
  const unanswered = failure(consumer.send(bytes('a'), { timeoutMs: 20 }))
  expect((await unanswered).code).toBe('TIMEOUT')
  provider.serve(({ payload }) => payload)
  expect(text(await consumer.send(bytes('b')))).toBe('b')
})
