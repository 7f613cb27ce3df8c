/**
 * Time, turns and randomness: the only place they come from.
 *
 * Floor 0. Everything else takes a `Clock`, so that a test can run the whole system on a seeded one.
 * `Date.now`, `setTimeout`, `setImmediate` and `Math.random` appear in this file alone (kept by test/tidy.test.ts).
 *
 * Timers and turns are the platform's as they were when this file was loaded. A test runner that puts fake ones in their
 * place later, and lets them stand still, would otherwise stop every link of the program, also those of other tests.
 * `Date.now` is looked up each time: whoever sets the date finds it in the messages.
 */

/** Ends a timer; harmless when it has fired or been ended before. */
export type Cancel = () => void

export interface Clock {
  /** Milliseconds since the epoch, for people and messages. Whoever sets the clock makes it jump: measure nothing by it. */
  now(): number
  /** Milliseconds that only ever rise, counted from any beginning. Every wait and every timeout is measured by it. */
  monotonic(): number
  /** Calls once, after `ms`. The timer keeps the process alive only when `hold` is true. */
  after(ms: number, call: () => void, hold?: boolean): Cancel
  /** Calls every `ms`. Never keeps the process alive. */
  every(ms: number, call: () => void): Cancel
  /** Calls once, when the present turn of the event loop has handled the input that was ready. */
  turn(call: () => void): void
  /** At least 0, below 1. */
  random(): number
  /** So many random bytes, for names. The system's are ones that nobody can guess. */
  entropy(count: number): Uint8Array
}

/**
 * 24 days. With anything longer Node's timers, and a browser's, fire at once; waiting that long is as good as for ever.
 */
export const longestTimerMs = 2 ** 31 - 1

const { clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } = globalThis
const monotonic = performance.now.bind(performance)

let turnCalls: (() => void)[] = []
let isTurning = false

/**
 * Runs what was asked for, and once more what that asked for: a publish that is packed at the end of the turn is sent
 * at the end of the same turn. What is asked for after that has to wait, so that input gets its chance.
 */
function endTurn(): void {
  isTurning = true
  for (let pass = 0; pass < 2 && turnCalls.length > 0; pass++) {
    const calls = turnCalls
    turnCalls = []
    for (const call of calls) guarded(call)
  }
  isTurning = false
  if (turnCalls.length > 0) setImmediate(endTurn)
}

/** The fault of one must not cost the others their turn. It is told as if the call had stood alone. */
function guarded(call: () => void): void {
  try {
    call()
  } catch (error) {
    setImmediate(() => {
      throw error
    })
  }
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic,
  after(ms, call, hold = false) {
    const timer = setTimeout(call, Math.min(ms, longestTimerMs))
    if (!hold) timer.unref()
    return () => clearTimeout(timer)
  },
  every(ms, call) {
    const timer = setInterval(call, Math.min(ms, longestTimerMs))
    timer.unref()
    return () => clearInterval(timer)
  },
  turn(call) {
    if (turnCalls.length === 0 && !isTurning) setImmediate(endTurn)
    turnCalls.push(call)
  },
  random: () => Math.random(),
  entropy: (count) => crypto.getRandomValues(new Uint8Array(count)),
}
