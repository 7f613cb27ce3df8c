/** The ends of a channel are told who joins and leaves, and whether whoever left did so in good order. */
import { newId, Provider, Server } from 'signalbox/socket'
import { expect, it } from 'vitest'
import { until } from '../tools/until.ts'

it('a Provider is told how many Consumers there are, a Consumer what broke the Provider that left', async () => {
  await using server = await Server.listen({ graceMs: 20 })
  const link = server.link()
  const channel = newId()
  const consumers: number[] = []
  const providers: unknown[] = []
  const provider = await link.provider(channel, { observe: (count) => void consumers.push(count) })
  const observe = (count: number, error?: Error): void => void providers.push([count, error !== undefined])
  const consumer = await link.consumer(channel, { observe })
  await until('they have met', () => consumers.length === 1)
  await provider.drain()
  await until('it has left', () => providers.length === 2)
  const second = await Provider.connect(server.url, channel)
  await until('another has come', () => providers.length === 3)
  await second.close()
  await until('it has left too', () => providers.length === 4)
  expect(providers).toEqual([
    [1, false],
    [0, false],
    [1, false],
    [0, true],
  ])
  expect(consumers).toEqual([1, 0])
  await consumer.close()
})
