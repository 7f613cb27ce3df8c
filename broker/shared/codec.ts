/**
 * Values to bytes and back: msgpack.
 *
 * Floor 2, pure. A `Uint8Array` is never encoded, it travels as it is (see batch.ts).
 */
import { Decoder, Encoder, EXT_TIMESTAMP, ExtData, ExtensionCodec, encodeTimestampExtension } from '@msgpack/msgpack'
import { brokerError } from './errors.ts'
import { isWhole } from './msgpack-shape.ts'
import { isPlain, plainOf, reasonOf } from './plain-value.ts'

/** Thrown out of the encoder at the first thing that it would carry as something else. One for all; nobody sees it. */
const notPlain = new Error('not plain')

/** The encoder asks about everything that is no text, number or boolean: here it is judged, at the cost of a look. */
const judge = {
  tryToEncode(value: unknown): ExtData | null {
    if (isPlain(value) || value instanceof Uint8Array) return null
    const time = value instanceof Date && !Number.isNaN(value.getTime()) ? encodeTimestampExtension(value) : null
    if (time === null) throw notPlain
    return new ExtData(EXT_TIMESTAMP, time)
  },
  decode: (data: Uint8Array, type: number, context: undefined): unknown =>
    ExtensionCodec.defaultCodec.decode(data, type, context),
}

/** An encoder keeps the memory of the largest value that it has encoded; one that has more than that is replaced. */
const largeBytes = 1024 * 1024
const newEncoder = () => new Encoder({ ignoreUndefined: true, extensionCodec: judge })
let encoder = newEncoder()
const decoder = new Decoder()

/**
 * Encodes a value. The result is valid until the next call. Throws INVALID_DATA, with the path of what msgpack cannot
 * carry.
 */
export function encodeShared(value: unknown): Uint8Array {
  try {
    return encoded(value)
  } catch (cause) {
    // What does not fit into memory once does not a second time.
    if (cause instanceof RangeError) throw unfit(cause)
  }
  const plain = plainOf(value)
  try {
    return encoded(plain)
  } catch (cause) {
    throw unfit(cause)
  }
}

function encoded(value: unknown): Uint8Array {
  const bytes = encoder.encodeSharedRef(value)
  if (bytes.length > largeBytes) encoder = newEncoder()
  return bytes
}

function unfit(cause: unknown): Error {
  return brokerError('INVALID_DATA', `The value cannot be encoded: ${reasonOf(cause)}.`, { cause })
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
