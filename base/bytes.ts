/**
 * The few things done with bytes that Node's Buffer does faster than the platform's own classes.
 *
 * Floor 1. Everything else speaks `Uint8Array`; where there is no Buffer (a browser) the slower way is taken.
 */
import { allocate } from './allocate.ts'

const NodeBuffer: typeof Buffer | undefined = globalThis.Buffer
const encoder = new TextEncoder()
// It would swallow a leading U+FEFF, which a Buffer keeps.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

export const encodeText: (text: string) => Uint8Array = NodeBuffer
  ? (text) => NodeBuffer.from(text, 'utf8')
  : (text) => encoder.encode(text)

/** Decodes UTF-8 between two offsets; malformed bytes become U+FFFD. */
export const decodeText: (bytes: Uint8Array, start: number, end: number) => string = NodeBuffer
  ? (bytes, start, end) => (NodeBuffer.prototype.utf8Slice ?? utf8Slice).call(bytes, start, end)
  : (bytes, start, end) => decoder.decode(bytes.subarray(start, end))

function utf8Slice(this: Uint8Array, start: number, end: number): string {
  return decoder.decode(this.subarray(start, end))
}

/** Whether `bytes[start, end)` are that text, and all of it is ASCII. */
export function isAscii(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  // A text with other characters has fewer of them than bytes, or stands for what is no UTF-8 with one that is no byte.
  if (text.length !== end - start) return false
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false
  return true
}

/** A hash of `bytes[start, end)`: FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
export function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193)
  return hash
}

/** Joins parts into one array of `size` bytes, with memory of its own. */
export function join(parts: readonly Uint8Array[], size: number): Uint8Array {
  const whole = allocate(size)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** A view of `bytes[start, end)`. (A Buffer's own `subarray` makes another Buffer, which takes twice as long.) */
export function slice(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start)
}

/** Copies `source[start, end)` to `target` at `at`. Short ones byte by byte: a call into the engine costs more. */
export function copy(target: Uint8Array, at: number, source: Uint8Array, start: number, end: number): void {
  const length = end - start
  if (length > shortBytes) {
    target.set(length === source.length ? source : slice(source, start, end), at)
    return
  }
  for (let i = 0; i < length; i++) target[at + i] = source[start + i] as number
}

const shortBytes = 32

/** `bytes[start, end)` once more, with memory of its own. (A Buffer's own `slice` is a view.) */
export function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const own = allocate(end - start)
  copy(own, 0, bytes, start, end)
  return own
}

export function readU32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  )
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}

export const none: Uint8Array = new Uint8Array(0)
