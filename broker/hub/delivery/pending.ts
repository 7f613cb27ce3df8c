/**
 * What waits for credit in an outbox: parcels, and the gaps of what was dropped to keep its limit.
 *
 * Floor 8, pure.
 */
import { Fifo } from '#base/fifo'
import { SmallMap } from '#base/small-map'
import type { TopicGap } from '../../shared/gap.ts'
import type { Parcel } from './parcel.ts'

export interface OutboxLimit {
  readonly messages: number
  readonly bytes: number
}

/**
 * Above this part of its limit an outbox asks for publishers to slow down (delivery/pacing.ts). The rest of the limit
 * has room for what they have under way by then.
 */
const pressedPart = 1 / 16

export class Pending {
  readonly #limit: OutboxLimit
  readonly #parcels = new Fifo<Parcel>()
  readonly #gaps = new SmallMap<string, TopicGap>()
  #messages = 0
  #bytes = 0

  constructor(limit: OutboxLimit) {
    this.#limit = limit
  }

  /** In all parcels. */
  get messages(): number {
    return this.#messages
  }

  get hasGaps(): boolean {
    return this.#gaps.size > 0
  }

  get isEmpty(): boolean {
    return this.#messages + this.#gaps.size === 0
  }

  /** Whether so much waits that publishers should slow down. */
  get isPressed(): boolean {
    return this.#messages > this.#limit.messages * pressedPart || this.#bytes > this.#limit.bytes * pressedPart
  }

  /** Adds a parcel, and drops the oldest messages above the limit. Returns how many. */
  add(parcel: Parcel): number {
    parcel.compact()
    this.#parcels.push(parcel)
    this.#messages += parcel.count
    this.#bytes += parcel.bytes.length
    return this.#trim()
  }

  /** Messages that are missing before whatever waits. Joined with what was missing of the topic before. */
  miss(gap: TopicGap): void {
    const { topic, first, last, epoch } = gap
    const known = this.#gaps.get(topic)
    this.#gaps.set(topic, { topic, first: known?.epoch === epoch ? known.first : first, last, epoch })
  }

  /** Takes the oldest parcel; there is one. */
  takeParcel(): Parcel {
    const parcel = this.#parcels.shift() as Parcel
    this.#messages -= parcel.count
    this.#bytes -= parcel.bytes.length
    return parcel
  }

  /** Takes the oldest gaps, so many at most. */
  takeGaps(most: number): readonly TopicGap[] {
    const gaps = this.#gaps.values().slice(0, most)
    for (const { topic } of gaps) this.#gaps.delete(topic)
    return gaps
  }

  #trim(): number {
    const { messages, bytes } = this.#limit
    const before = this.#messages
    while (this.#messages > messages || this.#bytes > bytes) {
      const first = this.#parcels.peek() as Parcel
      const excess = this.#messages - messages
      const isPart = this.#bytes <= bytes && excess < first.count
      this.#dropFirst(first, isPart ? excess : first.count)
    }
    return before - this.#messages
  }

  #dropFirst(parcel: Parcel, count: number): void {
    const { gaps, rest } = parcel.without(count)
    this.#messages -= parcel.count - (rest?.count ?? 0)
    this.#bytes -= parcel.bytes.length - (rest?.bytes.length ?? 0)
    for (const gap of gaps) this.miss(gap)
    if (rest) this.#parcels.replaceFirst(rest)
    else this.#parcels.shift()
  }
}
