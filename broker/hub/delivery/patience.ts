/**
 * For how long one publisher may still be held up: a bucket of time.
 *
 * Floor 8, pure. It fills with the publisher's share of the time that passes, and empties while the publisher is really
 * held up: so much of its credit is held back that it may have none, and nothing has come from it since. Once it is empty the publisher is left
 * alone until it is full again. A share of 1 never empties.
 */

/** The most that it holds, in ms. */
const fullMs = 2_000
/** Who has less held back than that has credit left: half of the smallest window that a stream has. */
const leastHeldBytes = 32 * 1024

export class Patience {
  readonly share: number
  #left = fullMs
  #countedAt: number
  /** Held up since then, if nothing has come after it. */
  #since = 0
  #isSpent = false
  /** Bytes of publishes whose credit is held. */
  #held = 0

  constructor(share: number, now: number) {
    this.share = share
    this.#countedAt = now
  }

  /** For how many ms it has been held up at a stretch. */
  heldUpFor(now: number): number {
    return this.#held < leastHeldBytes ? 0 : Math.max(0, now - this.#since)
  }

  /** Whether it may be held up. */
  has(now: number): boolean {
    if (this.share >= 1) return true
    if (this.share <= 0) return false
    this.#count(now, 0)
    if (this.#isSpent && this.#left >= fullMs) this.#isSpent = false
    return !this.#isSpent
  }

  /** Something has come from the publisher: it was not held up until now. */
  arrived(now: number): void {
    this.#since = now
  }

  hold(bytes: number, now: number): void {
    this.count(now)
    this.#held += bytes
  }

  release(bytes: number, now: number): void {
    this.count(now)
    this.#held -= bytes
  }

  /** Counts the time that it has been held up so far. False once there is none left. */
  count(now: number): boolean {
    if (this.share >= 1) return true
    this.#count(now, this.heldUpFor(now))
    this.#since = now
    if (this.#left <= 0) this.#isSpent = true
    return !this.#isSpent
  }

  #count(now: number, heldUp: number): void {
    const passed = Math.max(0, now - this.#countedAt)
    this.#countedAt = now
    this.#left = Math.max(0, Math.min(fullMs, this.#left + passed * this.share) - heldUp)
  }
}
