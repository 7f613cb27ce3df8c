/** The clock on the wall may be set at any time. Nothing that waits goes by it. */
import { type Clock, Consumer, newId, Provider, Server, systemClock } from 'signalbox/socket'
import { expect, it } from 'vitest'
import { bytes, text } from '../tools/house.ts'

it.each([
  ['forward', 3_600_000],
  ['back', -3_600_000],
])('a request outlives a clock that is set %s by an hour', async (_way, ms) => {
  let offset = 0
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + offset }
  await using server = await Server.listen({ graceMs: 0, clock })
  await using provider = await Provider.connect(server.url, newId(), { clock })
  await using consumer = await Consumer.connect(server.url, provider.channelId, { clock })
  const answer = consumer.send(bytes('a'), { timeoutMs: 60_000 })
  const request = await provider.receive()
  offset = ms
  // Several ticks of the wheel of deadlines.
  await new Promise((resolve) => setTimeout(resolve, 50))
  await request?.respond(bytes('b'))
  expect(text(await answer)).toBe('b')
})
