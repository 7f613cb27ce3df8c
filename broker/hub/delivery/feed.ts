/**
 * The one way to be behind: a subscription that is catching up reads pages from the engine as its credit allows.
 *
 * Floor 9. What is committed meanwhile is not queued for it if it is kept, for it will be read; what is not kept waits
 * aside, in the order of positions, within the subscription's limit. It is live once a page was the last, nothing kept
 * was committed since, and all of it has been passed on: judged in one go, so nothing comes twice and nothing is
 * missed. What goes from the log before it was read is told as a gap. So a subscription costs a page, however far
 * behind it is; and where memory is short, a page that waits for credit is given up, to be read again.
 */
import { join } from '#base/bytes'
import type { Clock } from '#base/clock'
import { type Deferred, deferred } from '#base/deferred'
import { type Consumer, maxFrameBytes } from '#socket/client'
import { BatchHeader, withoutFirst } from '../../shared/batch.ts'
import type { TopicGap } from '../../shared/gap.ts'
import { matches } from '../../shared/topic-name.ts'
import type { Engine, Page, Place, StoredBatch, TopicRef } from '../engine/engine.ts'
import { divide } from './divide.ts'
import { costOf, type Holder, type Share } from './holdings.ts'
import type { Outbox } from './outbox.ts'
import { Parcel } from './parcel.ts'
import { type OutboxLimit, Pending } from './pending.ts'

const pageBytes = 256 * 1024

/** What is to be read. */
export interface Reading {
  readonly pattern: string
  readonly place: Place
  readonly wantedFrom: (topic: TopicRef, position: number) => number
  /** What knowing that takes. */
  readonly bytes: number
}

/** Whose feed it is: a subscription. */
export interface Reader {
  readonly consumer: Consumer
  readonly outbox: Outbox
  readonly share: Share
  readonly limit: OutboxLimit
  readonly end: () => void
}

/** Messages that went from the log. */
interface Trimmed {
  readonly topic: TopicRef
  readonly first: number
  readonly last: number
  readonly position: number
}

/** A batch of the page that goes in parts, and how many of its messages have been passed on. */
interface Divided {
  readonly batch: StoredBatch
  readonly parts: Iterator<Parcel | TopicGap, void>
  skip: number
}

export class Feed implements Holder {
  readonly #engine: Engine
  readonly #clock: Clock
  readonly #consumer: Consumer
  readonly #outbox: Outbox
  readonly #reading: Reading
  readonly #share: Share
  /** What is not kept and has come meanwhile. */
  readonly #aside: Pending
  /** Gaps that come before the page at hand, and those that come after it. */
  #gaps = new Map<string, TopicGap>()
  #laterGaps = new Map<string, TopicGap>()
  /** What went from the log while a page was being read, which may have it. */
  #unsure: Trimmed[] = []
  #page: readonly StoredBatch[] = []
  #pageAt = 0
  #pageCost = 0
  #fixedBytes = 0
  /** What is left of a batch that is too large to be sent whole. */
  #divided: Divided | undefined
  /** Where the next page begins; before it everything has been read. */
  #next = 0
  #isLast = false
  /** From the start, for the first page may have what goes before it is asked for. */
  #isReading = true
  /** The position of the latest parcel that will be read. */
  #skipped = 0
  /** Nothing after this position is read. */
  #until = Number.POSITIVE_INFINITY
  #isOver = false
  #live: Deferred<void> | undefined
  readonly #isLive: () => void
  readonly #messageBytes: number
  readonly #maxBytes: number
  readonly end: () => void

  /** `isLive` is called once, when everything can go straight to the outbox. */
  constructor(
    engine: Engine,
    clock: Clock,
    { consumer, outbox, share, limit, end }: Reader,
    reading: Reading,
    isLive: () => void,
  ) {
    this.#engine = engine
    this.#clock = clock
    this.#consumer = consumer
    this.#outbox = outbox
    this.#share = share
    this.#aside = new Pending(limit, share, end)
    this.#reading = reading
    this.#isLive = isLive
    this.#messageBytes = limit.messageBytes
    this.#maxBytes = Math.min(maxFrameBytes, limit.messageBytes)
    this.end = end
    share.holders.add(this)
    this.#chargeFixed(reading.bytes)
  }

  /** What the page takes. */
  get bytes(): number {
    return this.#pageCost
  }

  /** What its gaps take, and knowing what is wanted. */
  get fixedBytes(): number {
    return this.#fixedBytes
  }

