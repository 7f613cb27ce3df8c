/**
 * What the broker holds for one subscription that has no credit.
 *
 * Floor 4. With credit a batch goes straight through and nothing is kept. Without, batches wait up to the limit; then
 * the oldest messages go, and a notice of the gap takes their place, before anything later. One subscription's outbox
 * never waits for another's.
 */
import { type Deferred, deferred, handled } from '#base/deferred'
import { Fifo } from '#base/fifo'
import { SmallMap } from '#base/small-map'
import { type Consumer, maxFrameBytes } from '#socket'
import { encodeGaps, type Gap } from '../wire.ts'
import type { Parcel } from './parcel.ts'

export interface OutboxLimit {
  readonly messages: number
  readonly bytes: number
}

/** Gaps that one notice names at most, so that it fits into a frame. */
const maxGaps = 200
/**
 * Above this part of its limit an outbox asks for publishers to slow down (delivery/pacing.ts). The rest of the limit
 * has room for what they have under way by then.
 */
const pressedPart = 1 / 16

function nobody(): void {}

export class Outbox {
  /** Messages dropped because the limit was reached. */
  dropped = 0
  /** Messages handed to the subscription's channel. */
  forwarded = 0
  /** Called when it is not pressed any more. */
  relieved: () => void = nobody
  readonly #consumer: Consumer
  readonly #limit: OutboxLimit
  readonly #queue = new Fifo<Parcel>()
  readonly #gaps = new SmallMap<string, Gap>()
  #messages = 0
  #bytes = 0
  /** Parcels so large that they are still leaving. */
  #leaving = 0
  #isWaiting = false
  #emptied: Deferred<void> | undefined

  constructor(consumer: Consumer, limit: OutboxLimit) {
    this.#consumer = consumer
    this.#limit = limit
  }

  /** Messages held. */
  get length(): number {
    return this.#messages
  }

  /** Whether so much is held that publishers should slow down. */
  get isPressed(): boolean {
    return this.#messages > this.#limit.messages * pressedPart || this.#bytes > this.#limit.bytes * pressedPart
  }

  /** Forwards a parcel now if there is credit, and holds it otherwise. */
  offer(parcel: Parcel): void {
    if (this.#messages === 0 && this.#gaps.size === 0 && this.#consumer.credit > 0) {
      this.#post(parcel)
      return
    }
    parcel.compact()
    this.#queue.push(parcel)
    this.#messages += parcel.count
    this.#bytes += parcel.bytes.length
    if (this.#messages > this.#limit.messages || this.#bytes > this.#limit.bytes) this.#trim()
    if (!this.#isWaiting) this.#wait()
  }

  /** Messages that the subscription is to be told about as missing, before what is offered next. */
  miss(gap: Gap): void {
    const { topic, first, last } = gap
    this.#gaps.set(topic, { topic, first: this.#gaps.get(topic)?.first ?? first, last })
    if (!this.#isWaiting) this.#wait()
  }

  /** Resolves once nothing is held any more, and all has left. */
  whenEmpty(): Promise<void> {
    if (this.#messages + this.#gaps.size + this.#leaving === 0) return Promise.resolve()
    this.#emptied ??= deferred()
    return this.#emptied.promise
  }

  /** Drops everything. */
  clear(): void {
    this.#queue.clear()
    this.#gaps.clear()
    this.#messages = 0
    this.#bytes = 0
    this.relieved()
    this.#tellEmpty()
  }

  #post(parcel: Parcel): void {
    this.forwarded += parcel.count
    if (this.#consumer.tryPost(parcel.bytes)) return
    // It rejects when the subscriber is gone, and then so is the subscription.
    const gone = handled(this.#consumer.post(parcel.bytes))
    if (parcel.bytes.length <= maxFrameBytes) return
    const left = (): void => {
      this.#leaving--
      this.#tellIfEmpty()
    }
    this.#leaving++
    gone.then(left, left)
  }

  #tellIfEmpty(): void {
    if (this.#messages + this.#gaps.size + this.#leaving === 0) this.#tellEmpty()
  }

  /** Drops the oldest messages until the limit is kept. */
  #trim(): void {
    const { messages, bytes } = this.#limit
    while (this.#messages > messages || this.#bytes > bytes) {
      const first = this.#queue.peek() as Parcel
      const excess = this.#messages - messages
      const isPart = this.#bytes <= bytes && excess < first.count
      this.#dropFirst(first, isPart ? excess : first.count)
    }
  }

  #dropFirst(parcel: Parcel, count: number): void {
    const { gaps, rest } = parcel.without(count)
    const dropped = parcel.count - (rest?.count ?? 0)
    this.dropped += dropped
    this.#messages -= dropped
    this.#bytes -= parcel.bytes.length - (rest?.bytes.length ?? 0)
    for (const gap of gaps) this.miss(gap)
    if (rest) this.#queue.replaceFirst(rest)
    else this.#queue.shift()
  }

  #tellEmpty(): void {
    this.#emptied?.resolve()
    this.#emptied = undefined
  }

  #wait(): void {
    this.#isWaiting = true
    const drain = (): void => {
      this.#isWaiting = false
      this.#drain()
    }
    // A rejection means that the subscriber is gone; the hub clears the outbox.
    this.#consumer.ready().then(drain, () => {})
  }

  #drain(): void {
    const wasPressed = this.isPressed
    while (this.#messages + this.#gaps.size > 0 && this.#consumer.credit > 0) {
      if (this.#gaps.size > 0) this.#tellGaps()
      else this.#forwardFirst()
    }
    if (wasPressed && !this.isPressed) this.relieved()
    if (this.#messages + this.#gaps.size > 0) this.#wait()
    else this.#tellIfEmpty()
  }

  #forwardFirst(): void {
    const parcel = this.#queue.shift() as Parcel
    this.#messages -= parcel.count
    this.#bytes -= parcel.bytes.length
    this.#post(parcel)
  }

  #tellGaps(): void {
    const gaps = this.#gaps.values().slice(0, maxGaps)
    for (const { topic } of gaps) this.#gaps.delete(topic)
    void handled(this.#consumer.post(encodeGaps(gaps)))
  }
}
