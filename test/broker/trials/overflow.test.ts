/**
 * More than a subscription takes: every policy keeps what it says, and every message lost is counted and named, at both
 * ends.
 */
import { describe, expect, it } from 'vitest'
import type { Client, Gap, Message, Subscription } from '../../../broker/index.ts'
import { turns, until } from '../../socket/tools/until.ts'
import { places } from '../tools/places.ts'
import { all, failure, Told, take, takeData } from '../tools/reading.ts'

const bytes = new Uint8Array(1_000)

/** Publishes until `count` messages are with the broker. */
async function publish(client: Client, topic: string, count: number, data: unknown = bytes): Promise<void> {
  for (let i = 0; i < count; i++) await client.publish(topic, data)
  await client.flush()
}

/**
 * Takes what there is until the sequence `last` has come or is told as missing; every sequence must be accounted for.
 */
async function account(subscription: Subscription, told: Told, last: number): Promise<Message[]> {
  const messages: Message[] = []
  const covered = new Set<number>()
  const missing = () => told.gaps
  while (covered.size < last) {
    const { pending } = subscription
    for (const message of await take(subscription, pending)) {
      expect(covered.has(message.seq)).toBe(false)
      covered.add(message.seq)
      messages.push(message)
    }
    for (const { first, last: end } of missing()) for (let seq = first; seq <= end; seq++) covered.add(seq)
    if (pending === 0) await turns(1)
  }
  const lost = missing().reduce((sum, { first, last: end }) => sum + end - first + 1, 0)
  expect([messages.length + lost, lost, missing().length]).toEqual([last, subscription.dropped, subscription.gaps])
  expect(subscription.lastGap).toEqual(missing().at(-1))
  return messages
}

