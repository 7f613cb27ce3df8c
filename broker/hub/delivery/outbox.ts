/**
 * What the broker holds for one subscription that has no credit.
 *
 * Floor 9. With credit a batch goes straight through and nothing is kept. Without, batches wait up to the limit; then
 * the oldest messages go, and a notice of the gap takes their place, before anything later. One subscription's outbox
 * never waits for another's.
 */
import { type Deferred, deferred, handled } from '#base/deferred'
import { type Consumer, maxFrameBytes } from '#socket/client'
import { encodeGaps, type TopicGap } from '../../shared/gap.ts'
import type { Parcel } from './parcel.ts'
import { type OutboxLimit, Pending } from './pending.ts'

/** Gaps that one notice names at most, so that it fits into a frame. */
const maxGaps = 200

function nobody(): void {}

export class Outbox {
  /** Messages dropped because the limit was reached. */
  dropped = 0
  /** Messages handed to the subscription's channel. */
  forwarded = 0
  /** Called when credit has come and it is not pressed then, whether it was before or not. */
  relieved: () => void = nobody
  readonly #consumer: Consumer
  readonly #limit: OutboxLimit
  /** What waits for credit; there only while something does. */
  #pending: Pending | undefined
  /** Parcels so large that they are still leaving. */
  #leaving = 0
  #emptied: Deferred<void> | undefined

  constructor(consumer: Consumer, limit: OutboxLimit) {
    this.#consumer = consumer
    this.#limit = limit
  }

  /** Messages held. */
  get length(): number {
    return this.#pending === undefined ? 0 : this.#pending.messages
  }

  /** Whether so much is held that publishers should slow down. */
  get isPressed(): boolean {
    return this.#pending?.isPressed === true
  }

  /** Forwards a parcel now if there is credit, and holds it otherwise. */
  offer(parcel: Parcel): void {
    if (this.#pending === undefined && this.#consumer.credit > 0) this.#post(parcel)
    else this.dropped += this.#wait().add(parcel)
  }

  /** Messages that the subscription is to be told about as missing, before what is offered next. */
  miss(gap: TopicGap): void {
    this.#wait().miss(gap)
  }

  /** Resolves once nothing is held any more, and all has left. */
  whenEmpty(): Promise<void> {
    if (this.#isEmpty) return Promise.resolve()
    this.#emptied ??= deferred()
    return this.#emptied.promise
  }

  /** Drops everything. */
  clear(): void {
    this.#pending = undefined
    this.relieved()
    this.#tellEmpty()
  }

  get #isEmpty(): boolean {
    return this.#pending === undefined && this.#leaving === 0
  }

  #post(parcel: Parcel): void {
    this.forwarded += parcel.count
    if (this.#consumer.tryPost(parcel.bytes)) return
    // It rejects when the subscriber is gone, and then so is the subscription.
    const gone = handled(this.#consumer.post(parcel.bytes))
    if (parcel.bytes.length <= maxFrameBytes) return
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
    this.#pending = new Pending(this.#limit)
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
      if (pending.hasGaps) void handled(this.#consumer.post(encodeGaps(pending.takeGaps(maxGaps))))
      else this.#post(pending.takeParcel())
    }
    const isEmpty = pending.isEmpty
    if (isEmpty) this.#pending = undefined
    // Also when what pressed it was dropped meanwhile.
    if (!this.isPressed) this.relieved()
    if (!isEmpty) this.#askForCredit(pending)
    else if (this.#isEmpty) this.#tellEmpty()
  }
}
