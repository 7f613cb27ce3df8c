/**
 * What the broker holds for one subscription that has no credit.
 *
 * Floor 5. With credit a batch goes straight through and nothing is kept. Without, batches wait up to the limit; then
 * the oldest messages go, and a notice of the gap takes their place, before anything later. One subscription's outbox
 * never waits for another's.
 */
import { type Consumer, type Deferred, deferred, Fifo, handled } from '#socket'
import { withoutFirst } from '../batch.ts'
import { encodeGaps, type Gap } from '../wire.ts'

/** A stamped batch on its way to any number of subscriptions. */
export class Forward {
  readonly topic: string
  readonly count: number
  readonly seq: number
  #bytes: Uint8Array
  #isCompact = false

  constructor(topic: string, count: number, seq: number, bytes: Uint8Array) {
    this.topic = topic
    this.count = count
    this.seq = seq
    this.#bytes = bytes
  }

  get bytes(): Uint8Array {
    return this.#bytes
  }

  /** To be kept for a while: a small batch must not keep the large buffer alive that it was received in. */
  compact(): void {
    if (this.#isCompact) return
    this.#isCompact = true
    if (this.#bytes.buffer.byteLength > this.#bytes.length * 2) this.#bytes = this.#bytes.slice()
  }

  /** A batch of the same messages without the first `skip`. */
  without(skip: number): Forward {
    return new Forward(this.topic, this.count - skip, this.seq + skip, withoutFirst(this.#bytes, skip))
  }
}

export interface OutboxLimit {
  readonly messages: number
  readonly bytes: number
}

/** Above this part of its limit an outbox asks for publishers to slow down (delivery/pacing.ts). */
const pressedPart = 1 / 16

export class Outbox {
  /** Messages dropped because the limit was reached. */
  dropped = 0
  /** Messages handed to the subscription's channel. */
  forwarded = 0
  /** Called when it is not pressed any more. */
  relieved: () => void = () => {}
  readonly #consumer: Consumer
  readonly #limit: OutboxLimit
  readonly #queue = new Fifo<Forward>()
  readonly #gaps = new Map<string, Gap>()
  #messages = 0
  #bytes = 0
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

  /** Forwards a batch now if there is credit, and holds it otherwise. */
  offer(batch: Forward): void {
    if (this.#messages === 0 && this.#gaps.size === 0 && this.#consumer.credit > 0) {
      this.#post(batch)
      return
    }
    batch.compact()
    this.#queue.push(batch)
    this.#messages += batch.count
    this.#bytes += batch.bytes.length
    if (this.#messages > this.#limit.messages || this.#bytes > this.#limit.bytes) this.#trim()
    if (!this.#isWaiting) this.#wait()
  }

  /** Messages that the subscription is to be told about as missing, before what is offered next. */
  miss(gap: Gap): void {
    const { topic, first, last } = gap
    this.#gaps.set(topic, { topic, first: this.#gaps.get(topic)?.first ?? first, last })
  }

  /** Resolves once nothing is held any more. */
  whenEmpty(): Promise<void> {
    if (this.#messages + this.#gaps.size === 0) return Promise.resolve()
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
    this.#emptied?.resolve()
  }

  #post(batch: Forward): void {
    this.forwarded += batch.count
    // It rejects when the subscriber is gone, and then so is the subscription.
    void handled(this.#consumer.post(batch.bytes))
  }

  /** Drops the oldest messages until the limit is kept. */
  #trim(): void {
    const { messages, bytes } = this.#limit
    while (this.#messages > messages || this.#bytes > bytes) {
      const first = this.#queue.peek() as Forward
      const excess = this.#messages - messages
      const isPart = this.#bytes <= bytes && excess < first.count
      this.#dropFirst(first, isPart ? excess : first.count)
    }
  }

  #dropFirst(batch: Forward, count: number): void {
    this.#messages -= count
    this.dropped += count
    this.#bytes -= batch.bytes.length
    this.miss({ topic: batch.topic, first: batch.seq, last: batch.seq + count - 1 })
    if (count === batch.count) {
      this.#queue.shift()
      return
    }
    const rest = batch.without(count)
    this.#bytes += rest.bytes.length
    this.#queue.replaceFirst(rest)
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
    else this.#emptied?.resolve()
  }

  #forwardFirst(): void {
    const batch = this.#queue.shift() as Forward
    this.#messages -= batch.count
    this.#bytes -= batch.bytes.length
    this.#post(batch)
  }

  #tellGaps(): void {
    const notice = encodeGaps([...this.#gaps.values()])
    this.#gaps.clear()
    void handled(this.#consumer.post(notice))
  }
}
