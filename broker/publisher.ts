/**
 * The publishing side: packs messages into batches and sends them as credit allows.
 *
 * Floor 5. Messages published in one turn of the event loop to one topic, one after the other, share a batch; another
 * topic begins another, so that everything keeps the order in which it was published. Batches lie side by side in a
 * slab. Without credit sealed batches wait here, up to `maxBufferedBytes`; then publishing is refused (BUFFER_FULL).
 */
import {
  allocate,
  type Clock,
  type Consumer,
  type Deferred,
  deferred,
  encodeText,
  Fifo,
  handled,
  maxFrameBytes,
  socketError,
} from '#socket'
import { type BatchNames, batchHeaderBytes, RecordFlag, recordHeaderBytes, viewOf, writeBatchHeader } from './batch.ts'
import { encodeShared, encodeValue } from './codec.ts'
import type { Attributes } from './message.ts'
import type { PublishOptions } from './options.ts'
import { checkTopic } from './topics.ts'
import { bounded } from './wait.ts'

const slabBytes = 256 * 1024
/** Topics whose encoded names are kept. */
const maxKnownTopics = 10_000
/** Where the open batch would be cut anyway, publishing waits for its turn. */
const maxBatchBytes = maxFrameBytes

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

/** A topic's header with the names, encoded once. */
interface Heading extends BatchNames {
  readonly topic: string
  readonly bytes: Uint8Array
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
  readonly #sealed = new Fifo<Uint8Array>()
  #sealedBytes = 0
  #slab = allocate(0)
  #view = viewOf(this.#slab)
  #at = 0
  /** The open batch: where it begins, its topic, and how many records it has. */
  #open: Heading | undefined
  #openAt = 0
  #count = 0
  #producerSeq = 0
  #scheduled = false
  #blocked: Deferred<void> | undefined
  #closed: Error | undefined

  constructor(consumer: Consumer, settings: PublisherSettings) {
    this.#consumer = consumer
    this.#settings = settings
  }

  /** Bytes that wait for credit. */
  get buffered(): number {
    return this.#sealedBytes + (this.#open ? this.#at - this.#openAt : 0)
  }

