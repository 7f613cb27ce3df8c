/**
 * Values to bytes and back: msgpack.
 *
 * Floor 1, pure. A `Uint8Array` is never encoded, it travels as it is (see batch.ts).
 */
import { Decoder, Encoder } from '@msgpack/msgpack'
import { brokerError } from './errors.ts'
import { isWhole } from './msgpack-shape.ts'

const encoder = new Encoder()
const decoder = new Decoder()

/** Encodes a value. The result is valid until the next call. Throws INVALID_DATA for what msgpack cannot carry. */
export function encodeShared(value: unknown): Uint8Array {
  try {
    return encoder.encodeSharedRef(value)
  } catch (cause) {
    throw brokerError('INVALID_DATA', `The value cannot be encoded: ${(cause as Error).message}.`, { cause })
  }
}

/** Encodes a value into bytes of its own. */
export function encodeValue(value: unknown): Uint8Array {
  return encodeShared(value).slice()
}

/** Throws INVALID_DATA for bytes that are no msgpack. */
export function decodeValue(bytes: Uint8Array): unknown {
  if (!isWhole(bytes)) throw brokerError('INVALID_DATA', 'The bytes cannot be decoded: they are no msgpack.')
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    throw brokerError('INVALID_DATA', `The bytes cannot be decoded: ${(cause as Error).message}.`, { cause })
  }
}
