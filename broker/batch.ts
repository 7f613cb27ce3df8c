/**
 * The record batch: the unit of framing, routing, storage and forwarding. PROTOCOL.md has the clauses. [BROKER 2]
 *
 * Floor 2, pure. A publisher fills it, the broker stamps four fields in place and passes the same bytes on, and a
 * subscriber walks it. Numbers are little-endian.
 *
 *   0  u8   1, the kind            16  u64  sequence of the first record   (stamped)
 *   1  u8   zero                   24  u64  position of the first record   (stamped)
 *   2  u16  bytes of topic         32  f64  time, ms since the epoch       (stamped)
 *   4  u16  bytes of producer id   40  u64  producer sequence of the first record
 *   6  u16  bytes of sender name   48  topic, producer id, sender name, then the records
 *   8  u32  number of records
 *  12  u32  epoch (stamped)
 *
 * A record: u32 payload length, u8 flags, with attributes a u32 length and their bytes, then the payload.
 */
import { decodeText } from '#socket'
import { brokerError } from './errors.ts'

export const batchHeaderBytes = 48
export const recordHeaderBytes = 5
export const batchKind = 1

export const RecordFlag = {
  /** Attributes (headers, id ...) lie before the payload, as a msgpack map. */
  ATTRIBUTES: 1,
  /** The payload is bytes as they were given; else it is msgpack. */
  RAW: 2,
} as const

/** A view for the eight-byte fields of `bytes`; one per batch, never per message. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Sequences, positions and producer sequences are safe integers, so 2^53 is enough of 2^64. */
export function readU64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 4_294_967_296 + view.getUint32(at, true)
}

export function writeU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true)
  view.setUint32(at + 4, Math.floor(value / 4_294_967_296), true)
}

/** What the broker writes into a batch, in place. */
export function stamp(view: DataView, epoch: number, seq: number, position: number, time: number): void {
  view.setUint32(12, epoch, true)
  writeU64(view, 16, seq)
  writeU64(view, 24, position)
  view.setFloat64(32, time, true)
}

/** Writes the fixed header of a batch whose records begin right after the three names. */
export function writeBatchHeader(
  bytes: Uint8Array,
  at: number,
  names: BatchNames,
  count: number,
  producerSeq: number,
): void {
  bytes.fill(0, at, at + batchHeaderBytes)
  bytes[at] = batchKind
  writeU16(bytes, at + 2, names.topicBytes)
  writeU16(bytes, at + 4, names.producerBytes)
  writeU16(bytes, at + 6, names.senderBytes)
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, batchHeaderBytes)
  view.setUint32(8, count, true)
  writeU64(view, 40, producerSeq)
}

function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
}

function readU16(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
}

/** Lengths of the three names that follow the header. */
export interface BatchNames {
  readonly topicBytes: number
  readonly producerBytes: number
  readonly senderBytes: number
}

/** The header of a batch, read and judged. */
export class BatchHeader {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly count: number
  readonly topicEnd: number
  readonly producerEnd: number
  /** Where the sender name ends and the records begin. */
  readonly recordsAt: number

  /** Throws INVALID_BATCH when the header contradicts itself. Records are not looked at. */
  constructor(bytes: Uint8Array) {
    if (bytes.length < batchHeaderBytes || bytes[0] !== batchKind || bytes[1] !== 0) {
      throw brokerError('INVALID_BATCH')
    }
    this.bytes = bytes
    this.view = viewOf(bytes)
    this.count = this.view.getUint32(8, true)
    this.topicEnd = batchHeaderBytes + readU16(bytes, 2)
    this.producerEnd = this.topicEnd + readU16(bytes, 4)
    this.recordsAt = this.producerEnd + readU16(bytes, 6)
    const room = bytes.length - this.recordsAt
    if (this.topicEnd === batchHeaderBytes || this.count === 0 || this.count * recordHeaderBytes > room) {
      throw brokerError('INVALID_BATCH', 'The lengths or the number of records of a batch do not fit its size.')
    }
  }

  get topic(): string {
    return decodeText(this.bytes, batchHeaderBytes, this.topicEnd)
  }

  get producerId(): string {
    return decodeText(this.bytes, this.topicEnd, this.producerEnd)
  }

  get sender(): string {
    return decodeText(this.bytes, this.producerEnd, this.recordsAt)
  }

  get epoch(): number {
    return this.view.getUint32(12, true)
  }

  get seq(): number {
    return readU64(this.view, 16)
  }

  get position(): number {
    return readU64(this.view, 24)
  }

  get time(): number {
    return this.view.getFloat64(32, true)
  }

  get producerSeq(): number {
    return readU64(this.view, 40)
  }
}

/** Where the record after the one at `at` begins. Throws INVALID_BATCH when that is beyond the end. */
export function nextRecord(view: DataView, at: number): number {
  const end = view.byteLength
  if (at + recordHeaderBytes > end) throw brokerError('INVALID_BATCH', 'A batch ends in the middle of a record.')
  let next = at + recordHeaderBytes + view.getUint32(at, true)
  if (view.getUint8(at + 4) & RecordFlag.ATTRIBUTES) {
    if (at + recordHeaderBytes + 4 > end) throw brokerError('INVALID_BATCH')
    next += 4 + view.getUint32(at + recordHeaderBytes, true)
  }
  if (next > end) throw brokerError('INVALID_BATCH', 'A record is longer than its batch.')
  return next
}

/** A copy of a batch without its first `skip` records. */
export function withoutFirst(bytes: Uint8Array, skip: number): Uint8Array {
  const header = new BatchHeader(bytes)
  let at = header.recordsAt
  for (let i = 0; i < skip; i++) at = nextRecord(header.view, at)
  const copy = new Uint8Array(header.recordsAt + bytes.length - at)
  copy.set(bytes.subarray(0, header.recordsAt))
  copy.set(bytes.subarray(at), header.recordsAt)
  const view = viewOf(copy)
  view.setUint32(8, header.count - skip, true)
  writeU64(view, 16, header.seq + skip)
  writeU64(view, 24, header.position + skip)
  writeU64(view, 40, header.producerSeq + skip)
  return copy
}
