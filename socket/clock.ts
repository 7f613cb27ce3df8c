/**
 * Time, turns and randomness: the only place they come from.
 *
 * Floor 0. Everything else takes a `Clock`, so that a test can run the whole system on a seeded one.
 * `Date.now`, `setTimeout`, `setImmediate` and `Math.random` appear in this file alone (kept by test/tidy.test.ts).
 */

/** Ends a timer; harmless when it has fired or been ended before. */
export type Cancel = () => void

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Calls once, after `ms`. The timer keeps the process alive only when `hold` is true. */
  after(ms: number, call: () => void, hold?: boolean): Cancel
  /** Calls every `ms`. Never keeps the process alive. */
  every(ms: number, call: () => void): Cancel
  /** Calls once, when the present turn of the event loop has handled the input that was ready. */
  turn(call: () => void): void
  /** At least 0, below 1. */
  random(): number
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, call, hold = false) {
    const timer = setTimeout(call, ms)
    if (!hold) timer.unref()
    return () => clearTimeout(timer)
  },
  every(ms, call) {
    const timer = setInterval(call, ms)
    timer.unref()
    return () => clearInterval(timer)
  },
  turn(call) {
    setImmediate(call)
  },
  random: () => Math.random(),
}