// Side by side: most of the time passes until the broker gives up waiting for somebody who does not read.
describe.concurrent.each(places)('with %s', (_name, open) => {
  it('block loses nothing that the broker can hold, however late the loop begins [BROKER 4.4]', async () => {
    await using place = await open()
    const [publisher, subscriber] = [await place.client(), await place.client()]
    const subscription = await subscriber.subscribe<number>('t')
    for (let i = 0; i < 20_000; i++) await publisher.publish('t', i)
    await publisher.flush()
    await until('credit is used up', () => place.stats().held > 0)
    expect(subscription.pending).toBeLessThan(20_000)
    expect(await takeData(subscription, 20_000)).toEqual(Array.from({ length: 20_000 }, (_, i) => i))
    expect([subscription.dropped, subscription.gaps, place.stats().dropped]).toEqual([0, 0, 0])
    await place.counts({ held: 0 })
  })

  it('a subscriber that does not read loses the oldest beyond its limit, and both ends say which [BROKER 4.3]', async () => {
    await using place = await open()
    const [publisher, subscriber] = [await place.client(), await place.client()]
    const told = new Told(subscriber)
    const subscription = await subscriber.subscribe('t', { limit: { messages: 50 } })
    await publish(publisher, 't', 2_000)
    expect(place.stats()).toMatchObject({ held: 50, published: 2_000 })
    const messages = await account(subscription, told, 2_000)
    expect(messages.at(-1)?.seq).toBe(2_000)
    expect(told.types).toEqual(['slow', 'gap'])
    expect([subscription.gaps, place.stats().dropped]).toEqual([1, subscription.dropped])
    await publish(publisher, 't', 3)
    expect((await take(subscription, 3)).map(({ seq }) => seq)).toEqual([2_001, 2_002, 2_003])
    await place.counts({ held: 0 })
  })

  it('a limit in bytes holds too, over several topics', async () => {
    await using place = await open()
    const [publisher, subscriber] = [await place.client(), await place.client()]
    const told = new Told(subscriber)
    const subscription = await subscriber.subscribe('t.*', { limit: { bytes: 100_000 } })
    for (let i = 0; i < 1_500; i++) await publisher.publish(`t.${i % 3}`, bytes)
    await publisher.flush()
    expect(place.stats().held).toBeLessThanOrEqual(100)
    const missing = () => told.gaps
    const next = new Map<string, number>()
    await until('the last of each has come', async () => {
      for (const { topic, seq } of await take(subscription, subscription.pending)) {
        const gap = missing().find((one: Gap) => one.topic === topic && one.last === seq - 1)
        expect(seq).toBe(gap ? gap.last + 1 : (next.get(topic) ?? 0) + 1)
        if (gap) expect(gap.first).toBe((next.get(topic) ?? 0) + 1)
        next.set(topic, seq)
      }
      return [0, 1, 2].every((i) => next.get(`t.${i}`) === 500)
    })
    expect(subscription.received + subscription.dropped).toBe(1_500)
    expect(place.stats().dropped).toBe(subscription.dropped)
  })

  it('drop-oldest keeps the newest of what nobody took, up to its buffer', async () => {
    await using place = await open()
    const [publisher, subscriber] = [await place.client(), await place.client()]
    const told = new Told(subscriber)
    const subscription = await subscriber.subscribe('t', { overflow: 'drop-oldest', buffer: 10 })
    await publish(publisher, 't', 3_000)
    await until('all have come', () => subscription.received === 3_000 && subscription.pending === 10)
    const messages = await account(subscription, told, 3_000)
    expect(messages.map(({ seq }) => seq)).toEqual(Array.from({ length: 10 }, (_, i) => 2_991 + i))
    expect(subscription.dropped).toBe(2_990)
    expect(place.stats()).toMatchObject({ dropped: 0, held: 0 })
  })

  it('drop-newest keeps the oldest of what nobody took, up to its buffer', async () => {
    await using place = await open()
    const [publisher, subscriber] = [await place.client(), await place.client()]
    const told = new Told(subscriber)
    const subscription = await subscriber.subscribe('t', { overflow: 'drop-newest', buffer: 10 })
    await publish(publisher, 't', 3_000)
    await until('all have come', () => subscription.received === 3_000 && subscription.pending === 10)
    const messages = await account(subscription, told, 3_000)
    expect(messages.map(({ seq }) => seq)).toEqual(Array.from({ length: 10 }, (_, i) => 1 + i))
    await publish(publisher, 't', 1)
    expect((await take(subscription, 1))[0]?.seq).toBe(3_001)
  })

  it('error ends the subscription with QUEUE_OVERFLOW, after what is queued; others go on', async () => {
    await using place = await open()
    const [publisher, subscriber] = [await place.client(), await place.client()]
    const subscription = await subscriber.subscribe('t', { overflow: 'error', buffer: 10 })
    const other = await subscriber.subscribe('t')
    await publish(publisher, 't', 11)
    await until('it has ended', () => subscription.isClosed)
    const looping = all(subscription)
    expect(await failure(looping)).toMatchObject({ code: 'QUEUE_OVERFLOW', details: { limit: 10, actual: 11 } })
    expect(await take(other, 11)).toHaveLength(11)
    await place.counts({ subscriptions: 1 })
  })

  it.each(['drop-oldest', 'drop-newest', 'error'] as const)(
    '%s loses nothing to a burst when the loop keeps up',
    async (overflow) => {
      await using place = await open()
      const [publisher, subscriber] = [await place.client(), await place.client()]
      const subscription = await subscriber.subscribe<number>('t', { overflow, buffer: 1 })
      const reading = takeData(subscription, 5_000)
      for (let i = 0; i < 5_000; i++) void publisher.publish('t', i)
      expect(await reading).toEqual(Array.from({ length: 5_000 }, (_, i) => i))
      expect([subscription.dropped, subscription.gaps]).toEqual([0, 0])
    },
  )

  it('a publisher that does not wait is refused with BUFFER_FULL, and nothing of what was taken is lost', async () => {
    await using place = await open()
    const publisher = await place.client({ maxBufferedBytes: 100_000 })
    const subscription = await (await place.client()).subscribe<number>('t')
    let taken = 0
    const refusals = new Set<string>()
    const outcomes: Promise<void>[] = []
    for (let i = 0; i < 4_000; i++) {
      outcomes.push(
        publisher.publish('t', bytes).then(
          () => void taken++,
          (error) => void refusals.add(error.code),
        ),
      )
    }
    await Promise.all(outcomes)
    // In the same process a broker takes as fast as anybody can publish.
    expect([...refusals]).toEqual(taken < 4_000 ? ['BUFFER_FULL'] : [])
    await publisher.flush()
    expect(publisher.stats()).toMatchObject({ refused: 4_000 - taken, bufferedBytes: 0 })
    expect(await take(subscription, taken)).toHaveLength(taken)
    expect(place.stats().published).toBe(taken)
  })
})
