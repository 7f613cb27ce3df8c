/**
 * What broke: a client that closed did not wait for credit. Who had awaited every publish was told yes while there was
 * some, and lost what was packed after it: of a hundred messages of 1 KB a third.
 */
import { type Broker as B, Broker, type Client, connect, type Subscription } from 'signalbox'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../base/clock.ts'
import { until } from '../../socket/tools/until.ts'
import { ScriptedBroker } from '../tools/scripted-broker.ts'

const remote = (broker: B): Promise<Client> => connect(broker.url)
const local = async (broker: B): Promise<Client> => broker.client()

/** What comes until there is nothing more. */
async function got(broker: Broker, subscription: Subscription): Promise<unknown[]> {
  const found: unknown[] = []
  await broker.publish('t.end', 'end')
  for await (const { data, topic, payload } of subscription) {
    if (topic === 't.end') break
    found.push(payload.length > 1000 ? payload.length : data)
  }
  return found
}

describe.each([
  ['on a connection', remote],
  ['in the process of the broker', local],
])('a client that closes, %s', (_where, make) => {
  it('has sent what it published, also where that is more than its first credit', async () => {
    await using broker = await Broker.listen()
    const subscription = await broker.subscribe('t.*')
    const client = await make(broker)
    for (let i = 0; i < 100; i++) await client.publish('t.a', new Uint8Array(1010))
    await client.close()
    expect(await got(broker, subscription)).toEqual(Array(100).fill(1010))
  })

  it('has sent the large message whose fragments were on their way', async () => {
    await using broker = await Broker.listen()
    const subscription = await broker.subscribe('t.*')
    const client = await make(broker)
    await client.publish('t.a', 1)
    await client.flush()
    void client.publish('t.a', new Uint8Array(1_000_000))
    await client.close()
    expect(await got(broker, subscription)).toEqual([1, 1_000_000])
  })

  it('takes nothing new, and says so', async () => {
    await using broker = await Broker.listen()
    const subscription = await broker.subscribe('t.*')
    const client = await make(broker)
    let count = 0
    const publishing = (async () => {
      for (;;) {
        await client.publish('t.a', count)
        count++
      }
    })().catch((error) => error)
    await client.close()
    expect(await publishing).toMatchObject({ code: 'CLOSED' })
    expect(await got(broker, subscription)).toEqual(Array.from({ length: count }, (_, i) => i))
  })

  it('has sent what waited until its subscriptions were there', async () => {
    await using broker = await Broker.listen()
    const subscription = await broker.subscribe('t.*')
    const client = await make(broker)
    void client.subscribe('other').catch(() => {})
    await client.publish('t.a', 1)
    await client.close()
    expect(await got(broker, subscription)).toEqual([1])
  })
})

it('what a broker has published itself is forwarded before it closes', async () => {
  const broker = await Broker.listen()
  await using reader = await connect(broker.url)
  const subscription = await reader.subscribe('t.a')
  const reading = subscription.run(() => {})
  for (let i = 0; i < 100; i++) await broker.publish('t.a', new Uint8Array(1010))
  await broker.close()
  await reader.close()
  await reading
  expect(subscription.received).toBe(100)
})

it('what a broker has published itself is taken before it closes, also where a slow subscription keeps its credit', async () => {
  const broker = await Broker.listen({ pacing: { share: 1 } })
  await using reader = await connect(broker.url)
  await reader.subscribe('t.a', { limit: { messages: 1_000 } })
  let [taken, isOver] = [0, false]
  const publishing = (async () => {
    for (;;) {
      await broker.publish('t.a', new Uint8Array(1010))
      taken++
    }
  })().catch(() => {
    isOver = true
  })
  await until('its credit is kept', () => broker.stats().paced > 0)
  await broker.close()
  await publishing
  expect([isOver, broker.stats().published]).toEqual([true, taken])
})

/** A second never passes. */
const after: typeof systemClock.after = (ms, ...rest) => (ms === 1_000 ? () => {} : systemClock.after(ms, ...rest))
const clock = { ...systemClock, after }

it('a drain whose time is over waits no longer', async () => {
  await using broker = await ScriptedBroker.listen()
  broker.holds = true
  const client = await connect(broker.url, { clock })
  const published = Array.from({ length: 200 }, () => client.publish('t.a', new Uint8Array(1010)))
  const settled = Promise.allSettled(published)
  await client.drain({ timeoutMs: 100 })
  expect((await settled).filter(({ status }) => status === 'rejected')).not.toEqual([])
})

it('closing waits for no broker that is not there', async () => {
  const broker = await Broker.listen({ graceMs: 10 })
  const client = await connect(broker.url, { clock })
  await client.publish('t.a', 1)
  await client.flush()
  await broker.close()
  await until('it has noticed', () => !client.isConnected)
  void client.publish('t.a', 1)
  const closing = client.close()
  expect(client.stats().bufferedBytes).toBeGreaterThan(0)
  await closing
  expect(client.stats().bufferedBytes).toBe(0)
})
