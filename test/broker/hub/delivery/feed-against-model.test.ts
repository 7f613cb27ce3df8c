/**
 * A subscription that is catching up, against a list of all messages: whatever is kept, trimmed, dropped, given up and
 * read late, everything that it asked for comes once and in order, or is told as missing.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeText } from '../../../../base/bytes.ts'
import { MemoryBudget } from '../../../../base/memory-budget.ts'
import { Feed } from '../../../../broker/hub/delivery/feed.ts'
import { Holdings } from '../../../../broker/hub/delivery/holdings.ts'
import { Parcel } from '../../../../broker/hub/delivery/parcel.ts'
import { Subscriber } from '../../../../broker/hub/delivery/subscriber.ts'
import type { Page, Query } from '../../../../broker/hub/engine/engine.ts'
import { MemoryEngine } from '../../../../broker/hub/engine/memory-engine.ts'
import { resumeOf, type Start, startOf } from '../../../../broker/hub/starts.ts'
import type { Topic } from '../../../../broker/hub/topic.ts'
import { Topics } from '../../../../broker/hub/topics.ts'
import { BatchHeader } from '../../../../broker/shared/batch.ts'
import { decodeGaps, type TopicGap, WireKind } from '../../../../broker/shared/gap.ts'
import type { From, SeenTopic } from '../../../../broker/shared/requests.ts'
import { ManualClock } from '../../../socket/tools/manual-clock.ts'
import { numbered } from '../../shared/batches.ts'
import { FakeConsumer } from './fake-consumer.ts'

const epoch = 7
const [own, other] = [1, 2]

/** Answers when it is told to, with what there was when it was asked, or what there is then. */
class LateEngine extends MemoryEngine {
  readonly #waiting: (() => void)[] = []
  maxBytes = 0
  readsAtOnce = true

  override async read(query: Query): Promise<Page> {
    const small = { ...query, maxBytes: this.maxBytes }
    const early = this.readsAtOnce ? super.read(small) : undefined
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
    return early ?? super.read(small)
  }

