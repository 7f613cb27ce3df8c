/**
 * The record batch: the unit of framing, routing, storage and forwarding. PROTOCOL.md has the clauses. [BROKER 2]
 *
 * Floor 1, pure. A publisher fills it, the broker stamps four fields in place and passes the same bytes on, and a
 * subscriber walks it. Batches that lie one after the other travel together in one message of the socket layer, a
 * parcel. Numbers are little-endian.
 *
 *   0  u8   1, the kind            20  u32  bytes of options
 *   1  u8   flags                  24  u64  sequence of the first record   (stamped)
 *   2  u16  bytes of topic         32  u64  position of the first record   (stamped)
 *   4  u16  bytes of producer id   40  u64  time, ms since 1970            (stamped)
 *   6  u16  bytes of sender name   48  u64  producer sequence of the first record
 *   8  u32  bytes of the batch     56  topic, producer id, sender name, options, then the records
 *  12  u32  number of records
 *  16  u32  epoch (stamped)
 *
 * A record: u32 payload length, u8 flags, with attributes a u32 length and their bytes, then the payload.
 */
import { decodeText, readU32, slice, writeU32 } from '#base/bytes'
import { brokerError } from './errors.ts'

export const batchHeaderBytes = 56
export const recordHeaderBytes = 5
export const batchKind = 1
/** An option: type (u8), length (u16), then its value. */
const optionHeaderBytes = 3

/** Flags of a batch, in byte 1. [BROKER 2.10] */
export const BatchFlag = {
  /** Bits 0 and 1: the class. 0 is at most once; the others are acknowledged. */
  CLASS: 0b11,
  /** Bits 2 and 3: the lane. 0 is medium. */
  LANE: 0b1100,
  /** Records carry their offset from the base. */
  SPARSE: 1 << 4,
  COMPRESSED: 1 << 5,
  /** Part of a transaction. */
  TRANSACTION: 1 << 6,
  /** There are options that must be understood: who does not know one of them refuses the batch. */
  CRITICAL: 1 << 7,
} as const

/** Types of options that this version understands: none yet. */
const knownOptions: ReadonlySet<number> = new Set()

export const RecordFlag = {
  /** Attributes (headers, id ...) lie before the payload, as a msgpack map. */
  ATTRIBUTES: 1,
  /** The payload is bytes as they were given; else it is msgpack. */
  RAW: 2,
} as const

/** Sequences, positions and times are safe integers, so 2^53 is enough of 2^64. */
export function readU64(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + 4) * 4_294_967_296 + readU32(bytes, at)
}

export function writeU64(bytes: Uint8Array, at: number, value: number): void {
  writeU32(bytes, at, value >>> 0)
  writeU32(bytes, at + 4, Math.floor(value / 4_294_967_296))
}

/** What the broker writes into the batch at `at`, in place. */
export function stamp(bytes: Uint8Array, at: number, epoch: number, seq: number, position: number, time: number): void {
  writeU32(bytes, at + 16, epoch)
  writeU64(bytes, at + 24, seq)
  writeU64(bytes, at + 32, position)
  writeU64(bytes, at + 40, time)
}

/** A batch's header with its three names, without what is only known when it is sealed. */
export function encodeHeading(topic: Uint8Array, producerId: Uint8Array, sender: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(batchHeaderBytes + topic.length + producerId.length + sender.length)
  bytes[0] = batchKind
  writeU16(bytes, 2, topic.length)
  writeU16(bytes, 4, producerId.length)
  writeU16(bytes, 6, sender.length)
  bytes.set(topic, batchHeaderBytes)
  bytes.set(producerId, batchHeaderBytes + topic.length)
  bytes.set(sender, batchHeaderBytes + topic.length + producerId.length)
  return bytes
}

/** Writes what is known when the batch in `bytes[at, end)` is sealed. */
export function seal(bytes: Uint8Array, at: number, end: number, count: number, producerSeq: number): void {
  writeU32(bytes, at + 8, end - at)
  writeU32(bytes, at + 12, count)
  writeU64(bytes, at + 48, producerSeq)
}

function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
}

function readU16(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
}

/** The header of a batch, read and judged. */
export class BatchHeader {
  /** What the batch lies in, from `at` to `end`. Whoever keeps it may put a copy in its place. */
  bytes: Uint8Array
  readonly at: number
  readonly end: number
  readonly count: number
  readonly topicAt: number
  readonly topicEnd: number
  readonly producerEnd: number
  /** Where the sender name ends and the options begin. */
  readonly optionsAt: number
  readonly recordsAt: number

