/**
 * Whether there is room for one more message that has to wait.
 *
 * Floor 5. A loop that does not await may come here a million times: all that finds no room, until those who wait for
 * promises go on, gets one and the same error and promise.
 */
import { handled } from '#base/deferred'
import { socketError } from '#base/errors'

/** What a publish that waits counts for at least: whoever waits for a small message takes more memory than the message. */
const minWaitingBytes = 64

export class Room {
  readonly #limit: number
  #full: { readonly error: Error; readonly promise: Promise<never> } | undefined

  constructor(maxBufferedBytes: number) {
    this.#limit = maxBufferedBytes
  }

  /** Room for `size` bytes beside those that are `buffered`, in so many messages that are `waiting`. Throws BUFFER_FULL. */
  take(size: number, buffered: number, waiting: number): void {
    const limit = this.#limit
    const actual = Math.max(buffered + size, waiting * minWaitingBytes)
    if (actual <= limit) return
    if (this.#full) throw this.#full.error
    const what = `${buffered} bytes in ${waiting} messages wait for credit.`
    const error = socketError('BUFFER_FULL', what, { details: { limit, actual } })
    const promise = handled(Promise.reject(error))
    this.#full = { error, promise }
    void promise.catch(() => {
      this.#full = undefined
    })
    throw error
  }

  /** The promise that is rejected with that error, if it was thrown here. */
  refusalWith(error: Error): Promise<never> | undefined {
    return this.#full?.error === error ? this.#full.promise : undefined
  }
}
