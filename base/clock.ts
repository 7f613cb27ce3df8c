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
  /**
   * Calls once, when the present callback of the event loop is done, and those who wait for promises have gone on; often
   * before the next input is looked at. Never within the call.
   */
  soon(call: () => void): void
  /** Another number in each turn. */
  turnNumber(): number
  /** At least 0, below 1. */
  random(): number
  /** So many random bytes, for names. The system's are ones that nobody can guess. */
  entropy(count: number): Uint8Array
}

/**
 * 24 days. With anything longer Node's timers, and a browser's, fire at once; waiting that long is as good as for ever.
 */
export const longestTimerMs = 2 ** 31 - 1

const { clearInterval, clearTimeout, queueMicrotask, setImmediate, setInterval, setTimeout } = globalThis
const nextTick = (globalThis as { process?: { nextTick?(call: () => void): void } }).process?.nextTick
const monotonic = performance.now.bind(performance)

/** Calls when all that waits for resolved promises has run, before the event loop goes on. Only Node can do that. */
const afterPromises: (call: () => void) => void =
  typeof nextTick === 'function' ? (call) => queueMicrotask(() => nextTick(call)) : setImmediate

let turnCalls: (() => void)[] = []
let isScheduled = false
let passes = 0
let turnNumber = 0
let soonCalls: (() => void)[] = []
let soonPasses = 0

/**
 * As far as a publish goes within one program: it is packed, goes to the server, to the broker, is packed there, and
 * goes by the server to the subscriber, each time at the end of a turn.
 */
const maxPasses = 8

/**
 * Runs what was asked for, then what that asked for, and so on: what goes through several hands of one program is
 * through at the end of the same turn. Between two passes those who wait for promises have their chance, as they would
 * if what comes came from outside. What is asked for after the last pass has to wait, so that input gets its chance.
 */
function endTurn(): void {
  const calls = turnCalls
  turnCalls = []
  for (const call of calls) guarded(call)
  passes++
  if (turnCalls.length > 0 && passes < maxPasses) {
    afterPromises(endTurn)
    return
  }
  passes = 0
  soonPasses = 0
  turnNumber++
  isScheduled = turnCalls.length > 0
  if (isScheduled) setImmediate(endTurn)
}

function scheduleTurn(): void {
  if (isScheduled) return
  isScheduled = true
  setImmediate(endTurn)
}

/**
 * For a turn that has the input of a thousand connections, each going through a few hands. What asks for more than that
 * asks without end, and waits for the end of the turn, so that input gets its chance.
 */
const maxSoonPasses = 8_192

function runSoon(): void {
  const calls = soonCalls
  soonCalls = []
  for (const call of calls) guarded(call)
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
    turnCalls.push(call)
    scheduleTurn()
  },
  soon(call) {
    scheduleTurn()
    if (soonPasses >= maxSoonPasses) {
      turnCalls.push(call)
      return
    }
    if (soonCalls.length === 0) {
      soonPasses++
      afterPromises(runSoon)
    }
    soonCalls.push(call)
  },
  turnNumber: () => turnNumber,
  random: () => Math.random(),
  entropy: (count) => crypto.getRandomValues(new Uint8Array(count)),
}

const wholes = new WeakMap<object, Clock>()

/**
 * A clock that has every method: what one lacks, for it was written for an earlier version, its other methods do, or the
 * system's.
 */
export function wholeClock(given: Clock): Clock {
  const some: Partial<Clock> = given
  const has = (name: string): boolean => typeof some[name as keyof Clock] === 'function'
  if (Object.keys(systemClock).every(has)) return given
  let whole = wholes.get(given)
  if (whole === undefined) {
    const parts: Record<string, unknown> = { ...systemClock }
    for (const name of Object.keys(systemClock)) if (has(name)) parts[name] = some[name as keyof Clock]?.bind(given)
    if (has('now') && !has('monotonic')) parts['monotonic'] = parts['now']
    if (has('turn') && !has('soon')) parts['soon'] = parts['turn']
    whole = parts as unknown as Clock
    wholes.set(given, whole)
  }
  return whole
}
