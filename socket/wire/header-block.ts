/**
 * The header block that a message may begin with: what is told beside the payload.
 *
 * Floor 0, pure. A u16 with the length of the entries, then the entries: type u8, length u16, value. Types that are not
 * known here are skipped, so that later versions may add some. [SOCK 5.9]
 */
import { allocate } from '#base/allocate'
import { copy, decodeText, encodeText } from '#base/bytes'
import { socketError } from '#base/errors'
import { invalid } from '#base/verify'

/** The registry of types. [SOCK 5.10] */
export const HeaderType = {
  /** A JSON object of texts. */
  METADATA: 1,
  /** u32: milliseconds that are left. Skipped by this version. */
  DEADLINE: 2,
  /** Text, as the W3C's `traceparent`. Skipped by this version. */
  TRACE: 3,
} as const

export type Metadata = Readonly<Record<string, string>>

/** Of a message without any. One for all. */
export const noMetadata: Metadata = Object.freeze({})

const lengthBytes = 2
const entryBytes = 3
const maxMetadataBytes = 16 * 1024

export interface HeaderBlock {
  readonly metadata: Metadata
  /** Where the payload begins. */
  readonly end: number
}

/** The payload with a header block before it, in an array of its own. Throws INVALID_OPTION when it is too large. */
export function withMetadata(metadata: Metadata, payload: Uint8Array): Uint8Array {
  const value = encodeText(JSON.stringify(metadata))
  if (value.length > maxMetadataBytes) {
    throw invalid('Consumer', 'metadata', `at most ${maxMetadataBytes} bytes as JSON`, metadata)
  }
  const length = entryBytes + value.length
  const whole = allocate(lengthBytes + length + payload.length)
  writeU16(whole, 0, length)
  whole[lengthBytes] = HeaderType.METADATA
  writeU16(whole, lengthBytes + 1, value.length)
  whole.set(value, lengthBytes + entryBytes)
  copy(whole, lengthBytes + length, payload, 0, payload.length)
  return whole
}

/** Reads the block at `start`. Throws BAD_FRAME. */
export function readHeaderBlock(bytes: Uint8Array, start: number, end: number): HeaderBlock {
  if (end - start < lengthBytes) throw malformed()
  const stop = start + lengthBytes + readU16(bytes, start)
  if (stop > end) throw malformed()
  let metadata = noMetadata
  for (let at = start + lengthBytes; at < stop; ) {
    if (stop - at < entryBytes) throw malformed()
    const from = at + entryBytes
    const to = from + readU16(bytes, at + 1)
    if (to > stop) throw malformed()
    if (bytes[at] === HeaderType.METADATA) metadata = decodeMetadata(bytes, from, to)
    at = to
  }
  return { metadata, end: stop }
}

function decodeMetadata(bytes: Uint8Array, start: number, end: number): Metadata {
  let value: unknown
  try {
    value = JSON.parse(decodeText(bytes, start, end))
  } catch {
    throw malformed()
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed()
  if (!Object.values(value).every((each) => typeof each === 'string')) throw malformed()
  return Object.freeze(value as Record<string, string>)
}

function malformed(): Error {
  return socketError('BAD_FRAME', 'A message has a header block that cannot be read.')
}

function readU16(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
}

function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
}
