/**
 * Those who wait until a Consumer has credit.
 *
 * Floor 3. Each has a promise of its own, and is forgotten when it gives up: whoever asks again and again while there is
 * nobody to send to leaves nothing behind.
 */
import { type Limits, limit } from '#base/bounded'
import type { Clock } from '#base/clock'
import { type Deferred, deferred, handled } from '#base/deferred'

export class CreditWaiters {
  readonly #waiting = new Set<Deferred<void>>()

  get size(): number {
    return this.#waiting.size
  }

  /** Resolves with the next `resolve`. Rejects with TIMEOUT or ABORTED before, or as `reject` is told. */
  wait(limits: Limits, clock: Clock): Promise<void> {
    const waiter = deferred<void>()
    this.#waiting.add(waiter)
    limit(waiter.promise, limits, clock, (error) => {
      this.#waiting.delete(waiter)
      waiter.reject(error)
    })
    return waiter.promise
  }

  resolve(): void {
    // Every frame of credit comes here, mostly for nobody, and a Set makes itself anew when it is cleared.
    if (this.#waiting.size === 0) return
    for (const waiter of this.#waiting) waiter.resolve()
    this.#waiting.clear()
  }

  /** Nobody needs to look at it: whoever waits for credit finds out when sending. */
  reject(error: Error): void {
    for (const waiter of this.#waiting) {
      void handled(waiter.promise)
      waiter.reject(error)
    }
    this.#waiting.clear()
  }
}
