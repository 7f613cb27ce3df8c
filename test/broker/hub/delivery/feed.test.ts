/** Catching up: everything that was kept comes, in the order of positions, and what is new after it. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MemoryBudget } from '../../../../base/memory-budget.ts'
import { Feed } from '../../../../broker/hub/delivery/feed.ts'
import { Holdings } from '../../../../broker/hub/delivery/holdings.ts'
import { Parcel } from '../../../../broker/hub/delivery/parcel.ts'
import { Subscriber } from '../../../../broker/hub/delivery/subscriber.ts'
import type { Place } from '../../../../broker/hub/engine/engine.ts'
import { MemoryEngine } from '../../../../broker/hub/engine/memory-engine.ts'
import { Topic } from '../../../../broker/hub/topic.ts'
import { BatchHeader } from '../../../../broker/shared/batch.ts'
import { decodeGaps, WireKind } from '../../../../broker/shared/gap.ts'
import { ManualClock } from '../../../socket/tools/manual-clock.ts'
import { turns } from '../../../socket/tools/until.ts'
import { lying, numbered } from '../../shared/batches.ts'
import { FakeConsumer } from './fake-consumer.ts'

const plenty = { messages: 1_000_000, bytes: 1_000_000_000, messageBytes: 1_000_000 }

/** A subscription to everything that is behind, and topics of which those that begin with 'h' keep `history` messages. */
class Stage {
  readonly memory = new MemoryBudget(1_000_000_000)
  readonly fake: FakeConsumer
  readonly subscriber: Subscriber
  readonly engine: MemoryEngine
  readonly #clock = new ManualClock()
  readonly #topics = new Map<string, Topic>()
  readonly #history: number
  isLive = false

