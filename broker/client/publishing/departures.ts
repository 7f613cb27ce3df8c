/**
 * Those who wait for parcels to leave.
 *
 * Floor 5. Parcels leave in the order of their numbers. All who wait for one share a promise.
 */
import { type Deferred, deferred, handled } from '#base/deferred'
import { Fifo } from '#base/fifo'

interface Waiting {
  readonly parcel: number
  readonly over: Deferred<void>
  /** How many wait. */
  count: number
}

export class Departures {
  /** Parcels that have left, or never will. */
  left = 0
  /** How many wait. */
  waiting = 0
  readonly #waiting = new Fifo<Waiting>()
  #latest: Waiting | undefined

  /** Resolves when that parcel has left; rejects with why it never will. Numbers that are asked for never fall. */
  whenLeft(parcel: number): Promise<void> {
    this.waiting++
    if (this.#latest?.parcel === parcel) {
      this.#latest.count++
      return this.#latest.over.promise
    }
    const waiting: Waiting = { parcel, over: deferred(), count: 1 }
    void handled(waiting.over.promise)
    this.#latest = waiting
    this.#waiting.push(waiting)
    return waiting.over.promise
  }

  /** The next parcel has left, or never will. */
  next(error?: Error): void {
    this.left++
    for (let first = this.#waiting.peek(); first && first.parcel < this.left; first = this.#waiting.peek()) {
      this.#waiting.shift()
      this.#settle(first, error)
    }
  }

  /** Nothing leaves any more. */
  fail(error: Error): void {
    for (const waiting of this.#waiting.clear()) this.#settle(waiting, error)
  }

  #settle({ over, count }: Waiting, error: Error | undefined): void {
    this.waiting -= count
    if (error) over.reject(error)
    else over.resolve()
  }
}
