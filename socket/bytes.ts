/**
 * The few things done with bytes that Node's Buffer does faster than the platform's own classes.
 *
 * Floor 0. Everything else speaks `Uint8Array`; where there is no Buffer (a browser) the slower way is taken.
 */

const NodeBuffer: typeof Buffer | undefined = globalThis.Buffer
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** A new array whose content is not cleared, with memory of its own (never a slice of a shared pool). */
export const allocate: (size: number) => Uint8Array = NodeBuffer
  ? (size) => NodeBuffer.allocUnsafeSlow(size)
  : (size) => new Uint8Array(size)

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

export const none: Uint8Array = new Uint8Array(0)