  /** See `Client.publish`. */
  publish(topic: string, data: unknown, options: PublishOptions | undefined): Promise<Receipt> {
    if (this.#closed) return Promise.reject(this.#closed)
    let receipt: Receipt
    try {
      receipt = this.#append(topic, data, options)
    } catch (error) {
      // Whoever does not await a publish is told by `refused` and by the status, not by the end of the process.
      return handled(Promise.reject(error))
    }
    return this.#blocked === undefined ? Promise.resolve(receipt) : this.#whenTaken(this.#blocked, receipt, options)
  }

  /** Seals the open batch and sends what credit allows. */
  send(): void {
    this.#seal()
    while (this.#sealed.length > 0 && this.#consumer.credit > 0) this.#post()
    if (this.#sealed.length > 0) this.#wait()
  }

  /** Resolves once everything published so far has left. */
  async sent(): Promise<void> {
    this.send()
    while (this.#blocked) await this.#blocked.promise
  }

  close(error: Error): void {
    if (this.#closed) return
    this.#closed = error
    this.#sealed.clear()
    this.#sealedBytes = 0
    this.#open = undefined
    if (this.#blocked) void handled(this.#blocked.promise)
    this.#blocked?.reject(error)
  }

  #append(topic: string, data: unknown, options: PublishOptions | undefined): Receipt {
    const isRaw = data instanceof Uint8Array
    const payload = isRaw ? data : encodeShared(data)
    const attributes = options === undefined ? undefined : encodeAttributes(options, isRaw ? payload : payload.slice())
    const body = attributes?.payload ?? payload
    const size = recordHeaderBytes + body.length + (attributes?.bytes ? 4 + attributes.bytes.length : 0)
    this.#judge(size)
    this.#reserve(topic, size)
    const seq = this.#producerSeq++
    this.#write(body, isRaw, attributes?.bytes)
    this.#count++
    if (!this.#scheduled) this.#schedule()
    return new Receipt(topic, options?.id, this.#settings.producerId, seq)
  }

  /** Throws MESSAGE_TOO_LARGE or BUFFER_FULL. */
  #judge(size: number): void {
    const { maxMessageBytes, maxBufferedBytes } = this.#settings
    // Room for the batch header and the longest names, so that a batch of one fits into a message of the socket layer.
    const limit = maxMessageBytes - 1024
    if (size > limit) {
      const details = { limit, actual: size }
      const what = `The message takes ${size} bytes; the limit is ${limit}.`
      throw socketError('MESSAGE_TOO_LARGE', what, { details })
    }
    if (this.#blocked && this.buffered > 0 && this.buffered + size > maxBufferedBytes) {
      this.refused++
      const details = { limit: maxBufferedBytes, actual: this.buffered + size }
      throw socketError('BUFFER_FULL', `${this.buffered} bytes wait for credit.`, { details })
    }
  }

  /** Makes room for a record, in the open batch if it may go there, else in a new one. */
  #reserve(topic: string, size: number): void {
    const open = this.#open
    if (open !== undefined && open.topic === topic) {
      const end = this.#at + size
      if (end - this.#openAt <= maxBatchBytes && end <= this.#slab.length) return
      this.#full()
    } else if (open !== undefined) {
      this.#seal()
    }
    const heading = this.#headings.get(topic) ?? this.#heading(topic)
    const needed = heading.bytes.length + size
    if (this.#slab.length - this.#at < needed) {
      this.#slab = allocate(Math.max(slabBytes, needed))
      this.#view = viewOf(this.#slab)
      this.#at = 0
    }
    this.#open = heading
    this.#openAt = this.#at
    this.#slab.set(heading.bytes, this.#at)
    this.#at += heading.bytes.length
  }

  /** The open batch has no more room: it goes at once, without waiting for the end of the turn. */
  #full(): void {
    this.#seal()
    if (this.#blocked === undefined) this.send()
  }

  #write(payload: Uint8Array, isRaw: boolean, attributes: Uint8Array | undefined): void {
    const slab = this.#slab
    let at = this.#at
    this.#view.setUint32(at, payload.length, true)
    slab[at + 4] = (isRaw ? RecordFlag.RAW : 0) | (attributes ? RecordFlag.ATTRIBUTES : 0)
    at += recordHeaderBytes
    if (attributes) {
      this.#view.setUint32(at, attributes.length, true)
      slab.set(attributes, at + 4)
      at += 4 + attributes.length
    }
    slab.set(payload, at)
    this.#at = at + payload.length
  }

  #heading(topic: string): Heading {
    const { producerId, sender } = this.#settings
    const names = [checkTopic(topic), producerId, sender].map((name) => encodeText(name)) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ]
    const [topicBytes, producerBytes, senderBytes] = names.map((name) => name.length) as [number, number, number]
    const bytes = new Uint8Array(batchHeaderBytes + topicBytes + producerBytes + senderBytes)
    bytes.set(names[0], batchHeaderBytes)
    bytes.set(names[1], batchHeaderBytes + topicBytes)
    bytes.set(names[2], batchHeaderBytes + topicBytes + producerBytes)
    const heading: Heading = { topic, bytes, topicBytes, producerBytes, senderBytes }
    if (this.#headings.size >= maxKnownTopics) this.#headings.clear()
    this.#headings.set(topic, heading)
    return heading
  }

  #seal(): void {
    const open = this.#open
    if (open === undefined) return
    writeBatchHeader(this.#slab, this.#openAt, open, this.#count, this.#producerSeq - this.#count)
    const batch = this.#slab.subarray(this.#openAt, this.#at)
    this.#open = undefined
    this.#count = 0
    this.#sealed.push(batch)
    this.#sealedBytes += batch.length
  }

  #post(): void {
    const batch = this.#sealed.shift() as Uint8Array
    this.#sealedBytes -= batch.length
    // What is lost with the link is lost: at most once.
    void handled(this.#consumer.post(batch))
  }

  #schedule(): void {
    this.#scheduled = true
    this.#settings.clock.turn(() => {
      this.#scheduled = false
      if (this.#blocked === undefined) this.send()
      else this.#seal()
    })
  }

  /** Waits for credit; meanwhile publishes wait too. */
  #wait(): void {
    if (this.#blocked) return
    const blocked = deferred<void>()
    this.#blocked = blocked
    void this.#consumer.ready().then(
      () => {
        if (this.#closed) return
        this.#blocked = undefined
        this.send()
        if (this.#blocked === undefined) blocked.resolve()
        else void (this.#blocked as Deferred<void>).promise.then(blocked.resolve, blocked.reject)
      },
      (error: Error) => this.close(error),
    )
  }

  #whenTaken(blocked: Deferred<void>, receipt: Receipt, options: PublishOptions | undefined): Promise<Receipt> {
    const { timeoutMs, signal } = options ?? {}
    const taken = blocked.promise.then(() => receipt)
    if (timeoutMs === undefined && signal === undefined) return handled(taken)
    return handled(bounded(taken, { timeoutMs, signal }, this.#settings.clock))
  }
}

/** The attributes' bytes, and the payload if encoding them has overwritten it. */
function encodeAttributes(
  options: PublishOptions,
  payload: Uint8Array,
): { readonly bytes: Uint8Array | undefined; readonly payload: Uint8Array } {
  const { id, headers, correlationId, replyTo } = options
  const given = Object.entries({ id, headers, correlationId, replyTo }).filter(([, value]) => value !== undefined)
  if (given.length === 0) return { bytes: undefined, payload }
  return { bytes: encodeValue(Object.fromEntries(given) as Attributes), payload }
}
