/**
 * Waits for a promise no longer than asked for.
 *
 * Floor 1.
 */
import type { Clock } from './clock.ts'
import { socketError } from './errors.ts'

/** How long to wait. */
export interface Limits {
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Gives up with TIMEOUT or ABORTED unless `promise` has settled before. It does so within the event itself: whoever has
 * something to take back takes it back before anything else happens.
 */
export function limit(promise: Promise<unknown>, limits: Limits, clock: Clock, giveUp: (error: Error) => void): void {
  const { timeoutMs = Number.POSITIVE_INFINITY, signal } = limits
  if (timeoutMs === Number.POSITIVE_INFINITY && signal === undefined) return
  const onTime = (): void => {
    stop()
    giveUp(socketError('TIMEOUT', `It took longer than ${timeoutMs} ms.`))
  }
  const onAbort = (): void => {
    stop()
    giveUp(abortedBy(signal) as Error)
  }
  const cancel = timeoutMs === Number.POSITIVE_INFINITY ? undefined : clock.after(timeoutMs, onTime)
  const stop = (): void => {
    cancel?.()
    signal?.removeEventListener('abort', onAbort)
  }
  if (signal?.aborted) {
    onAbort()
    return
  }
  signal?.addEventListener('abort', onAbort, { once: true })
  promise.then(stop, stop)
}

/** ABORTED, if the signal is; with its reason. */
export function abortedBy(signal: AbortSignal | undefined): Error | undefined {
  return signal?.aborted ? socketError('ABORTED', undefined, { cause: signal.reason }) : undefined
}

/** Settles as `promise` does, or rejects with TIMEOUT or ABORTED before. What it waited for goes on. */
export function bounded<T>(promise: Promise<T>, limits: Limits, clock: Clock): Promise<T> {
  return new Promise((resolve, reject) => {
    promise.then(resolve, reject)
    limit(promise, limits, clock, reject)
  })
}
