/**
 * A message as the application sees it, and the received batch that it is a view of.
 *
 * Floor 6. Nothing is decoded before it is touched: a message is a place in its batch.
 */
import { readU32, slice } from '#base/bytes'
import { type BatchHeader, nextRecord, RecordFlag, recordHeaderBytes } from '../shared/batch.ts'
import { decodeValue } from '../shared/codec.ts'
import { brokerError } from '../shared/errors.ts'

export type Headers = Readonly<Record<string, string>>

/** What a publisher may attach to a message. Short names, for they travel with each. */
export interface Attributes {
  readonly id?: string
  readonly headers?: Headers
  readonly correlationId?: string
  readonly replyTo?: string
}

const noAttributes: Attributes = {}
const noHeaders: Headers = Object.freeze({})

/** A message. Payload and data are views of received bytes: copy what is kept for long. */
export class Message<T = unknown> {
  readonly #batch: ReceivedBatch
  readonly #index: number
  readonly #at: number
  readonly #end: number
  #attributes: Attributes | undefined
  #data: T | undefined
  #isDecoded = false

  /** @internal Made by a received batch. */
  constructor(batch: ReceivedBatch, index: number, at: number, end: number) {
    this.#batch = batch
    this.#index = index
    this.#at = at
    this.#end = end
  }

  /** The topic it was published to. */
  get topic(): string {
    return this.#batch.topic
  }

  /** Its number in the topic, from 1, without gaps. */
  get seq(): number {
    return this.#batch.header.seq + this.#index
  }

  /** Its place in the order of all messages of the broker. */
  get position(): number {
    return this.#batch.header.position + this.#index
  }

  /** Which life of the broker `seq` and `position` belong to; another epoch means that they began again. */
  get epoch(): number {
    return this.#batch.header.epoch
  }

  /** When the broker took it, in ms since 1970. */
  get time(): number {
    return this.#batch.header.time
  }

  /** The id that the publisher gave, else the producer's id and its number there. */
  get id(): string {
    return this.#attribute.id ?? `${this.#batch.producerId}:${this.#batch.header.producerSeq + this.#index}`
  }

  /** The name of the client that published it. */
  get sender(): string {
    return this.#batch.sender
  }

  get headers(): Headers {
    return this.#attribute.headers ?? noHeaders
  }

  get correlationId(): string | undefined {
    return this.#attribute.correlationId
  }

  get replyTo(): string | undefined {
    return this.#attribute.replyTo
  }

  /** The bytes as they travelled: what was published if that was a `Uint8Array`, else msgpack. */
  get payload(): Uint8Array {
    const { bytes } = this.#batch.header
    return slice(bytes, this.#end - readU32(bytes, this.#at), this.#end)
  }

  /** The value that was published; bytes stay bytes. Throws INVALID_DATA when the payload cannot be decoded. */
  get data(): T {
    if (!this.#isDecoded) {
      const isRaw = (this.#batch.header.bytes[this.#at + 4] as number) & RecordFlag.RAW
      this.#data = (isRaw ? this.payload : decodeValue(this.payload)) as T
      this.#isDecoded = true
    }
    return this.#data as T
  }

  toJSON(): object {
    const { topic, seq, position, epoch, time, id, sender, headers, data } = this
    return { topic, seq, position, epoch, time, id, sender, headers, data }
  }

  /** So that `console.log(message)` shows what is in it. */
  [Symbol.for('nodejs.util.inspect.custom')](): object {
    return this.toJSON()
  }

  get #attribute(): Attributes {
    this.#attributes ??= this.#batch.attributes(this.#at)
    return this.#attributes
  }
}

/** What batches came in together: their credit goes back when the application is done with all of them. */
export interface ReceivedParcel {
  /** Batches that the application is not done with. */
  batches: number
  release(): void
}

/** A batch on its way through a subscription's queue, with a cursor. */
export class ReceivedBatch {
  readonly header: BatchHeader
  readonly topic: string
  readonly #parcel: ReceivedParcel
  #index = 0
  #at: number
  #count: number
  #producerId: string | undefined
  #sender: string | undefined

  constructor(header: BatchHeader, topic: string, parcel: ReceivedParcel) {
    this.header = header
    this.topic = topic
    this.#parcel = parcel
    parcel.batches++
    this.#at = header.recordsAt
    this.#count = header.count
  }

  /** The application is done with it. */
  release(): void {
    this.#parcel.batches--
    if (this.#parcel.batches === 0) this.#parcel.release()
  }

  /** Messages not yet taken. */
  get left(): number {
    return this.#count - this.#index
  }

  /** The sequence of the next message. */
  get nextSeq(): number {
    return this.header.seq + this.#index
  }

  get producerId(): string {
    this.#producerId ??= this.header.producerId
    return this.#producerId
  }

  get sender(): string {
    this.#sender ??= this.header.sender
    return this.#sender
  }

  /** The next message; `left` says that there is one. Throws INVALID_BATCH, and the rest of the batch is lost. */
  next(): Message {
    const at = this.#at
    this.#at = nextRecord(this.header.bytes, at, this.header.end)
    return new Message(this, this.#index++, at, this.#at)
  }

  /** Drops the next `count` messages. */
  skip(count: number): void {
    for (let i = 0; i < count; i++) this.#at = nextRecord(this.header.bytes, this.#at, this.header.end)
    this.#index += count
  }

  /** Drops the last `count` messages. */
  cut(count: number): void {
    this.#count -= count
  }

  attributes(at: number): Attributes {
    const { bytes } = this.header
    if (((bytes[at + 4] as number) & RecordFlag.ATTRIBUTES) === 0) return noAttributes
    const start = at + recordHeaderBytes + 4
    const value = decodeValue(slice(bytes, start, start + readU32(bytes, at + recordHeaderBytes)))
    if (!isAttributes(value)) throw brokerError('INVALID_DATA', 'The attributes of a message are none.')
    return value
  }
}

function isAttributes(value: unknown): value is Attributes {
  if (typeof value !== 'object' || value === null) return false
  const { id, headers = {}, correlationId, replyTo } = value as Record<string, unknown>
  if (typeof headers !== 'object' || headers === null) return false
  return [id, correlationId, replyTo, ...Object.values(headers)].every(isTextIfAny)
}

function isTextIfAny(value: unknown): boolean {
  return value === undefined || typeof value === 'string'
}