  constructor(history = 1_000_000, limit = plenty, credit = 0) {
    this.#history = history
    this.fake = new FakeConsumer(credit)
    this.engine = new MemoryEngine(this.#clock, this.memory)
    const share = new Holdings(this.memory).join(1)
    const wanted = { pattern: '**', channel: '', noEcho: false } as never
    this.subscriber = new Subscriber(wanted, 1, this.fake.consumer, limit, share, () => {})
    void this.engine.open({
      committed() {},
      settled() {},
      changed() {},
      trimmed: (...what) => this.subscriber.trimmed(...what),
    })
  }

  commit(name: string, count: number, change = (bytes: Uint8Array) => bytes): void {
    let topic = this.#topics.get(name)
    if (topic === undefined) {
      const keep = name.startsWith('h') ? { messages: this.#history, bytes: 1_000_000_000 } : undefined
      topic = new Topic(name, 7, { keep, share: 0 })
      this.#topics.set(name, topic)
    }
    const bytes = change(numbered(name, 1, count))
    this.engine.append(new BatchHeader(bytes), topic)
    this.subscriber.offer(new Parcel(bytes, count), topic.keep !== undefined)
  }

  async begin(place: Place = { position: 1 }, first = 0): Promise<number | undefined> {
    const reading = { pattern: '**', place, wantedFrom: () => first, bytes: 0 }
    const feed = new Feed(this.engine, this.#clock, this.subscriber, reading, () => {
      this.subscriber.live()
      this.isLive = true
    })
    this.subscriber.catchUp(feed)
    const position = await feed.open()
    feed.pump()
    return position
  }

  async grant(bytes: number): Promise<void> {
    this.fake.grant(bytes)
    await turns(2)
  }

  /** What came, as texts: 'h 1-3' is a batch, 'gap h 1-3' a gap. */
  get told(): string[] {
    return this.fake.posted.flatMap((bytes) => {
      if (bytes[0] === WireKind.GAPS) {
        return decodeGaps(bytes).map(({ topic, first, last }) => `gap ${topic} ${first}-${last}`)
      }
      const found: string[] = []
      for (let at = 0; at < bytes.length; ) {
        const { topic, seq, count, end } = new BatchHeader(bytes, at)
        found.push(`${topic} ${seq}-${seq + count - 1}`)
        at = end
      }
      return found
    })
  }
}

/** Before a subscription there is one that nobody reads: what was committed is then only in the engine. */
async function behind(stage: Stage, commits: readonly (readonly [string, number])[]): Promise<void> {
  const { outbox } = stage.subscriber
  for (const [name, count] of commits) stage.commit(name, count)
  outbox.clear()
}

describe('a subscription that is catching up', () => {
  it('takes nothing more once it has ended, also when a match that found it goes on', async () => {
    const stage = new Stage()
    await behind(stage, [['h', 3]])
    await stage.begin()
    stage.subscriber.close()
    const { used } = stage.memory
    const parcel = new Parcel(numbered('x', 1, 2), 2)
    stage.subscriber.offer(parcel, false)
    expect([stage.memory.used - used, stage.subscriber.held]).toEqual([0, 0])
  })

  it('reads what is kept as its credit allows, and goes live', async () => {
    const stage = new Stage()
    await behind(stage, [
      ['h', 3],
      ['x', 1],
      ['h', 2],
    ])
    expect(await stage.begin()).toBe(1)
    expect([stage.told, stage.isLive]).toEqual([[], false])
    await stage.grant(1)
    expect([stage.told, stage.isLive]).toEqual([['h 1-3', 'h 4-5'], true])
    stage.commit('x', 1)
    await stage.grant(1_000)
    expect(stage.told.at(-1)).toBe('x 2-2')
  })

  it('is not sent what it will read, and gets what is not kept in the order of positions', async () => {
    const stage = new Stage()
    await behind(stage, [['h', 3]])
    await stage.begin()
    stage.commit('h', 1)
    stage.commit('x', 2)
    stage.commit('h', 1)
    stage.commit('x', 1)
    expect(stage.subscriber.held).toBe(3)
    await stage.grant(10_000)
    expect([stage.told, stage.isLive]).toEqual([['h 1-3', 'h 4-4', 'x 1-2', 'h 5-5', 'x 3-3'], true])
  })

  it('holds nothing more once it has ended, also of what it is just being offered', async () => {
    const stage = new Stage()
    await behind(stage, [['h', 3]])
    await stage.begin()
    stage.commit('x', 1)
    stage.subscriber.close()
    const { used } = stage.memory
    stage.commit('x', 1)
    expect([stage.memory.used, stage.subscriber.held]).toEqual([used, 0])
  })

  it('is told what went from the log before it was read, and nothing that it has read', async () => {
    const stage = new Stage(4)
    await behind(stage, [
      ['h', 2],
      ['h', 2],
    ])
    await stage.begin()
    stage.commit('h', 3)
    stage.commit('h', 4)
    await stage.grant(10_000)
    expect([stage.told, stage.isLive]).toEqual([['h 1-2', 'h 3-4', 'gap h 5-7', 'h 8-11'], true])
  })

  it('gets of a batch only what it wants, and a gap where that cannot be cut off [BROKER 2.5]', async () => {
    const stage = new Stage()
    stage.commit('h', 4)
    stage.commit('h', 4, (bytes) => lying(bytes, 0))
    stage.subscriber.outbox.clear()
    await stage.begin({ position: 3 }, 6)
    await stage.grant(10_000)
    expect([stage.told, stage.subscriber.dropped]).toEqual([['gap h 6-8'], 3])
  })

  it('holds of what is not kept no more than its limit, and tells the rest as a gap', async () => {
    const stage = new Stage(100, { ...plenty, messages: 5 })
    await behind(stage, [['h', 1]])
    await stage.begin()
    for (let i = 0; i < 8; i++) stage.commit('x', 1)
    expect(stage.subscriber.held).toBe(5)
    await stage.grant(10_000)
    expect(stage.told).toEqual(['h 1-1', 'gap x 1-3', 'x 4-4', 'x 5-5', 'x 6-6', 'x 7-7', 'x 8-8'].toSorted(byKind))
  })

  it('that drains gets what was committed until then, and no more', async () => {
    const stage = new Stage()
    await behind(stage, [['h', 2]])
    await stage.begin()
    const emptied = stage.subscriber.whenEmpty()
    stage.commit('h', 1)
    await stage.grant(10_000)
    await emptied
    expect(stage.told).toEqual(['h 1-2'])
  })

  it('gives all memory back when it ends', async () => {
    const stage = new Stage()
    await behind(stage, [['h', 2]])
    const kept = stage.memory.used
    await stage.begin()
    stage.commit('x', 5)
    expect(stage.memory.used).toBeGreaterThan(kept)
    stage.subscriber.close()
    expect(stage.memory.used).toBe(kept)
  })

  it('gets every message once or is told of it, in order, whatever happens meanwhile [BROKER 4.2]', async () => {
    const step = fc.oneof(
      fc.record({ topic: fc.constantFrom('h.a', 'h.b', 'x.a', 'x.b'), count: fc.integer({ min: 1, max: 4 }) }),
      fc.record({ credit: fc.integer({ min: 1, max: 400 }) }),
    )
    const limits = fc.record({ messages: fc.integer({ min: 1, max: 12 }), history: fc.integer({ min: 1, max: 20 }) })
    const all = fc.tuple(limits, fc.array(step, { maxLength: 20 }), fc.array(step, { maxLength: 40 }))
    await fc.assert(
      fc.asyncProperty(all, async ([{ messages, history }, before, after]) => {
        const stage = new Stage(history, { ...plenty, messages })
        const next = new Map<string, number>()
        const latest = new Map<string, number>()
        for (const each of before) if ('topic' in each) stage.commit(each.topic, each.count)
        stage.subscriber.outbox.clear()
        for (const each of before) {
          if ('topic' in each) latest.set(each.topic, (latest.get(each.topic) ?? 0) + each.count)
        }
        for (const [name, seq] of latest)
          next.set(name, name.startsWith('h') ? Math.max(1, seq - history + 1) : seq + 1)
        await stage.begin()
        for (const each of after) {
          if ('topic' in each) {
            stage.commit(each.topic, each.count)
            latest.set(each.topic, (latest.get(each.topic) ?? 0) + each.count)
          } else stage.fake.grant(each.credit)
          for (let i = 0; i < 4; i++) await Promise.resolve()
        }
        stage.fake.grant(10_000_000)
        for (let i = 0; i < 40; i++) await Promise.resolve()
        await stage.subscriber.whenEmpty()
        for (const text of stage.told) {
          const [, name = '', first, last] = /(?:gap )?(\S+) (\d+)-(\d+)/.exec(text) ?? []
          expect([text, Number(first)]).toEqual([text, next.get(name) ?? 1])
          next.set(name, Number(last) + 1)
        }
        for (const [name, seq] of latest) expect([name, next.get(name) ?? 1]).toEqual([name, seq + 1])
        expect(stage.isLive).toBe(true)
      }),
    )
  })
})

/** Gaps of topics that nothing else comes of yet may come at any time. */
const byKind = (a: string, b: string) => Number(b.startsWith('gap')) - Number(a.startsWith('gap'))
