/**
 * What the broker holds for one subscription that has no credit.
 *
 * Floor 8. With credit a parcel goes straight through and nothing is kept. Without, parcels wait up to the limit; then
 * the oldest messages go, and a notice of the gap takes their place, before anything later. One subscription's outbox
 * never waits for another's.
 */
import { type Deferred, deferred, handled } from '#base/deferred'
import { type Consumer, maxFrameBytes } from '#socket/client'
import { encodeGaps, type TopicGap } from '../../shared/gap.ts'
import { divide } from './divide.ts'
import type { Share } from './holdings.ts'
import { Parcel } from './parcel.ts'
import { type OutboxLimit, Pending } from './pending.ts'

/** Gaps that one notice names at most, so that it fits into a frame; and bytes that one gap may take in it. */
const maxGaps = 200
export const maxGapBytes = 300

/** Nobody writes to what was stamped. */
const given = Object.freeze({ transfer: true })

function nobody(): void {}

export class Outbox {
  /** Messages handed to the subscription's channel. */
  forwarded = 0
  /** Called when credit has come and it is not pressed then, whether it was before or not. */
  relieved: () => void = nobody
  readonly #consumer: Consumer
  readonly #limit: OutboxLimit
  readonly #share: Share
  readonly #endAll: () => void
  readonly #gapsAtOnce: number
  /** What waits for credit; there only while something does. */
  #pending: Pending | undefined
  /** Dropped in earlier times of waiting, or never held. */
  #dropped = 0
  /** Parcels so large that they are still leaving. */
  #leaving = 0
  #isClosed = false
  #emptied: Deferred<void> | undefined

  /** `end` ends the subscription. */
  constructor(consumer: Consumer, limit: OutboxLimit, share: Share, end: () => void) {
    this.#consumer = consumer
    this.#limit = limit
    this.#share = share
    this.#endAll = end
    this.#gapsAtOnce = Math.max(1, Math.min(maxGaps, Math.floor(limit.messageBytes / maxGapBytes)))
  }

  /** Messages that will not be delivered. Each is in a gap. */
  get dropped(): number {
    return this.#dropped + (this.#pending?.dropped ?? 0)
  }

  /** Messages held. */
  get length(): number {
    return this.#pending === undefined ? 0 : this.#pending.messages
  }

  /** Whether so much is held that publishers should slow down. */
  get isPressed(): boolean {
    return this.#pending?.isPressed === true
  }

  /** Whether what is offered now leaves at once. */
  get isFree(): boolean {
    return this.#pending === undefined && this.#consumer.credit > 0
  }

  /** Forwards a parcel now if there is credit, and holds it otherwise. */
  offer(parcel: Parcel): void {
    const { messageBytes } = this.#limit
    if (parcel.size > messageBytes && parcel.gaps === undefined) {
      for (const part of divide(parcel.bytes, messageBytes)) this.pass(part)
    } else if (this.#pending === undefined && this.#consumer.credit > 0) this.#post(parcel)
    else if (!this.#isClosed) this.#wait().add(parcel)
  }

  /** What comes of dividing a parcel. */
  pass(part: Parcel | TopicGap): void {
    if (part instanceof Parcel) this.offer(part)
    else this.drop(part)
  }

  /** Messages that are told as missing, after what waits and before what is offered next. */
  miss(gaps: readonly TopicGap[]): void {
    const most = this.#gapsAtOnce
    for (let at = 0; at < gaps.length; at += most) this.offer(Parcel.notice(gaps.slice(at, at + most)))
  }

  /** The same for messages that were to be forwarded and cannot be. */
  drop(gap: TopicGap): void {
    this.#dropped += gap.last - gap.first + 1
    this.miss([gap])
  }

  /** Resolves once nothing is held any more, and all has left. */
  whenEmpty(): Promise<void> {
    if (this.#isEmpty) return Promise.resolve()
    this.#emptied ??= deferred()
    return this.#emptied.promise
  }

  /** Drops everything, now and from now on. */
  close(): void {
    this.#isClosed = true
    this.clear()
  }

  /** Drops everything. */
  clear(): void {
    this.#end()
    this.relieved()
    this.#tellEmpty()
  }

  get #isEmpty(): boolean {
    return this.#pending === undefined && this.#leaving === 0
  }

  #end(): void {
    if (this.#pending === undefined) return
    this.#dropped += this.#pending.dropped
    this.#pending.clear()
    this.#pending = undefined
  }

  #post(parcel: Parcel): void {
    this.forwarded += parcel.count
    if (this.#consumer.tryPost(parcel.bytes, given)) return
    // It rejects when the subscriber is gone, and then so is the subscription.
    const gone = handled(this.#consumer.post(parcel.bytes, given))
    if (parcel.size <= maxFrameBytes) return
    const left = (): void => {
      this.#leaving--
      if (this.#isEmpty) this.#tellEmpty()
    }
    this.#leaving++
    gone.then(left, left)
  }

  #tellEmpty(): void {
    this.#emptied?.resolve()
    this.#emptied = undefined
  }

  #wait(): Pending {
    if (this.#pending) return this.#pending
    this.#pending = new Pending(this.#limit, this.#share, this.#endAll)
    this.#askForCredit(this.#pending)
    return this.#pending
  }

  #askForCredit(pending: Pending): void {
    // A rejection means that the subscriber is gone; the hub clears the outbox.
    this.#consumer.ready().then(
      () => this.#drain(pending),
      () => {},
    )
  }

  #drain(pending: Pending): void {
    if (pending !== this.#pending) return
    while (!pending.isEmpty && this.#consumer.credit > 0) {
      if (pending.hasGaps) {
        void handled(this.#consumer.post(encodeGaps(pending.takeGaps(this.#gapsAtOnce)), given))
        continue
      }
      const parcel = pending.takeParcel()
      if (parcel) this.#post(parcel)
    }
    const { isEmpty } = pending
    if (isEmpty) this.#end()
    // Also when what pressed it was dropped meanwhile.
    if (!this.isPressed) this.relieved()
    if (!isEmpty) this.#askForCredit(pending)
    else if (this.#isEmpty) this.#tellEmpty()
  }
}
