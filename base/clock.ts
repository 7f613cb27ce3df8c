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
   * Calls once, when the present callback of the event loop is done, often before the next input is looked at: of what is
   * called in a microtask, when there are no more of them. Never within the call.
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

const { clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } = globalThis
const nextTick = (globalThis as { process?: { nextTick?(call: () => void): void } }).process?.nextTick
const monotonic = performance.now.bind(performance)

/** Calls when all that waits for resolved promises has run, before the event loop goes on. Only Node can do that. */
function afterPromises(call: () => void): void {
  if (nextTick === undefined) setImmediate(call)
  else void resolved.then(() => nextTick(call))
}

// Its `then` takes half of what `queueMicrotask` takes, which makes a resource for `async_hooks`.
const resolved = Promise.resolve()

let turnCalls: (() => void)[] = []
let isScheduled = false
let passes = 0
let turnNumber = 0
let soonCalls: (() => void)[] = []
/** Passes of those, one after the other, since the event loop last called anybody. */
let soonPasses = 0
/** Passes after which it has not been looked whether there is a next one. */
let unrested = 0

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
 * A few hands for each input, however many inputs a turn has. What asks for more than that asks without end, as two
 * services of one program do that answer each other: it waits for the end of the turn, so that input gets its chance.
 */
const maxSoonPasses = 16
/** So many may be of several inputs that came one after the other: to look after each would double what a pass costs. */
const fewPasses = 8

function runSoon(): void {
  const calls = soonCalls
  soonCalls = []
  for (const call of calls) guarded(call)
  if (soonPasses < fewPasses) return
  unrested++
  afterPromises(restSoon)
}

/**
 * When nobody has asked for more, neither the last of those calls nor who waited for promises, the event loop goes on.
 * The next pass may come before this does for the last one, and before who waits for it.
 */
function restSoon(): void {
  unrested--
  if (unrested === 0 && soonCalls.length === 0 && passes === 0) soonPasses = 0
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
      if (nextTick === undefined) setImmediate(runSoon)
      else nextTick(runSoon)
    }
    soonCalls.push(call)
  },
  turnNumber: () => turnNumber,
  random: () => Math.random(),
  entropy: (count) => crypto.getRandomValues(new Uint8Array(count)),
}
