/**
 * Errors on the wire: what crosses is a number, a code and a message, never a stack.
 *
 * Floor 0, pure. [SOCK 8]
 */
import { decodeText, encodeText } from '#base/bytes'
import { SignalboxError, socketErrors } from '#base/errors'

const maxMessageChars = 2_000

/** A failure that a handler in another program threw. `code` is the one it gave its error, else `REMOTE`. */
export class RemoteError extends SignalboxError {
  override readonly name = 'RemoteError'
}

interface WireFailure {
  n: number
  code: string
  message: string
  retryable: boolean
}

/** Encodes anything that was thrown. Only `code`, `message` and `retryable` cross. */
export function encodeFailure(error: unknown): Uint8Array {
  return encodeText(JSON.stringify(describe(error)))
}

function describe(error: unknown): WireFailure {
  try {
    const given = (typeof error === 'object' && error !== null ? error : {}) as Partial<SignalboxError>
    const code = typeof given.code === 'string' ? given.code.slice(0, 100) : 'REMOTE'
    const message = (typeof given.message === 'string' ? given.message : String(error)).slice(0, maxMessageChars)
    const n = given instanceof SignalboxError ? given.number : socketErrors.REMOTE.number
    return { n, code, message, retryable: given.retryable === true }
  } catch {
    // An object without a prototype has no text, and a getter may throw.
    return { n: socketErrors.REMOTE.number, code: 'REMOTE', message: 'What was thrown has no text.', retryable: false }
  }
}

/** Decodes a failure; bytes that are none become a REMOTE error that says so. */
export function decodeFailure(bytes: Uint8Array, start: number, end: number, handler: boolean): SignalboxError {
  let given: Partial<WireFailure> = {}
  try {
    const parsed: unknown = JSON.parse(decodeText(bytes, start, end))
    if (typeof parsed === 'object' && parsed !== null) given = parsed
  } catch {
    // Told below: the peer failed, and did not manage to say how.
  }
  const code = typeof given.code === 'string' ? given.code : 'REMOTE'
  const message = typeof given.message === 'string' ? given.message : 'The peer failed without a readable reason.'
  const number = Number.isSafeInteger(given.n) ? (given.n as number) : socketErrors.REMOTE.number
  const extras = { number, retryable: given.retryable === true }
  return handler ? new RemoteError(code, message, extras) : new SignalboxError(code, message, extras)
}
