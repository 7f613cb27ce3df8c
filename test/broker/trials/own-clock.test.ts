/** Programs bring clocks that have what a clock had in version 0.1.0, and nothing else. */
import { Broker, connect } from 'signalbox'
import { Consumer, type LinkOptions, newId, Provider, Server, simulatedPorts, systemClock } from 'signalbox/socket'
import { expect, it } from 'vitest'

const { now, after, every, turn, random } = systemClock
const clock: NonNullable<LinkOptions['clock']> = { now, after, every, turn, random }
const bytes = new Uint8Array([7])

it('a request is answered, large or small, and times out', async () => {
  await using server = await Server.listen({ graceMs: 0, clock })
  await using provider = await Provider.connect(server.url, newId(), { clock })
  await using consumer = await Consumer.connect(server.url, provider.channelId, { clock })
  provider.serve(({ payload }) => (payload.length === 0 ? new Promise(() => {}) : payload))
  expect(await consumer.send(bytes)).toEqual(bytes)
  expect((await consumer.send(new Uint8Array(300_000))).length).toBe(300_000)
  await expect(consumer.send(new Uint8Array(0), { timeoutMs: 20 })).rejects.toMatchObject({ code: 'TIMEOUT' })
  const local = server.link({ clock })
  const near = await local.consumer(provider.channelId)
  expect(await near.send(bytes)).toEqual(bytes)
  await local.close()
})

it('messages go from a client to another and to one within the program', async () => {
  await using broker = await Broker.listen({ clock })
  await using client = await connect(broker.url, { clock })
  const loops = [await client.subscribe('a'), await broker.client().subscribe('a')]
  await client.publish('a', 1)
  await client.flush()
  for (const loop of loops) expect((await loop.take(1)).map(({ data }) => data)).toEqual([1])
})

it('a simulated connection delivers', async () => {
  await using server = await Server.listen({ listen: false, graceMs: 0, clock })
  const dial = async () => {
    const { near, far } = simulatedPorts({ clock, latencyMs: 1 })
    server.accept(far)
    return near
  }
  await using provider = await Provider.connect('sim:a', newId(), { clock, transports: { sim: dial } })
  await using consumer = await Consumer.connect('sim:a', provider.channelId, { clock, transports: { sim: dial } })
  provider.serve(({ payload }) => payload)
  expect(await consumer.send(bytes)).toEqual(bytes)
})

it('one that lacks what every clock had is refused with a sentence', async () => {
  const error = await Server.listen({ clock: {} as typeof clock }).catch((reason: Error) => reason)
  expect(error).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining('the methods now, after') })
})
