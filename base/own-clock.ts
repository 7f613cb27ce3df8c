/**
 * A clock that a program brings of its own, and what stands in for what it does not have.
 *
 * Floor 2. Everything inside goes by a whole `Clock`; this is the one place where one that is not becomes one.
 */
import { type Clock, longestTimerMs, systemClock } from './clock.ts'
import type { Rule } from './verify.ts'

const needed = ['now', 'after', 'every', 'turn', 'random'] as const
const optional = ['monotonic', 'soon', 'turnNumber', 'entropy'] as const

/**
 * What the `clock` option takes. Without `monotonic`, waits are measured by `now`, and a step back of it counts as no
 * time; without `soon` and `turnNumber` everything waits for `turn`; without `entropy` names come from the system.
 */
export type OwnClock = Pick<Clock, (typeof needed)[number]> & Partial<Pick<Clock, (typeof optional)[number]>>

export const isClock: Rule = {
  expected: `an object with the methods ${needed.join(', ')}`,
  test(value) {
    if (typeof value !== 'object' || value === null) return false
    const given = value as Partial<Record<string, unknown>>
    const has = (name: string): boolean => typeof given[name] === 'function'
    return needed.every(has) && optional.every((name) => given[name] === undefined || has(name))
  },
}

/** The same whole clock for the same clock: what goes by it is shared. */
const wholes = new WeakMap<OwnClock, Clock>()

export function wholeClock(own: OwnClock): Clock {
  if (optional.every((name) => own[name] !== undefined)) return own as Clock
  let whole = wholes.get(own)
  if (whole === undefined) {
    whole = completed(own)
    wholes.set(own, whole)
  }
  return whole
}

function completed(own: OwnClock): Clock {
  return {
    now: () => own.now(),
    monotonic: own.monotonic === undefined ? rising(own) : () => (own as Clock).monotonic(),
    after: (ms, call, hold) => own.after(Math.min(ms, longestTimerMs), call, hold),
    every: (ms, call) => own.every(Math.min(ms, longestTimerMs), call),
    turn: (call) => own.turn(call),
    soon: (call) => (own.soon === undefined ? own.turn(call) : own.soon(call)),
    turnNumber: () => own.turnNumber?.() ?? 0,
    random: () => own.random(),
    entropy: (count) => own.entropy?.(count) ?? systemClock.entropy(count),
  }
}

/** The steps forward of `now`, added up. */
function rising(own: OwnClock): () => number {
  let last = own.now()
  let sum = 0
  return () => {
    const now = own.now()
    if (now > last) sum += now - last
    last = now
    return sum
  }
}
