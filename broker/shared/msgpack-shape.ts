/**
 * Judges the structure of msgpack before it is decoded.
 *
 * Floor 0, pure. A decoder reserves room for as many elements as an array claims to have, and for every level that
 * arrays and maps are nested: of a hundred bytes that lie, a process dies. Here nothing is reserved.
 */

/** As deep as the encoder goes. */
const maxDepth = 100

/** Whether the bytes are one value that is complete, and not nested too deep. Says nothing about what is in it. */
export function isWhole(bytes: Uint8Array): boolean {
  return afterValue(bytes, 0, 0) === bytes.length
}

/** Where the value at `at` ends; beyond the end of the bytes, or NaN, when it is not whole. */
function afterValue(bytes: Uint8Array, at: number, depth: number): number {
  const type = bytes[at] as number
  if (type < 0x80 || type >= 0xe0) return at + 1
  if (type < 0x90) return afterMany(bytes, at + 1, 2 * (type & 0x0f), depth)
  if (type < 0xa0) return afterMany(bytes, at + 1, type & 0x0f, depth)
  if (type < 0xc0) return at + 1 + (type & 0x1f)
  const size = sizes[type - 0xc0] as number
  if (size >= 0) return at + 1 + size
  const width = -size
  const count = readNumber(bytes, at + 1, width)
  const start = at + 1 + width
  if (type >= 0xde) return afterMany(bytes, start, 2 * count, depth)
  if (type >= 0xdc) return afterMany(bytes, start, count, depth)
  const isExtension = type >= 0xc7 && type <= 0xc9
  return start + count + (isExtension ? 1 : 0)
}

/** Where `count` values end. */
function afterMany(bytes: Uint8Array, start: number, count: number, depth: number): number {
  // Each takes a byte at least.
  if (depth === maxDepth || count > bytes.length - start) return Number.NaN
  let at = start
  for (let i = 0; i < count; i++) {
    if (!(at < bytes.length)) return Number.NaN
    at = afterValue(bytes, at, depth + 1)
  }
  return at
}

function readNumber(bytes: Uint8Array, at: number, width: number): number {
  let number = 0
  for (let i = 0; i < width; i++) number = number * 256 + (bytes[at + i] as number)
  return number
}

/** From 0xc0 on: bytes that follow, or minus the bytes of the length that follows. 0xc1 is no value. */
const sizes = [
  ...[0, Number.NaN, 0, 0, -1, -2, -4, -1, -2, -4, 4, 8, 1, 2, 4, 8],
  ...[1, 2, 4, 8, 2, 3, 5, 9, 17, -1, -2, -4, -2, -4, -2, -4],
]