  /** Throws INVALID_BATCH when the header contradicts itself or its surroundings. Records are not looked at. */
  constructor(bytes: Uint8Array, at = 0) {
    if (bytes.length - at < batchHeaderBytes || bytes[at] !== batchKind) {
      throw brokerError('INVALID_BATCH')
    }
    this.bytes = bytes
    this.at = at
    this.end = at + readU32(bytes, at + 8)
    this.count = readU32(bytes, at + 12)
    this.topicAt = at + batchHeaderBytes
    this.topicEnd = this.topicAt + readU16(bytes, at + 2)
    this.producerEnd = this.topicEnd + readU16(bytes, at + 4)
    this.optionsAt = this.producerEnd + readU16(bytes, at + 6)
    this.recordsAt = this.optionsAt + readU32(bytes, at + 20)
    const room = this.end - this.recordsAt
    const isEmpty = this.topicEnd === this.topicAt || this.count === 0
    if (isEmpty || this.end > bytes.length || this.count * recordHeaderBytes > room) {
      throw brokerError('INVALID_BATCH', 'The lengths or the number of records of a batch do not fit its size.')
    }
    if ((this.flags & BatchFlag.CRITICAL) !== 0) this.#mustKnowOptions()
  }

  /** See `BatchFlag`. */
  get flags(): number {
    return this.bytes[this.at + 1] as number
  }

  get topic(): string {
    return decodeText(this.bytes, this.topicAt, this.topicEnd)
  }

  get producerId(): string {
    return decodeText(this.bytes, this.topicEnd, this.producerEnd)
  }

  get sender(): string {
    return decodeText(this.bytes, this.producerEnd, this.optionsAt)
  }

  get epoch(): number {
    return readU32(this.bytes, this.at + 16)
  }

  get seq(): number {
    return readU64(this.bytes, this.at + 24)
  }

  get position(): number {
    return readU64(this.bytes, this.at + 32)
  }

  get time(): number {
    return readU64(this.bytes, this.at + 40)
  }

  get producerSeq(): number {
    return readU64(this.bytes, this.at + 48)
  }

  /** Throws INVALID_BATCH when an option is one that this version does not know, or is cut off. */
  #mustKnowOptions(): void {
    for (let at = this.optionsAt; at < this.recordsAt; ) {
      const type = this.bytes[at] as number
      if (at + optionHeaderBytes > this.recordsAt || !knownOptions.has(type)) {
        throw brokerError('INVALID_BATCH', `A batch needs option ${type}, which this version does not know.`)
      }
      at += optionHeaderBytes + readU16(this.bytes, at + 1)
    }
  }
}

/** Where the record after the one at `at` begins. Throws INVALID_BATCH when that is beyond `end`. */
export function nextRecord(bytes: Uint8Array, at: number, end: number): number {
  if (at + recordHeaderBytes > end) throw brokerError('INVALID_BATCH', 'A batch ends in the middle of a record.')
  let next = at + recordHeaderBytes + readU32(bytes, at)
  if ((bytes[at + 4] as number) & RecordFlag.ATTRIBUTES) {
    if (at + recordHeaderBytes + 4 > end) throw brokerError('INVALID_BATCH', 'A batch ends in the middle of a record.')
    next += 4 + readU32(bytes, at + recordHeaderBytes)
  }
  if (next > end) throw brokerError('INVALID_BATCH', 'A record is longer than its batch.')
  return next
}

function recordAfter({ bytes, end, recordsAt }: BatchHeader, count: number): number | undefined {
  let at = recordsAt
  try {
    for (let i = 0; i < count; i++) at = nextRecord(bytes, at, end)
    return at
  } catch {
    return undefined
  }
}

/** A copy of a batch without its first `skip` records; nothing when its records are not what its header says. */
export function withoutFirst(header: BatchHeader, skip: number): Uint8Array | undefined {
  const { bytes, at, end, recordsAt } = header
  const from = recordAfter(header, skip)
  if (from === undefined || end - from < (header.count - skip) * recordHeaderBytes) return undefined
  const rest = new Uint8Array(recordsAt - at + end - from)
  rest.set(slice(bytes, at, recordsAt))
  rest.set(slice(bytes, from, end), recordsAt - at)
  seal(rest, 0, rest.length, header.count - skip, header.producerSeq + skip)
  stamp(rest, 0, header.epoch, header.seq + skip, header.position + skip, header.time)
  return rest
}
