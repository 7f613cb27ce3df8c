/** A clock that a program brings need have no more than a clock once had. */
import { expect, it } from 'vitest'
import { longestTimerMs, systemClock } from '../../base/clock.ts'
import { isClock, type OwnClock, wholeClock } from '../../base/own-clock.ts'

const { now, after, every, turn, random } = systemClock

it('a clock that has everything is taken as it is', () => {
  expect(wholeClock(systemClock)).toBe(systemClock)
})

it('the same clock is completed once', () => {
  const own = { now, after, every, turn, random }
  expect(wholeClock(own)).toBe(wholeClock(own))
})

it('without `monotonic` time is measured by `now`, and does not go back with it', () => {
  let time = 1_000
  const clock = wholeClock({ now: () => time, after, every, turn, random })
  const begin = clock.monotonic()
  time += 5
  expect(clock.monotonic() - begin).toBe(5)
  time -= 3_600_000
  expect(clock.monotonic() - begin).toBe(5)
  time += 2
  expect(clock.monotonic() - begin).toBe(7)
})

it('without `soon` what is soon has its turn', () => {
  const calls: (() => void)[] = []
  const clock = wholeClock({ now, after, every, turn: (call) => calls.push(call), random })
  const call = (): void => {}
  clock.soon(call)
  expect(calls).toEqual([call])
})

it('names are random without `entropy`', () => {
  const clock = wholeClock({ now, after, every, turn, random: () => 0 })
  expect(clock.entropy(16)).toHaveLength(16)
  expect(clock.entropy(16)).not.toEqual(clock.entropy(16))
})

it('is never asked for a time that timers of the platform cannot wait', () => {
  const waits: number[] = []
  const note = (ms: number) => {
    waits.push(ms)
    return () => {}
  }
  const clock = wholeClock({ now, turn, random, every, after: note })
  clock.after(Number.POSITIVE_INFINITY, () => {})
  expect(waits).toEqual([longestTimerMs])
})

it('methods see the object that they belong to', () => {
  class Counting implements OwnClock {
    #count = 0
    after = after
    every = every
    turn = turn
    random = random
    now(): number {
      return ++this.#count
    }
  }
  expect(wholeClock(new Counting()).now()).toBeGreaterThan(0)
})

it.each([[undefined], [null], [{}], [{ now, after, every, turn }], [{ now, after, every, turn, random, soon: 1 }]])(
  '%o is no clock',
  (value) => {
    expect(isClock.test(value)).toBe(false)
  },
)