  answer(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

interface Sent {
  readonly topic: string
  readonly seq: number
  readonly position: number
  readonly time: number
  readonly isEcho: boolean
}

interface Settings {
  readonly history: number
  readonly messages: number
  readonly budget: number
  readonly maxBytes: number
  /** What the subscriber takes at once. */
  readonly messageBytes: number
  readonly readsAtOnce: boolean
  readonly noEcho: boolean
}

type Step =
  | { readonly topic: string; readonly count: number; readonly isOwn: boolean }
  | { readonly credit: number }
  | { readonly answer: true }
  | { readonly trim: string; readonly by: number }

class Stage {
  readonly clock = new ManualClock()
  readonly engine = new LateEngine(this.clock, new MemoryBudget(1_000_000_000))
  readonly fake = new FakeConsumer()
  readonly memory: MemoryBudget
  readonly topics: Topics
  readonly subscriber: Subscriber
  readonly sent: Sent[] = []
  #isSubscribed = false
  isLive = false

  constructor({ history, messages, budget, maxBytes, messageBytes, readsAtOnce, noEcho }: Settings) {
    const topics = { 'h.*': { history } }
    const settings = { topics, maxTopics: 100, maxHistoryBytes: 1_000_000, pacing: { share: 0 }, topicIdleMs: 1e9 }
    this.topics = new Topics(settings, epoch, this.clock, () => true, new MemoryBudget(1e9))
    this.memory = new MemoryBudget(budget)
    this.engine.maxBytes = maxBytes
    this.engine.readsAtOnce = readsAtOnce
    const limit = { messages, bytes: 1_000_000, messageBytes }
    const wanted = { pattern: '**', channel: '', noEcho } as never
    const share = new Holdings(this.memory).join(own)
    this.subscriber = new Subscriber(wanted, own, this.fake.consumer, limit, share, () => {})
    const trimmed: Subscriber['trimmed'] = (...what) => {
      if (!this.isLive) this.subscriber.trimmed(...what)
    }
    void this.engine.open({ committed() {}, settled() {}, changed() {}, trimmed })
  }

  topic(name: string): Topic {
    const bytes = encodeText(name)
    return this.topics.open(bytes, 0, bytes.length)
  }

  async take(step: Step): Promise<void> {
    if ('topic' in step) this.#commit(step.topic, step.count, step.isOwn ? own : other)
    else if ('credit' in step) this.fake.grant(step.credit)
    else if ('answer' in step) this.engine.answer()
    else await this.engine.trim(this.topic(step.trim), this.topic(step.trim).floorSeq + 1 + step.by)
  }

  async begin(start: Start): Promise<void> {
    this.#isSubscribed = true
    const { place, wantedFrom, bytes } = start
    if (place === undefined) return
    const reading = { pattern: '**', place, wantedFrom, bytes }
    const feed = new Feed(this.engine, this.clock, this.subscriber, reading, () => {
      this.subscriber.live()
      this.isLive = true
    })
    this.subscriber.catchUp(feed)
    void feed.open().then(() => feed.pump())
  }

  /** Gives everything that is needed, until all has come. */
  async finish(): Promise<void> {
    this.fake.grant(1e9)
    for (let i = 0; i < 200; i++) {
      this.engine.answer()
      await ticks()
    }
  }

  /** Parcels and gaps in the order in which they came. */
  get told(): (Omit<TopicGap, 'epoch'> & { readonly position: number })[] {
    return this.fake.posted.flatMap((bytes) => {
      if (bytes[0] === WireKind.GAPS) return decodeGaps(bytes).map((gap) => ({ ...gap, position: 0 }))
      const found = []
      for (let at = 0; at < bytes.length; ) {
        const { topic, seq, count, end, position } = new BatchHeader(bytes, at)
        found.push({ topic, first: seq, last: seq + count - 1, position })
        at = end
      }
      return found
    })
  }

  #commit(name: string, count: number, link: number): void {
    this.clock.pass(1)
    const topic = this.topic(name)
    const bytes = numbered(name, 1, count)
    const header = new BatchHeader(bytes)
    this.engine.append(header, topic)
    this.topics.touch(topic, this.clock.monotonic())
    const { seq, position, time } = header
    const isEcho = link === own
    for (let i = 0; i < count; i++) this.sent.push({ topic: name, seq: seq + i, position: position + i, time, isEcho })
    if (this.#isSubscribed && this.subscriber.wants(link)) {
      this.subscriber.offer(new Parcel(bytes, count), topic.keep !== undefined)
    }
  }
}

async function ticks(): Promise<void> {
  for (let i = 0; i < 8; i++) await Promise.resolve()
}

const names = ['h.a', 'h.b', 'x.a', 'x.b']
const name = fc.constantFrom(...names)
const commit = fc.record({ topic: name, count: fc.integer({ min: 1, max: 4 }), isOwn: fc.boolean() })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: commit },
  { weight: 2, arbitrary: fc.record({ credit: fc.integer({ min: 1, max: 400 }) }) },
  { weight: 3, arbitrary: fc.record({ answer: fc.constant(true as const) }) },
  { weight: 1, arbitrary: fc.record({ trim: fc.constantFrom('h.a', 'h.b'), by: fc.integer({ min: 0, max: 5 }) }) },
)
const settings: fc.Arbitrary<Settings> = fc.record({
  history: fc.integer({ min: 1, max: 20 }),
  messages: fc.integer({ min: 1, max: 12 }),
  budget: fc.constantFrom(400, 2_000, 10_000, 1e9),
  maxBytes: fc.constantFrom(1, 200, 500, 256 * 1024),
  messageBytes: fc.constantFrom(1_000_000, 80, 76),
  readsAtOnce: fc.boolean(),
  noEcho: fc.boolean(),
})
type Asked = From | { readonly resume: number; readonly forgets: readonly string[] }
const asked: fc.Arbitrary<Asked> = fc.oneof(
  fc.constant('all' as const),
  fc.constant('new' as const),
  fc.record({ last: fc.integer({ min: 0, max: 12 }) }),
  fc.record({ seq: fc.integer({ min: 0, max: 12 }) }),
  fc.record({ position: fc.integer({ min: 0, max: 40 }) }),
  fc.record({ time: fc.integer({ min: 0, max: 22 }) }),
  fc.record({ after: fc.record({ seq: fc.integer({ min: 0, max: 12 }), epoch: fc.constantFrom(epoch, epoch + 1) }) }),
  fc.record({ resume: fc.integer({ min: 0, max: 40 }), forgets: fc.subarray(names) }),
)
const beforeSteps = fc.array(fc.oneof({ weight: 6, arbitrary: commit }, { weight: 1, arbitrary: step }), {
  maxLength: 20,
})

