/**
 * Messages that a subscription did not get, and the notice that tells it so.
 *
 * Floor 4, pure. [BROKER 4.3]
 */
import { batchKind } from './batch.ts'
import { decodeValue, encodeValue } from './codec.ts'
import { brokerError } from './errors.ts'
import { isCount, listOf } from './fields.ts'

/** The first byte of what crosses a broker or subscription channel. */
export const WireKind = { BATCH: batchKind, REQUEST: 2, GAPS: 3 } as const

/** Messages `first` to `last` of a topic that a subscription did not get. */
export interface Gap {
  readonly topic: string
  readonly first: number
  readonly last: number
}

/** The same between client and broker. */
export interface TopicGap extends Gap {
  /** Which life of the topic the sequences belong to. */
  readonly epoch: number
}

export function encodeGaps(gaps: readonly TopicGap[]): Uint8Array {
  return tagged(WireKind.GAPS, gapsToWire(gaps))
}

/** Throws INVALID_REQUEST. */
export function decodeGaps(bytes: Uint8Array): TopicGap[] {
  return gapsOf(decodeValue(bytes.subarray(1)))
}

export function gapsToWire(gaps: readonly TopicGap[]): unknown[] {
  return gaps.map(({ topic, first, last, epoch }) => [topic, first, last, epoch])
}

/** Throws INVALID_REQUEST. */
export function gapsOf(value: unknown): TopicGap[] {
  return listOf(value, (gap) => {
    const [topic, first, last, epoch] = Array.isArray(gap) ? gap : []
    const isGap = typeof topic === 'string' && isCount(first) && isCount(last) && isCount(epoch) && first <= last
    if (!isGap) throw brokerError('INVALID_REQUEST', 'A notice names what is no gap.')
    return { topic, first, last, epoch }
  })
}

/** One byte of kind, then the value. */
export function tagged(kind: number, value: unknown): Uint8Array {
  const body = encodeValue(value)
  const bytes = new Uint8Array(1 + body.length)
  bytes[0] = kind
  bytes.set(body, 1)
  return bytes
}
