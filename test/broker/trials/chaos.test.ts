/**
 * Chance against the accounting: links are cut, closed and frozen, subscribers stop reading, brokers hold little. In
 * the end every subscriber must have every message of every topic, in order and once, or have been told that it is
 * missing.
 */
import { describe, expect, it } from 'vitest'
import { Broker } from '../../../broker/broker.ts'
import type { Client } from '../../../broker/client/client.ts'
import { connect } from '../../../broker/client/connect.ts'
import type { Subscription } from '../../../broker/client/subscription.ts'
import { ManualClock } from '../../socket/tools/manual-clock.ts'
import { turns, until } from '../../socket/tools/until.ts'
import { Detour } from '../tools/detour.ts'
import { Told } from '../tools/reading.ts'

const topics = ['h.a', 'h.b', 't.a', 't.b']
const bytes = new Uint8Array(300)

/** A client with one subscription, whose link can be disturbed, and what it got. */
class Witness {
  readonly client: Client
  readonly detour: Detour
  readonly told: Told
  readonly subscription: Subscription
  /** Sequences received, by topic, in the order of receiving. */
  readonly received = new Map<string, number[]>()
  positions: number[] = []
  isReading = true

  constructor(client: Client, detour: Detour, subscription: Subscription) {
    this.client = client
    this.detour = detour
    this.subscription = subscription
    this.told = new Told(client)
    void this.#read()
  }

  static async begin(broker: Broker, pattern: string, limit: number): Promise<Witness> {
    const detour = await Detour.to(broker.url)
    const client = await connect(detour.url, { reconnect: { minMs: 1, maxMs: 5 }, heartbeatMs: 50 })
    return new Witness(client, detour, await client.subscribe(pattern, { limit: { messages: limit } }))
  }

  /** Every sequence of a topic that was received or told as missing. */
  accounted(topic: string): number[] {
    const gaps = this.told.gaps.filter((gap) => gap.topic === topic)
    const missing = gaps.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i))
    return [...(this.received.get(topic) ?? []), ...missing].sort((a, b) => a - b)
  }

  async close(): Promise<void> {
    await this.client.close()
    await this.detour[Symbol.asyncDispose]()
  }

  async #read(): Promise<void> {
    for await (const { topic, seq, position } of this.subscription) {
      this.received.set(topic, [...(this.received.get(topic) ?? []), seq])
      this.positions.push(position)
      while (!this.isReading) await turns(1)
    }
  }
}

async function play(seed: number): Promise<void> {
  const clock = new ManualClock(seed)
  const pick = (below: number) => Math.floor(clock.random() * below)
  const broker = await Broker.listen({ topics: { 'h.*': { history: 400 } }, graceMs: 10 })
  const publisher = await connect(broker.url)
  const witnesses = await Promise.all(
    ['h.*', 't.*', '**', 't.a'].map((pattern) => Witness.begin(broker, pattern, 20 + pick(200))),
  )
  for (let step = 0; step < 60; step++) {
    const { detour } = witnesses[pick(witnesses.length)] as Witness
    const reader = witnesses[pick(witnesses.length)] as Witness
    const act = pick(10)
    if (act < 5) for (let i = pick(120); i > 0; i--) void publisher.publish(topics[pick(4)] as string, bytes)
    else if (act === 5) detour.cut()
    else if (act === 6) detour.close()
    else if (act === 7) detour.open()
    else if (act === 8) reader.isReading = !reader.isReading
    else detour.cutAfter = pick(3_000)
    if (pick(2) === 0) await turns(pick(6))
  }
  for (const witness of witnesses) {
    witness.isReading = true
    witness.detour.open()
  }
  await publisher.flush({ timeoutMs: 20_000 })
  await until('all are back', () => broker.stats().subscriptions === witnesses.length)
  const lasts = new Map<string, number>()
  const marks = await publisher.subscribe('**')
  for (const topic of topics) await publisher.publish(topic, 'mark')
  for await (const { topic, seq } of marks) if (lasts.set(topic, seq).size === topics.length) break
  for (const witness of witnesses) await expectAccount(witness, lasts)
  await Promise.all(witnesses.map((witness) => witness.close()))
  await publisher.close()
  await broker.close()
}

async function expectAccount(witness: Witness, lasts: ReadonlyMap<string, number>): Promise<void> {
  const { subscription, received, positions, told } = witness
  const wanted = topics.filter(
    (topic) => subscription.pattern === '**' || topic.startsWith(subscription.pattern.slice(0, 2)),
  )
  for (const topic of wanted.filter((name) => subscription.pattern !== 't.a' || name === 't.a')) {
    const last = lasts.get(topic) as number
    const complete = Array.from({ length: last }, (_, i) => i + 1)
    await until(`${subscription.pattern} has ${topic} ${last}`, () => witness.accounted(topic).at(-1) === last).catch(
      () => {},
    )
    expect(witness.accounted(topic), `${subscription.pattern} of ${topic}`).toEqual(complete)
    const sequences = received.get(topic) ?? []
    expect(sequences).toEqual([...sequences].sort((a, b) => a - b))
  }
  expect(positions).toEqual([...positions].sort((a, b) => a - b))
  const lost = told.gaps.reduce((sum, { first, last }) => sum + last - first + 1, 0)
  expect([subscription.dropped, subscription.received]).toEqual([lost, positions.length])
}

describe('a broker in a bad network', () => {
  const given = process.env['SIGNALBOX_SEED']
  const seeds = given
    ? [Number(given)]
    : [1, 2, Math.floor(Math.random() * 2 ** 31), Math.floor(Math.random() * 2 ** 31)]

  it.each(seeds)('accounts for every message (SIGNALBOX_SEED=%i)', async (seed) => {
    await play(seed)
  })
})