/** The first sequence of a topic that must come or be told, by what was sent and is kept when it begins. */
function wantedFrom(stage: Stage, name: string, from: Asked, position: number): number {
  const { seq, floorSeq, keep } = stage.topic(name)
  const sent = stage.sent.filter((one) => one.topic === name)
  const first = keep === undefined ? seq + 1 : floorSeq + 1
  if (from === 'all') return first
  if (from === 'new') return seq + 1
  if ('last' in from) return Math.max(first, seq - from.last + 1)
  if ('seq' in from) return Math.min(Math.max(1, from.seq), seq + 1)
  if ('after' in from) return from.after.epoch === epoch ? Math.min(from.after.seq + 1, seq + 1) : 1
  if ('position' in from) {
    return Math.max(first, sent.find((one) => one.position >= from.position)?.seq ?? seq + 1)
  }
  if ('time' in from) return Math.max(first, sent.find((one) => one.time >= from.time)?.seq ?? seq + 1)
  const had = sent.filter((one) => one.position <= Math.min(from.resume, position)).length
  const isKnown = had === 0 || !from.forgets.includes(name)
  if (isKnown) return had + 1
  // Where it does not know what it had, the broker tells the last that is missing alone.
  return had >= floorSeq && keep !== undefined ? had + 1 : Math.max(had + 1, Math.min(first - 1, seq))
}

function startFor(stage: Stage, from: Asked, position: number): Start {
  if (typeof from === 'string' || !('resume' in from)) return startOf('**', from, stage.topics, position)
  const place = Math.min(from.resume, position)
  const seen: SeenTopic[] = []
  for (const name of names) {
    const had = stage.sent.filter((one) => one.topic === name && one.position <= place).length
    if (had > 0 && !from.forgets.includes(name)) seen.push([name, had, epoch])
  }
  return resumeOf('**', { epoch, position: place, seen }, stage.topics, epoch)
}

describe('a subscription that begins anywhere and reads late', () => {
  it('gets each message once and in order, or is told of it, and gives all memory back [BROKER 4.2, 4.3, 4.5]', async () => {
    const all = fc.tuple(settings, asked, beforeSteps, fc.array(step, { maxLength: 40 }), fc.boolean())
    await fc.assert(
      fc.asyncProperty(all, async ([given, relative, before, after, drains]) => {
        const stage = new Stage(given)
        for (const name of names) stage.topic(name)
        const began = stage.clock.now()
        for (const each of before) if ('topic' in each || 'trim' in each) await stage.take(each)
        const isTime = typeof relative === 'object' && 'time' in relative
        if (isTime) stage.engine.readsAtOnce = true
        const from = isTime ? { time: Math.min(began + relative.time, stage.clock.now() + 1) } : relative
        const { position } = stage.engine
        const next = new Map(names.map((name) => [name, wantedFrom(stage, name, from, position)]))
        const start = startFor(stage, from, position)
        const cover = (topic: string, first: number, last: number) => {
          let at = next.get(topic) as number
          const isEcho = (seq: number) =>
            given.noEcho && stage.sent.some((one) => one.topic === topic && one.seq === seq && one.isEcho)
          while (at < first && isEcho(at)) at++
          expect([topic, first]).toEqual([topic, at])
          next.set(topic, last + 1)
        }
        await stage.begin(start)
        for (const each of after) {
          await stage.take(each)
          await ticks()
        }
        const end = stage.engine.position
        const emptied = drains ? stage.subscriber.whenEmpty() : undefined
        if (drains) stage.subscriber.wants = () => false
        if (drains) for (const each of after) if ('topic' in each || 'trim' in each) await stage.take(each)
        await stage.finish()
        await emptied
        await stage.subscriber.whenEmpty()
        for (const { topic, first, last } of start.gaps) cover(topic, first, last)
        let latest = 0
        for (const { topic, first, last, position } of stage.told) {
          cover(topic, first, last)
          if (position === 0) continue
          expect(position).toBeGreaterThan(latest)
          latest = position
        }
        for (const name of names) {
          const asWanted = stage.sent.filter((one) => one.topic === name && one.position <= end)
          const isLeft = (one: Sent) => one.seq >= (next.get(name) as number) && !(given.noEcho && one.isEcho)
          expect([name, asWanted.filter(isLeft)]).toEqual([name, []])
        }
        stage.subscriber.close()
        expect([stage.memory.used, stage.subscriber.share.bytes]).toEqual([0, 0])
        expect(stage.subscriber.share.holders.size).toBe(0)
      }),
      { numRuns: 500 },
    )
  })
})
