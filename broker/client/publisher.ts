/**
 * The publishing side: packs messages into batches and sends them as credit allows.
 *
 * Floor 8. Messages published in one turn of the event loop to one topic, one after the other, share a batch; another
 * topic begins another, so that everything keeps the order in which it was published. Batches lie side by side in a
 * slab and leave together, as a parcel. Without credit parcels wait here, up to `maxBufferedBytes`; then publishing is
 * refused (BUFFER_FULL).
 */

import { bounded } from '#base/bounded'
import { allocate, copy, encodeText, slice, writeU32 } from '#base/bytes'
import type { Clock } from '#base/clock'
import { type Deferred, deferred, handled } from '#base/deferred'
import { socketError } from '#base/errors'
import { Fifo } from '#base/fifo'
import { defined } from '#base/verify'
import { type Consumer, maxFrameBytes } from '#socket/client'
import { batchHeaderBytes, encodeHeading, RecordFlag, recordHeaderBytes, seal } from '../shared/batch.ts'
import { encodeShared, encodeValue } from '../shared/codec.ts'
import { checkTopic, maxTopicBytes } from '../shared/topic-name.ts'
import type { Attributes } from './message.ts'
import type { PublishOptions } from './options.ts'

const slabBytes = 256 * 1024
/** Room for the batch header and the longest names: topic, producer id and sender. */
const maxHeadingBytes = batchHeaderBytes + maxTopicBytes + 3 * (100 + 200)
/** Bytes that leave in one turn at most: a loop that publishes must not keep everything else from running. */
const maxTurnBytes = 1024 * 1024
/** Topics whose encoded names are kept. */
const maxKnownTopics = 10_000

/** What became of a publish. */
export class Receipt {
  readonly topic: string
  /** Whether the broker had it already. Always false at most once. */
  readonly duplicate = false
  /** How safe it is: at most once, nothing is promised. */
  readonly durability = 'none'
  readonly #id: string | undefined
  readonly #producerId: string
  readonly #producerSeq: number

  /** @internal */
  constructor(topic: string, id: string | undefined, producerId: string, producerSeq: number) {
    this.topic = topic
    this.#id = id
    this.#producerId = producerId
    this.#producerSeq = producerSeq
  }

  /** The id that the message has for its subscribers. */
  get id(): string {
    return this.#id ?? `${this.#producerId}:${this.#producerSeq}`
  }
}

/** A topic's batch header with its names, encoded once. */
interface Heading {
  readonly topic: string
  readonly bytes: Uint8Array
}

/** Those who wait for a parcel to leave. */
interface Waiting {
  readonly parcel: number
  readonly taken: Deferred<void>
}

export interface PublisherSettings {
  readonly producerId: string
  readonly sender: string
  readonly maxBufferedBytes: number
  readonly maxMessageBytes: number
  readonly clock: Clock
}

export class Publisher {
  /** Messages refused because the buffer was full. */
  refused = 0
  readonly #consumer: Consumer
  readonly #settings: PublisherSettings
  readonly #headings = new Map<string, Heading>()
  readonly #parcels = new Fifo<Uint8Array>()
  #parcelBytes = 0
  #slab = allocate(0)
  #at = 0
  /** Where the open parcel begins. */
  #parcelAt = 0
  /** The open batch in it: its topic, where it begins, and how many records it has. */
  #open: Heading | undefined
  #openAt = 0
  #count = 0
  #producerSeq = 0
  #scheduled = false
  #leftIn = -1
  /** Parcels wrapped up, and those of them that have left; the open one has the number `#wrapped`. */
  #wrapped = 0
  #left = 0
  /** Bytes that have left in this turn. */
  #turnBytes = 0
  readonly #waiting = new Fifo<Waiting>()
  #latest: Waiting | undefined
  #isBlocked = false
  #gate: Promise<void> | undefined
  #closed: Error | undefined

  constructor(consumer: Consumer, settings: PublisherSettings) {
    this.#consumer = consumer
    this.#settings = settings
  }

  /** Bytes that wait for credit. */
  get buffered(): number {
    return this.#parcelBytes + this.#at - this.#parcelAt
  }

