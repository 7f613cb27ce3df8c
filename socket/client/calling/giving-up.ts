/**
 * What ends a call before it has begun: options that are wrong, and signals.
 *
 * Floor 3.
 */
import { socketError } from '#base/errors'
import { type Rules, verify } from '#base/verify'

/** Of a call without options. One for all: it needs no look. */
export const noOptions = Object.freeze({})

/** What `verify` would throw. */
export function wrongOption(where: string, options: object, rules: Rules): Error | undefined {
  if (options === noOptions) return undefined
  try {
    verify(where, options, rules)
    return undefined
  } catch (error) {
    return error as Error
  }
}

export function abortedBy(signal: AbortSignal | undefined): Error | undefined {
  return signal?.aborted ? socketError('ABORTED', undefined, { cause: signal.reason }) : undefined
}
