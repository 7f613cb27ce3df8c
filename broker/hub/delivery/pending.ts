/**
 * What waits in an outbox: parcels, and the gaps of what was dropped to keep its limit.
 *
 * Floor 7. Gaps that wait are always of messages before the first parcel. Of the first parcel some messages may have
 * been dropped; it is cut when it is taken, and not with each.
 */
import { Fifo } from '#base/fifo'
import { SmallMap } from '#base/small-map'
import type { TopicGap } from '../../shared/gap.ts'
import { costOf, type Holder, type Share } from './holdings.ts'
import { Parcel, Skipper } from './parcel.ts'

export interface OutboxLimit {
  readonly messages: number
  readonly bytes: number
  /** The largest message of a channel that the subscriber takes. */
  readonly messageBytes: number
}

interface WideningGap extends TopicGap {
  first: number
  last: number
  epoch: number
}

/**
 * Above this part of its limit an outbox asks for publishers to slow down (delivery/pacing.ts). The rest of the limit
 * has room for what they have under way by then.
 */
const pressedPart = 1 / 16

export class Pending implements Holder {
  /** Messages dropped. */
  dropped = 0
  readonly end: () => void
  readonly #limit: OutboxLimit
  readonly #share: Share
  readonly #parcels = new Fifo<Parcel>()
  readonly #gaps = new SmallMap<string, WideningGap>()
  /** Of the first parcel, when some of it has been dropped. */
  #skipper: Skipper | undefined
  #messages = 0
  #bytes = 0
  #gapBytes = 0

  /** Call `clear` when it is not used any more. */
  constructor(limit: OutboxLimit, share: Share, end: () => void) {
    this.#limit = limit
    this.#share = share
    this.end = end
    share.holders.add(this)
  }

  /** In all parcels. */
  get messages(): number {
    return this.#messages
  }

  get bytes(): number {
    return this.#bytes
  }

  /** What its gaps take. */
  get fixedBytes(): number {
    return this.#gapBytes
  }

  get hasGaps(): boolean {
    return this.#gaps.size > 0
  }

  get isEmpty(): boolean {
    return this.#parcels.length + this.#gaps.size === 0
  }

  /** Whether so much waits that publishers should slow down. */
  get isPressed(): boolean {
    return this.#messages > this.#limit.messages * pressedPart || this.#bytes > this.#limit.bytes * pressedPart
  }

  /** The parcel that is next. */
  get first(): Parcel | undefined {
    return this.#parcels.peek()
  }

  /** Adds a parcel, and drops the oldest messages above the limit. */
  add(parcel: Parcel): void {
    const { memory } = this.#share
    parcel.hold(memory)
    this.#parcels.push(parcel)
    this.#count(parcel.count, parcel.size)
    const { messages, bytes } = this.#limit
    while (this.#messages > messages || this.#bytes > bytes) this.#dropFirst(this.#messages - messages)
    this.#share.relieve(this, parcel.size)
  }

  dropTo(bytes: number): void {
    while (this.#bytes > bytes) this.#dropFirst(0)
  }

  /** Messages that are missing before whatever waits. Joined with what was missing of the topic before. */
  miss({ topic, first, last, epoch }: TopicGap): void {
    this.#widen(topic, first, last, epoch)
  }

  /** Takes the oldest parcel; there is one. Nothing when all that was left of it turns out to be malformed: a gap. */
  takeParcel(): Parcel | undefined {
    const first = this.#parcels.peek() as Parcel
    const skipped = this.#skipper?.skipped ?? 0
    this.#shift(first, first.count - skipped)
    if (skipped === 0) return first
    const { bytes, count, gap } = first.cut(skipped)
    if (gap === undefined) return new Parcel(bytes, count)
    this.dropped += gap.last - gap.first + 1
    this.miss(gap)
    return count === 0 ? undefined : this.#putBack(new Parcel(bytes, count))
  }

  /** Takes the oldest gaps, so many at most. */
  takeGaps(most: number): readonly TopicGap[] {
    const gaps = this.#gaps.values().slice(0, most)
    for (const { topic } of gaps) {
      this.#gaps.delete(topic)
      this.#countGap(-costOf(topic))
    }
    return gaps
  }

  /** Drops everything, and tells nothing. */
  clear(): void {
    const { memory, holders } = this.#share
    for (const parcel of this.#parcels.clear()) parcel.release(memory)
    this.#count(-this.#messages, -this.#bytes)
    this.#countGap(-this.#gapBytes)
    this.#gaps.clear()
    this.#skipper = undefined
    holders.delete(this)
  }

  /** The gap comes first; then it is taken again. */
  #putBack(rest: Parcel): undefined {
    rest.hold(this.#share.memory)
    this.#parcels.unshift(rest)
    this.#count(rest.count, rest.size)
    return undefined
  }

  /** Drops `excess` messages of the first parcel, or all of it if it has fewer or the bytes are too many. */
  #dropFirst(excess: number): void {
    const first = this.#parcels.peek() as Parcel
    if (first.gaps) {
      for (const gap of first.gaps) this.miss(gap)
      this.#shift(first, 0)
      return
    }
    this.#skipper ??= new Skipper(first)
    const left = first.count - this.#skipper.skipped
    const isPart = this.#bytes <= this.#limit.bytes && excess > 0 && excess < left
    const dropped = isPart ? excess : left
    this.#skipper.skip(dropped, this.#widen)
    this.dropped += dropped
    if (isPart) this.#messages -= dropped
    else this.#shift(first, dropped)
  }

  #shift(parcel: Parcel, messages: number): void {
    this.#parcels.shift()
    this.#skipper = undefined
    this.#count(-messages, -parcel.size)
    parcel.release(this.#share.memory)
  }

  #count(messages: number, bytes: number): void {
    this.#messages += messages
    this.#bytes += bytes
    this.#share.bytes += bytes
  }

  #countGap(bytes: number): void {
    this.#gapBytes += bytes
    this.#share.chargeFixed(bytes)
  }

  readonly #widen = (topic: string, first: number, last: number, epoch: number): void => {
    const known = this.#gaps.get(topic)
    if (known === undefined) {
      this.#gaps.set(topic, { topic, first, last, epoch })
      this.#countGap(costOf(topic))
    } else if (known.epoch === epoch) {
      known.last = last
    } else {
      known.first = first
      known.last = last
      known.epoch = epoch
    }
  }
}
