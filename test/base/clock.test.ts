/** The system's clock: turns that share their fate with nobody, and timers of any length. */
import { describe, expect, it, vi } from 'vitest'
import { longestTimerMs, systemClock } from '../../base/clock.ts'
import { turns } from '../socket/tools/until.ts'

describe('a turn', () => {
  it('comes after the present one, in the order asked for', async () => {
    const order: number[] = []
    for (const number of [1, 2, 3]) systemClock.turn(() => order.push(number))
    expect(order).toEqual([])
    await turns(2)
    expect(order).toEqual([1, 2, 3])
  })

  it('lets what is asked for within it come too, and the event loop breathe', async () => {
    let depth = 0
    const again = (): void => {
      if (++depth < 1_000) systemClock.turn(again)
    }
    systemClock.turn(again)
    let timers = 0
    while (depth < 1_000) {
      await new Promise((resolve) => setTimeout(resolve))
      timers++
    }
    expect(timers).toBeGreaterThan(1)
  })

  it('in which one call throws takes nothing from the others', async () => {
    const uncaught: unknown[] = []
    const listeners = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    const onUncaught = (error: unknown): void => void uncaught.push(error)
    process.on('uncaughtException', onUncaught)
    const order: number[] = []
    systemClock.turn(() => order.push(1))
    systemClock.turn(() => {
      throw new Error('in a turn')
    })
    systemClock.turn(() => order.push(2))
    await turns(5)
    systemClock.turn(() => order.push(3))
    await turns(5)
    process.off('uncaughtException', onUncaught)
    for (const listener of listeners) process.on('uncaughtException', listener)
    expect(order).toEqual([1, 2, 3])
    expect(uncaught).toEqual([expect.objectContaining({ message: 'in a turn' })])
  })
})

describe('a timer', () => {
  it('that is longer than the system can count does not fire at once', async () => {
    let fired = 0
    const stops = [
      systemClock.after(Number.POSITIVE_INFINITY, () => fired++),
      systemClock.after(longestTimerMs + 1, () => fired++),
      systemClock.every(2 ** 40, () => fired++),
    ]
    await turns(10)
    for (const stop of stops) stop()
    expect(fired).toBe(0)
  })

  it('can be stopped, before and after it has fired', async () => {
    let fired = 0
    const stop = systemClock.after(1, () => fired++)
    const never = systemClock.after(1, () => fired++)
    never()
    const stopEvery = systemClock.every(1, () => fired++)
    await turns(10)
    stopEvery()
    const before = fired
    expect(before).toBeGreaterThan(1)
    await turns(10)
    stop()
    stopEvery()
    expect(fired).toBe(before)
  })
})

describe('monotonic time', () => {
  it('rises, and does not move with the clock on the wall', () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 0 })
    const [wall, before] = [systemClock.now(), systemClock.monotonic()]
    vi.setSystemTime(3_600_000)
    const after = systemClock.monotonic()
    expect([wall, systemClock.now()]).toEqual([0, 3_600_000])
    vi.useRealTimers()
    expect(after).toBeGreaterThanOrEqual(before)
    expect(after).toBeLessThan(before + 3_600_000)
  })
})
