/**
 * What ends a call before it is done, from outside: options that are wrong, signals, and time.
 *
 * Floor 3.
 */
import type { Clock } from '#base/clock'
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

/** What may end something early. */
interface Limits {
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** Gives up what `promise` tells the end of, when the signal is aborted or the time has come. */
export function limit(promise: Promise<unknown>, limits: Limits, clock: Clock, giveUp: (error: Error) => void): void {
  const { timeoutMs = Number.POSITIVE_INFINITY, signal } = limits
  if (timeoutMs === Number.POSITIVE_INFINITY && signal === undefined) return
  const onTime = (): void => giveUp(socketError('TIMEOUT', `It has not left within ${timeoutMs} ms.`))
  const onAbort = (): void => giveUp(socketError('ABORTED', undefined, { cause: signal?.reason }))
  const cancel = timeoutMs === Number.POSITIVE_INFINITY ? undefined : clock.after(timeoutMs, onTime)
  signal?.addEventListener('abort', onAbort, { once: true })
  const stop = (): void => {
    cancel?.()
    signal?.removeEventListener('abort', onAbort)
  }
  promise.then(stop, stop)
}
