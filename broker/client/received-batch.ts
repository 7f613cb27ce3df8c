/**
 * A received batch on its way through a subscription: messages are places in it.
 *
 * Floor 6. Nothing is decoded before it is touched.
 */
import { readU32, slice } from '#base/bytes'
import { type BatchHeader, nextRecord, RecordFlag, recordHeaderBytes } from '../shared/batch.ts'
import { decodeValue } from '../shared/codec.ts'
import { brokerError } from '../shared/errors.ts'
import { type Attributes, Message, type MessageSource } from './message.ts'

const noAttributes: Attributes = {}

/** What batches came in together: their credit goes back when the application is done with all of them. */
export interface ReceivedParcel {
  /** Batches that the application is not done with. */
  batches: number
  release(): void
  /** The bytes, moved out of the large buffer that they came in if they are little of it. */
  compact(): Uint8Array
}

/** A batch on its way through a subscription's queue, with a cursor. */
export class ReceivedBatch implements MessageSource {
  readonly header: BatchHeader
  readonly topic: string
  /** Whether others in this program may read the same bytes, so that whoever gets them gets a copy. */
  readonly isShared: boolean
  readonly #parcel: ReceivedParcel
  #index = 0
  #at: number
  #count: number
  #producerId: string | undefined
  #sender: string | undefined

  constructor(header: BatchHeader, topic: string, parcel: ReceivedParcel, isShared = false) {
    this.header = header
    this.topic = topic
    this.isShared = isShared
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

  /** It has to wait, and must not keep much more memory alive than it takes. */
  compact(): void {
    this.header.bytes = this.#parcel.compact()
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