  /** See `Client.publish`. */
  publish(topic: string, data: unknown, options: PublishOptions | undefined): Promise<Receipt> {
    if (this.#closed) return handled(Promise.reject(this.#closed))
    let receipt: Receipt
    try {
      receipt = this.#append(topic, data, options)
    } catch (error) {
      // Whoever does not await a publish is told by `refused` and by the status, not by the end of the process.
      return handled(Promise.reject(error))
    }
    const parcel = this.#wrapped
    // A large one leaves in fragments: it has been taken once the last of them is out.
    if (this.#at - this.#parcelAt > maxFrameBytes) this.send()
    return this.#isBlocked ? this.#whenTaken(parcel, receipt, options) : Promise.resolve(receipt)
  }

  /** Sends what credit allows. */
  send(): void {
    this.#wrap()
    while (this.#parcels.length > 0 && !this.#isBlocked) {
      if (this.#gate) this.#block(this.#gate)
      else if (this.#turnBytes > maxTurnBytes) this.#block(this.#turned())
      else if (this.#consumer.credit > 0) this.#post()
      else this.#block(this.#consumer.ready())
    }
  }

  /** Sends nothing before `until` has resolved. A later call takes the place of an earlier one. */
  holdUntil(until: Promise<void>): void {
    this.#gate = until
    void until.then(() => {
      if (this.#gate === until) this.#gate = undefined
    })
  }

  /** Resolves once everything published so far has left. */
  async sent(): Promise<void> {
    this.send()
    if (this.#left < this.#wrapped) await this.#taken(this.#wrapped - 1)
  }

  close(error: Error): void {
    if (this.#closed) return
    this.#closed = error
    this.#parcels.clear()
    this.#parcelBytes = 0
    this.#open = undefined
    for (const { taken } of this.#waiting.clear()) taken.reject(error)
  }

  #append(topic: string, data: unknown, options: PublishOptions | undefined): Receipt {
    const isRaw = data instanceof Uint8Array
    // Before the payload, whose bytes are valid until the next thing is encoded.
    const attributes = options && encodeAttributes(options)
    const payload = isRaw ? data : encodeShared(data)
    const size = recordHeaderBytes + payload.length + (attributes ? 4 + attributes.length : 0)
    this.#judge(size)
    this.#reserve(topic, size)
    const seq = this.#producerSeq++
    this.#write(payload, isRaw, attributes)
    this.#count++
    if (!this.#scheduled) this.#schedule()
    return new Receipt(topic, options?.id, this.#settings.producerId, seq)
  }

  /** Throws MESSAGE_TOO_LARGE or BUFFER_FULL. */
  #judge(size: number): void {
    const { maxMessageBytes, maxBufferedBytes } = this.#settings
    // So that a batch of one fits into a message of the socket layer.
    const limit = maxMessageBytes - maxHeadingBytes
    if (size > limit) {
      const details = { limit, actual: size }
      const what = `The message takes ${size} bytes; the limit is ${limit}.`
      throw socketError('MESSAGE_TOO_LARGE', what, { details })
    }
    if (this.#isBlocked && this.buffered > 0 && this.buffered + size > maxBufferedBytes) {
      this.refused++
      const details = { limit: maxBufferedBytes, actual: this.buffered + size }
      throw socketError('BUFFER_FULL', `${this.buffered} bytes wait for credit.`, { details })
    }
  }

  /** Makes room for a record: in the open batch if it may go there, else in a new one. */
  #reserve(topic: string, size: number): void {
    if (this.#open?.topic === topic && this.#fits(size)) return
    const heading = this.#headings.get(topic) ?? this.#heading(topic)
    const needed = heading.bytes.length + size
    this.#seal()
    if (!this.#fits(needed)) this.#begin(needed)
    this.#open = heading
    this.#openAt = this.#at
    copy(this.#slab, this.#at, heading.bytes, 0, heading.bytes.length)
    this.#at += heading.bytes.length
  }

  #fits(size: number): boolean {
    const end = this.#at + size
    return end - this.#parcelAt <= maxFrameBytes && end <= this.#slab.length
  }

  /** Begins a parcel. The one before goes at once, without waiting for the end of the turn. */
  #begin(size: number): void {
    this.send()
    if (this.#slab.length - this.#at >= size) return
    this.#slab = allocate(Math.max(slabBytes, size))
    this.#at = 0
    this.#parcelAt = 0
  }

  #write(payload: Uint8Array, isRaw: boolean, attributes: Uint8Array | undefined): void {
    const slab = this.#slab
    let at = this.#at
    writeU32(slab, at, payload.length)
    slab[at + 4] = (isRaw ? RecordFlag.RAW : 0) | (attributes ? RecordFlag.ATTRIBUTES : 0)
    at += recordHeaderBytes
    if (attributes) {
      writeU32(slab, at, attributes.length)
      slab.set(attributes, at + 4)
      at += 4 + attributes.length
    }
    copy(slab, at, payload, 0, payload.length)
    this.#at = at + payload.length
  }

  #heading(topic: string): Heading {
    const { producerId, sender } = this.#settings
    const bytes = encodeHeading(encodeText(checkTopic(topic)), encodeText(producerId), encodeText(sender))
    const heading: Heading = { topic, bytes }
    if (this.#headings.size >= maxKnownTopics) this.#headings.clear()
    this.#headings.set(topic, heading)
    return heading
  }

  /** Ends the open batch. */
  #seal(): void {
    if (this.#open === undefined) return
    seal(this.#slab, this.#openAt, this.#at, this.#count, this.#producerSeq - this.#count)
    this.#open = undefined
    this.#count = 0
  }

  /** Ends the open parcel. */
  #wrap(): void {
    this.#seal()
    if (this.#at === this.#parcelAt) return
    const parcel = slice(this.#slab, this.#parcelAt, this.#at)
    this.#parcelAt = this.#at
    this.#parcels.push(parcel)
    this.#parcelBytes += parcel.length
    this.#wrapped++
  }

  #post(): void {
    const parcel = this.#parcels.shift() as Uint8Array
    this.#parcelBytes -= parcel.length
    this.#turnBytes += parcel.length
    if (this.#consumer.tryPost(parcel)) {
      this.#hasLeft()
      return
    }
    // What is lost with the link is lost: at most once.
    const posted = this.#consumer.post(parcel).catch(() => {})
    this.#block(posted.then(() => this.#hasLeft()))
  }

  #hasLeft(): void {
    this.#left++
    for (let first = this.#waiting.peek(); first && first.parcel < this.#left; first = this.#waiting.peek()) {
      this.#waiting.shift()
      first.taken.resolve()
    }
  }

  #schedule(): void {
    this.#scheduled = true
    const { clock } = this.#settings
    const leave = (): void => {
      this.#scheduled = false
      this.#turnBytes = 0
      this.send()
    }
    const turn = clock.turnNumber()
    if (this.#leftIn === turn) clock.turn(leave)
    else clock.soon(leave)
    this.#leftIn = turn
  }

  /** Waits; meanwhile publishes wait too. */
  #block(until: Promise<void>): void {
    this.#isBlocked = true
    void until.then(
      () => {
        this.#isBlocked = false
        if (this.#closed === undefined) this.send()
      },
      (error: Error) => this.close(error),
    )
  }

  /** The end of this turn: a broker in the same process takes everything at once, and others want to run too. */
  #turned(): Promise<void> {
    return new Promise((resolve) => {
      this.#settings.clock.turn(() => {
        this.#turnBytes = 0
        resolve()
      })
    })
  }

  /** Resolves when that parcel has left; one promise for all that wait for it. Rejects when the publisher closes. */
  #taken(parcel: number): Promise<void> {
    const latest = this.#latest
    if (latest?.parcel === parcel) return latest.taken.promise
    const waiting: Waiting = { parcel, taken: deferred() }
    void handled(waiting.taken.promise)
    this.#latest = waiting
    this.#waiting.push(waiting)
    return waiting.taken.promise
  }

  #whenTaken(parcel: number, receipt: Receipt, options: PublishOptions | undefined): Promise<Receipt> {
    const { timeoutMs, signal } = options ?? {}
    const taken = this.#taken(parcel).then(() => receipt)
    if (timeoutMs === undefined && signal === undefined) return handled(taken)
    return handled(bounded(taken, { timeoutMs, signal }, this.#settings.clock))
  }
}

/** The attributes' bytes, if there are any. */
function encodeAttributes({ id, headers, correlationId, replyTo }: PublishOptions): Uint8Array | undefined {
  const given: Attributes = defined({ id, headers, correlationId, replyTo }) as Attributes
  return Object.keys(given).length === 0 ? undefined : encodeValue(given)
}
