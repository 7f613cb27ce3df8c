/**
 * A message as the application sees it: a place in a received batch.
 *
 * Floor 5. Nothing is decoded before it is touched.
 */
import { readU32, slice } from '#base/bytes'
import { type BatchHeader, RecordFlag } from '../shared/batch.ts'
import { decodeValue } from '../shared/codec.ts'

export type Headers = Readonly<Record<string, string>>

/** What a publisher may attach to a message. Short names, for they travel with each. */
export interface Attributes {
  readonly id?: string
  readonly headers?: Headers
  readonly correlationId?: string
  readonly replyTo?: string
}

/** The batch that a message is a place in. */
export interface MessageSource {
  readonly header: BatchHeader
  readonly topic: string
  readonly producerId: string
  readonly sender: string
  /** Whether others in this program may read the same bytes. */
  readonly isShared: boolean
  attributes(at: number): Attributes
}

const noHeaders: Headers = Object.freeze({})

/**
 * A message. Payload and data are views of received bytes: copy what is kept for long. (Of a client in the broker's own
 * program they are copies, for there the bytes are shared.)
 */
export class Message<T = unknown> {
  readonly #batch: MessageSource
  readonly #index: number
  readonly #at: number
  readonly #end: number
  #attributes: Attributes | undefined
  #data: T | undefined
  #isDecoded = false

  /** @internal Made by a received batch. */
  constructor(batch: MessageSource, index: number, at: number, end: number) {
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

  /** Which life of its topic `seq` belongs to; another epoch means that it began again. 0 where nothing is counted. */
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
    const { isShared, header } = this.#batch
    const { bytes } = header
    const view = slice(bytes, this.#end - readU32(bytes, this.#at), this.#end)
    return isShared ? view.slice() : view
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

  /** So that `console.log(message)` shows what is in it, and why not where that cannot be decoded. */
  [Symbol.for('nodejs.util.inspect.custom')](): object {
    const { topic, seq, position, epoch, time, sender } = this
    try {
      return this.toJSON()
    } catch (error) {
      return { topic, seq, position, epoch, time, sender, error }
    }
  }

  get #attribute(): Attributes {
    this.#attributes ??= this.#batch.attributes(this.#at)
    return this.#attributes
  }
}