  /** Gives its page up if that is more. What has gone from the log meanwhile is missing then. */
  dropTo(bytes: number): void {
    if (this.#pageCost <= bytes) return
    const left = this.#page.slice(this.#pageAt)
    if (this.#divided) left.unshift({ ...this.#divided.batch, skip: this.#divided.skip })
    this.#divided = undefined
    this.#turnPage([])
    const [first] = left
    if (first === undefined) return
    this.#next = first.position + first.skip
    this.#isLast = false
    for (const { topic, seq, count, skip, position } of left) {
      this.#missing(this.#gaps, topic, seq + skip, Math.min(topic.floorSeq, seq + count - 1), position)
    }
    // Of one topic the oldest goes first: what went after the page follows on what went of it.
    const later = [...this.#laterGaps.values()]
    this.#forgetGaps(this.#laterGaps)
    for (const gap of later) this.#join(this.#gaps, gap)
  }

  /** Messages that wait aside. */
  get length(): number {
    return this.#aside.messages
  }

  get dropped(): number {
    return this.#aside.dropped
  }

  /** Reads the first page. Resolves with the position of the first message that is wanted, or that may be. */
  async open(): Promise<number> {
    await this.#read(this.#reading.place)
    // Of a topic that does not have the sequence yet that was asked for, nothing is wanted, however far that is.
    const first = this.#page.find((batch) => skipOf(batch, this.#reading) < batch.count)
    return first ? first.position + skipOf(first, this.#reading) : this.#next
  }

  /** Something was committed that matches. */
  offer(parcel: Parcel, isKept: boolean): void {
    // The match that is being forwarded may still name it: nothing would give back what it held then.
    if (this.#isOver) return
    if (isKept) this.#skipped = parcel.position
    else this.#aside.add(parcel)
  }

  /** Messages went from the log, the first of them at that position. */
  trimmed(topic: TopicRef, first: number, last: number, position: number): void {
    if (position > this.#until || !matches(this.#reading.pattern, topic.name)) return
    const trimmed = { topic, first, last, position }
    if (this.#isReading) {
      this.#unsure.push(trimmed)
      return
    }
    this.#lost(this.#laterGaps, trimmed, this.#next)
    this.#share.relieve(this, 0)
  }

  /** Passes on what can go now, and reads on. */
  pump(): void {
    while (!this.#isOver && !this.#isReading) {
      const isRead = this.#pageAt >= this.#page.length && this.#divided === undefined
      if (isRead && this.#gaps.size === 0) [this.#gaps, this.#laterGaps] = [this.#laterGaps, this.#gaps]
      if (this.#isDone && isRead && this.#gaps.size === 0) {
        this.#finish()
      } else if (!this.#outbox.isFree) {
        // A rejection means that the subscriber is gone.
        this.#consumer.ready().then(this.#again, () => {})
        this.#share.relieve(this, this.#pageCost)
        return
      } else if (this.#divided) {
        this.#passPart(this.#divided)
      } else if (this.#gaps.size > 0) {
        this.#tellGaps()
      } else if (!this.#passOn()) {
        void this.#readOn()
        return
      }
    }
  }

  /** Reads nothing that is committed from now on. Resolves once all before is in the outbox. */
  whenLive(): Promise<void> {
    this.#until = Math.min(this.#until, this.#engine.position)
    this.#live ??= deferred()
    return this.#live.promise
  }

  close(): void {
    this.#isOver = true
    this.#share.holders.delete(this)
    this.#aside.clear()
    this.#gaps.clear()
    this.#laterGaps.clear()
    this.#chargeFixed(-this.#fixedBytes)
    this.#turnPage([])
    this.#divided = undefined
    this.#live?.resolve()
  }

  readonly #again = (): void => this.pump()

  get #isDone(): boolean {
    return this.#next > this.#until || (this.#isLast && this.#skipped < this.#next)
  }

  /** The next of the page and of what waits aside, by position. False if the next page has to be read before. */
  #passOn(): boolean {
    const batch = this.#page[this.#pageAt]
    const aside = this.#aside.hasGaps ? 0 : (this.#aside.first?.position ?? Number.POSITIVE_INFINITY)
    if (aside < (batch?.position ?? this.#next)) this.#takeAside()
    else if (batch) this.#send(aside)
    else return false
    return true
  }

  /** Sends batches of the page that fit into a frame together, up to a position. */
  #send(before: number): void {
    const parts: Uint8Array[] = []
    let [size, count] = [0, 0]
    let from: StoredBatch | undefined
    for (; this.#pageAt < this.#page.length; this.#pageAt++) {
      const batch = this.#page[this.#pageAt] as StoredBatch
      if (batch.position >= before || batch.position > this.#until) break
      const skip = skipOf(batch, this.#reading)
      if (skip >= batch.count) continue
      if (parts.length > 0 && size + batch.bytes.length > this.#maxBytes) break
      const bytes = skip === 0 ? batch.bytes : withoutFirst(new BatchHeader(batch.bytes), skip)
      if (bytes === undefined) {
        // What cannot be divided goes whole, and is told in its place.
        const { topic, seq } = batch
        if (parts.length > 0) break
        this.#pageAt++
        this.#outbox.drop({ topic: topic.name, first: seq + skip, last: seq + batch.count - 1, epoch: topic.epoch })
        return
      }
      from ??= batch
      parts.push(bytes)
      size += bytes.length
      count += batch.count - skip
    }
    if (this.#pageAt < this.#page.length && (this.#page[this.#pageAt] as StoredBatch).position > this.#until) {
      this.#pageAt = this.#page.length
    }
    const [first] = parts
    if (first === undefined || from === undefined) return
    if (first.length > this.#messageBytes) {
      this.#divided = { batch: from, skip: from.count - count, parts: divide(first, this.#messageBytes) }
    } else this.#outbox.offer(new Parcel(parts.length === 1 ? first : join(parts, size), count))
  }

  /** One by one, as there is credit: the subscription's limit is not for what is read. */
  #passPart(divided: Divided): void {
    const { value, done } = divided.parts.next()
    if (done) {
      this.#divided = undefined
      return
    }
    divided.skip += value instanceof Parcel ? value.count : value.last - value.first + 1
    this.#outbox.pass(value)
  }

  async #readOn(): Promise<void> {
    const before = this.#page.length
    try {
      await this.#read({ position: this.#next })
    } catch {
      // The client resumes it, from the place that it had come to.
      this.end()
      return
    }
    if (this.#isOver) return
    // Where nothing was found in much, others get their turn.
    if (before === 0 && this.#page.length === 0 && !this.#isLast) this.#clock.turn(this.#again)
    else this.pump()
  }

  async #read(from: Place): Promise<void> {
    this.#isReading = true
    const page = await this.#engine.read({ pattern: this.#reading.pattern, from, maxBytes: pageBytes })
    this.#isReading = false
    if (this.#isOver) return
    this.#next = page.next
    this.#isLast = page.end
    this.#turnPage(page.batches)
    const begin = beginOf(page, from)
    for (const trimmed of this.#unsure.splice(0)) {
      const position = Math.max(trimmed.position, begin)
      if (!has(page, position)) this.#lost(position < page.next ? this.#gaps : this.#laterGaps, trimmed, begin)
    }
  }

  #turnPage(batches: readonly StoredBatch[]): void {
    let cost = 0
    for (const { bytes } of batches) cost += bytes.length
    this.#share.charge(cost - this.#pageCost)
    this.#pageCost = cost
    this.#page = batches
    this.#pageAt = 0
  }

  /** What is before `begin` was read before, or never asked for. */
  #lost(gaps: Map<string, TopicGap>, { topic, first, last, position }: Trimmed, begin: number): void {
    const skip = Math.max(0, begin - position)
    this.#missing(gaps, topic, first + skip, last, position + skip)
  }

  #missing(gaps: Map<string, TopicGap>, topic: TopicRef, from: number, last: number, position: number): void {
    const first = Math.max(from, this.#reading.wantedFrom(topic, position))
    if (first <= last) this.#join(gaps, { topic: topic.name, first, last, epoch: topic.epoch })
  }

  #join(gaps: Map<string, TopicGap>, gap: TopicGap): void {
    const known = gaps.get(gap.topic)
    gaps.set(gap.topic, { ...gap, first: known?.first ?? gap.first })
    if (known === undefined) this.#chargeFixed(costOf(gap.topic))
  }

  #tellGaps(): void {
    const gaps = [...this.#gaps.values()]
    this.#forgetGaps(this.#gaps)
    this.#outbox.miss(gaps)
  }

  #forgetGaps(gaps: Map<string, TopicGap>): void {
    for (const topic of gaps.keys()) this.#chargeFixed(-costOf(topic))
    gaps.clear()
  }

  #chargeFixed(bytes: number): void {
    this.#fixedBytes += bytes
    this.#share.chargeFixed(bytes)
  }

  #finish(): void {
    this.#isOver = true
    while (!this.#aside.isEmpty) this.#takeAside()
    this.close()
    this.#isLive()
  }

  #takeAside(): void {
    if (this.#aside.hasGaps) {
      this.#outbox.miss(this.#aside.takeGaps(Number.POSITIVE_INFINITY))
      return
    }
    const parcel = this.#aside.takeParcel()
    if (parcel) this.#outbox.offer(parcel)
  }
}

function skipOf({ topic, seq, position, skip }: StoredBatch, { wantedFrom }: Reading): number {
  return Math.max(skip, wantedFrom(topic, position) - seq)
}

/** Where a page begins: nothing before that was asked for. */
function beginOf({ batches, next }: Page, from: Place): number {
  if ('position' in from) return from.position
  return 'time' in from ? (batches[0]?.position ?? next) : 0
}

function has({ batches, next }: Page, position: number): boolean {
  return (
    position < next && batches.some((one) => one.position + one.skip <= position && position < one.position + one.count)
  )
}
