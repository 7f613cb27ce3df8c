/**
 * The frame: sixteen bytes of header at fixed places, then a payload. PROTOCOL.md has the clauses.
 *
 * Floor 0, pure. Numbers are little-endian. Byte shifts on a `Uint8Array` are used instead of a `DataView`, because
 * a header is read from buffers that come and go, and a view for each would cost more than the reading.
 *
 *   0  u32  payload length       8  u32  stream (or channel end)
 *   4  u8   kind                12  u32  id (a request's, or the number that the kind carries)
 *   5  u8   flags
 *   6  u16  zero
 */

import { writeU32 } from '#base/bytes'

export const headerBytes = 16

/** Largest payload of one frame; what is larger travels in fragments. At 1 GB/s one holds up others for 65 us. */
export const maxFrameBytes = 64 * 1024

/** What a frame of `length` payload bytes costs. The header counts, so that empty messages are bounded too. */
export function costOf(length: number): number {
  return length + headerBytes
}

/** What all frames of a message of `length` bytes cost. */
export function wholeCostOf(length: number): number {
  return length + headerBytes * Math.max(1, Math.ceil(length / maxFrameBytes))
}

/** What a frame is for. Kinds from 32 up belong to one stream and pass through the server unread. [SOCK 2.3] */
export const Kind = {
  HELLO: 1,
  WELCOME: 2,
  PING: 3,
  PONG: 4,
  BYE: 5,
  GOAWAY: 6,
  OPEN: 16,
  OPENED: 17,
  REFUSED: 18,
  SHUT: 19,
  ATTACH: 20,
  DATA: 32,
  BEGIN: 33,
  CREDIT: 34,
  CANCEL: 35,
  END: 36,
  RESET: 37,
} as const
export type Kind = (typeof Kind)[keyof typeof Kind]

/** The lowest kind that the server relays from one end of a stream to the other. */
export const firstStreamKind = Kind.DATA

/** From this kind on a stream ignores what it does not know; below it, it is reset. [SOCK 2.5] */
export const firstOptionalKind = 128

/** Flags of a DATA frame. [SOCK 5.1] */
export const Flag = {
  /** Another fragment of the same message follows. */
  MORE: 1,
  /** From Provider to Consumer: the answer to the request `id`. */
  REPLY: 2,
  /** The answer is a failure; the payload is an encoded error. */
  FAIL: 4,
  /** The sender has no credit left after this frame: a larger window would have let it go on. */
  STARVED: 8,
  /** The message begins with a header block; of a message in fragments the last one says so. */
  HEADER: 16,
} as const

export const knownFlags = Flag.MORE | Flag.REPLY | Flag.FAIL | Flag.STARVED | Flag.HEADER
const known = new Uint8Array(256)
for (const kind of Object.values(Kind)) known[kind] = 1

export function writeHeader(
  bytes: Uint8Array,
  at: number,
  kind: number,
  flags: number,
  stream: number,
  id: number,
  length: number,
): void {
  writeU32(bytes, at, length)
  bytes[at + 4] = kind
  bytes[at + 5] = flags
  bytes[at + 6] = 0
  bytes[at + 7] = 0
  writeU32(bytes, at + 8, stream)
  writeU32(bytes, at + 12, id)
}

/** Rewrites the stream number of the header at `at`, in place. */
export function rewriteStream(bytes: Uint8Array, at: number, stream: number): void {
  writeU32(bytes, at + 8, stream)
}

/**
 * Whether the header at `at` can be taken. Kinds and flags of streams are for the end of the stream to judge, so that a
 * server passes on what it has never heard of. [SOCK 2.5]
 */
export function isKnownHeader(bytes: Uint8Array, at: number): boolean {
  const kind = bytes[at + 4] as number
  if (bytes[at + 6] !== 0 || bytes[at + 7] !== 0) return false
  return kind >= firstStreamKind || (known[kind] === 1 && bytes[at + 5] === 0)
}
