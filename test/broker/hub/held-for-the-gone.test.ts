/**
 * What broke: with a share of 1, publishes were held back for good where nobody read, also those of publishers that had
 * gone, and of however many streams. A client that came, published and left again took 120 KB of the broker each time.
 */
import { Broker } from 'signalbox'
import { expect, it } from 'vitest'
import { brokerChannel } from '../../../broker/shared/broker-channel.ts'
import { until } from '../../socket/tools/until.ts'
import { RawClient } from '../tools/raw-client.ts'

const mib = 1024 * 1024
const large = { entries: [{ value: new Uint8Array(60_000) }] }

/** On a stream of its own, which has credit. */
async function publish(client: RawClient): Promise<void> {
  const stream = await client.link.consumer(brokerChannel)
  await stream.post(client.batch('a', large))
}

/** A broker that waits as long as it takes, for one that does not read. */
async function stage() {
  const broker = await Broker.listen({ maxMemoryBytes: 4 * mib, pacing: { share: 1 } })
  const stuck = await RawClient.connect(broker.url)
  await stuck.subscribe('a', { limitMessages: 4 })
  for (let i = 0; i < 5; i++) await publish(stuck)
  await until('it is stuck', () => broker.stats().published === 5)
  const end = async () => {
    await stuck[Symbol.asyncDispose]()
    await broker.close()
  }
  return { broker, [Symbol.asyncDispose]: end }
}

it('what is held back of a publisher is let go when it is gone', async () => {
  await using there = await stage()
  const before = there.broker.stats().paced
  const publisher = await RawClient.connect(there.broker.url)
  for (let i = 0; i < 2; i++) await publish(publisher)
  await until('it is held back', () => there.broker.stats().paced > before)
  await publisher[Symbol.asyncDispose]()
  await until('it is let go', () => there.broker.stats().paced <= before)
})

it('what is held back of all is half of the memory at most', async () => {
  await using there = await stage()
  await using publisher = await RawClient.connect(there.broker.url)
  const count = 80
  for (let i = 0; i < count; i++) await publish(publisher)
  await until('all has been taken', () => there.broker.stats().published === count + 5)
  const { paced, memory } = there.broker.stats()
  expect(paced).toBeGreaterThan(20)
  expect(paced).toBeLessThan((2 * mib) / 60_000 + 1)
  expect(memory.used).toBeLessThan(memory.limit)
})
