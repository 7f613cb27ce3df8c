/** The wheel of deadlines: never early, at most two ticks late, and no timer while nothing waits. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Deadline, Deadlines } from '../../../socket/time/deadlines.ts'
import { ManualClock } from '../tools/manual-clock.ts'

const tickMs = 10

class Entry extends Deadline {
  readonly #then: () => void

  constructor(then: () => void) {
    super()
    this.#then = then
  }

  expire(): void {
    this.#then()
  }
}

describe('the wheel of deadlines', () => {
  it('keeps every deadline to within two ticks, late and never early', () => {
    const step = fc.record({ waitMs: fc.nat(300), ms: fc.oneof(fc.nat(100), fc.nat(30_000)), isRemoved: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const clock = new ManualClock()
        const wheel = new Deadlines(clock)
        const expected: { dueMs: number; firedMs: number | undefined; isRemoved: boolean }[] = []
        for (const { waitMs, ms, isRemoved } of steps) {
          clock.advance(waitMs)
          const one = { dueMs: clock.now() + ms, firedMs: undefined as number | undefined, isRemoved }
          const entry = new Entry(() => {
            one.firedMs = clock.now()
          })
          wheel.add(entry, ms)
          expected.push(one)
          if (isRemoved) wheel.remove(entry)
        }
        clock.advance(60_000)
        for (const { dueMs, firedMs, isRemoved } of expected) {
          if (isRemoved) {
            expect(firedMs).toBeUndefined()
          } else {
            expect(firedMs).toBeGreaterThanOrEqual(dueMs)
            expect(firedMs).toBeLessThanOrEqual(dueMs + 2 * tickMs)
          }
        }
        expect([wheel.size, clock.timers]).toEqual([0, 0])
      }),
    )
  })

  it('is not early for what is added when the process was held up', () => {
    const clock = new ManualClock()
    const wheel = new Deadlines(clock)
    wheel.add(new Entry(() => {}), 60_000)
    clock.pass(500)
    let firedMs: number | undefined
    const addedMs = clock.now()
    wheel.add(
      new Entry(() => {
        firedMs = clock.now()
      }),
      100,
    )
    clock.advance(1_000)
    expect(firedMs).toBeGreaterThanOrEqual(addedMs + 100)
    expect(firedMs).toBeLessThanOrEqual(addedMs + 100 + 2 * tickMs)
  })

  it('tells everything that fell due while the process was held up, each once', () => {
    const clock = new ManualClock()
    const wheel = new Deadlines(clock)
    const fired: number[] = []
    for (const ms of [5, 50, 5_000, 5_119, 5_120, 5_121, 9_999, 40_000]) {
      wheel.add(new Entry(() => fired.push(ms)), ms)
    }
    clock.holdUp(20_000)
    expect(fired.sort((one, two) => one - two)).toEqual([5, 50, 5_000, 5_119, 5_120, 5_121, 9_999])
    clock.advance(30_000)
    expect(fired.slice(-1)).toEqual([40_000])
    expect([wheel.size, clock.timers]).toEqual([0, 0])
  })

  it.each([-3_600_000, 3_600_000])('cares nothing for somebody who sets the clock by %i ms', (ms) => {
    const clock = new ManualClock()
    const wheel = new Deadlines(clock)
    let isOver = false
    wheel.add(
      new Entry(() => {
        isOver = true
      }),
      1_000,
    )
    clock.advance(500)
    clock.set(ms)
    clock.advance(400)
    expect(isOver).toBe(false)
    clock.advance(200)
    expect(isOver).toBe(true)
  })

  it('is one for all that go by the same clock', () => {
    const [one, two] = [new ManualClock(), new ManualClock()]
    expect(Deadlines.of(one)).toBe(Deadlines.of(one))
    expect(Deadlines.of(one)).not.toBe(Deadlines.of(two))
  })

  it('never calls for what has no end', () => {
    const clock = new ManualClock()
    const wheel = new Deadlines(clock)
    const entry = new Entry(() => {
      throw new Error('it had no end')
    })
    wheel.add(entry, Number.POSITIVE_INFINITY)
    expect([wheel.size, clock.timers]).toEqual([0, 0])
    clock.advance(1_000_000)
    wheel.remove(entry)
    expect(wheel.size).toBe(0)
  })

  it('lets an expiring entry remove its neighbours and add new ones', () => {
    const clock = new ManualClock()
    const wheel = new Deadlines(clock)
    const fired: string[] = []
    const neighbour = new Entry(() => fired.push('neighbour'))
    const next = new Entry(() => fired.push('next'))
    const first = new Entry(() => {
      fired.push('first')
      wheel.remove(neighbour)
      wheel.add(next, 100)
    })
    wheel.add(neighbour, 50)
    wheel.add(first, 50)
    clock.advance(90)
    expect([fired, wheel.size]).toEqual([['first'], 1])
    clock.advance(200)
    expect([fired, wheel.size, clock.timers]).toEqual([['first', 'next'], 0, 0])
  })
})
