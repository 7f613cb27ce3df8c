/**
 * Waits for a promise no longer than asked for.
 *
 * Floor 1.
 */
import type { Clock } from './clock.ts'
import { deferred } from './deferred.ts'
import { socketError } from './errors.ts'

/** Settles as `promise` does, or rejects with TIMEOUT or ABORTED before. What it waited for goes on. */
export async function bounded<T>(
  promise: Promise<T>,
  limits: { readonly timeoutMs?: number | undefined; readonly signal?: AbortSignal | undefined },
  clock: Clock,
): Promise<T> {
  const { timeoutMs = Number.POSITIVE_INFINITY, signal } = limits
  const given = deferred<never>()
  const onAbort = (): void => given.reject(socketError('ABORTED', undefined, { cause: signal?.reason }))
  const onTime = (): void => given.reject(socketError('TIMEOUT', `It took longer than ${timeoutMs} ms.`))
  const stop = timeoutMs === Number.POSITIVE_INFINITY ? undefined : clock.after(timeoutMs, onTime)
  if (signal?.aborted) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, given.promise])
  } finally {
    stop?.()
    signal?.removeEventListener('abort', onAbort)
  }
}
