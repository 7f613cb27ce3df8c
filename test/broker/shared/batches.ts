/** Record batches for tests, made from what is in them, and what is in a batch as plain values. */
import fc from 'fast-check'
import { encodeText } from '../../../base/bytes.ts'
import type { Attributes } from '../../../broker/client/message.ts'
import { BatchHeader, encodeHeading, nextRecord, RecordFlag, seal, stamp } from '../../../broker/shared/batch.ts'
import { encodeValue } from '../../../broker/shared/codec.ts'

export interface Entry {
  readonly value?: unknown
  readonly attributes?: Attributes | undefined
}

export interface BatchContent {
  readonly topic?: string
  readonly producerId?: string
  readonly sender?: string
  readonly producerSeq?: number
  readonly entries: readonly Entry[]
  /** What the broker stamps. */
  readonly epoch?: number
  readonly seq?: number
  readonly position?: number
  readonly time?: number
}

/** The bytes of a batch, stamped. */
export function batchOf(content: BatchContent): Uint8Array {
  const { topic = 't', producerId = 'p', sender = 's', producerSeq = 0, entries } = content
  const { epoch = 7, seq = 1, position = seq, time = 1_700_000_000_000 } = content
  const heading = encodeHeading(encodeText(topic), encodeText(producerId), encodeText(sender))
  const bytes = join([heading, ...entries.map(recordOf)])
  seal(bytes, 0, bytes.length, entries.length, producerSeq)
  stamp(bytes, 0, epoch, seq, position, time)
  return bytes
}

/** A batch of `count` numbers, from `seq` on, each of which says its own sequence. */
export function numbered(topic: string, seq: number, count: number, position = seq): Uint8Array {
  const entries = Array.from({ length: count }, (_, index) => ({ value: seq + index }))
  return batchOf({ topic, seq, position, entries })
}

/** A batch of which the record at `index` claims to be longer than the batch. */
export function lying(bytes: Uint8Array, index: number): Uint8Array {
  const header = new BatchHeader(bytes)
  let at = header.recordsAt
  for (let i = 0; i < index; i++) at = nextRecord(bytes, at, header.end)
  const copy = bytes.slice()
  copy.set([0xff, 0xff, 0xff, 0x7f], at)
  return copy
}

function recordOf({ value, attributes }: Entry): Uint8Array {
  const isRaw = value instanceof Uint8Array
  const payload = isRaw ? value : encodeValue(value)
  const extra = attributes ? encodeValue(attributes) : undefined
  const flags = (isRaw ? RecordFlag.RAW : 0) | (extra ? RecordFlag.ATTRIBUTES : 0)
  return join([u32(payload.length), new Uint8Array([flags]), ...(extra ? [u32(extra.length), extra] : []), payload])
}

export function join(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, true)
  return bytes
}

/** What JSON can carry, but for a key that msgpack's decoder refuses, and rightly. */
export const jsonValue = () => fc.jsonValue().filter((value) => !JSON.stringify(value).includes('__proto__'))
