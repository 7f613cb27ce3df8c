/**
 * The options of a call, and what ends it before it has begun: those that are wrong.
 *
 * Floor 3.
 */
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
