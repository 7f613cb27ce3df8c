/** The system's clock: turns that share their fate with nobody, and timers of any length. */
import { describe, expect, it, vi } from 'vitest'
import { longestTimerMs, systemClock } from '../../base/clock.ts'
import { turns, until } from '../socket/tools/until.ts'

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
      if (++depth < 100_000) systemClock.turn(again)
    }
    systemClock.turn(again)
    let timers = 0
    while (depth < 100_000) {
      await new Promise((resolve) => setTimeout(resolve))
      timers++
    }
    expect(timers).toBeGreaterThan(1)
  })

  it('lets those who wait for promises go on before what was asked for within it', async () => {
    const order: string[] = []
    await new Promise<void>((resolve) => {
      systemClock.turn(() => {
        void Promise.resolve()
          .then(() => {})
          .then(() => order.push('promises'))
        systemClock.turn(() => resolve(void order.push('next')))
      })
    })
    expect(order).toEqual(['promises', 'next'])
  })

  it('goes on with what was asked for within it before anything else comes', async () => {
    const order: string[] = []
    systemClock.turn(() => systemClock.turn(() => systemClock.turn(() => order.push('third'))))
    await new Promise<void>((resolve) => {
      setImmediate(() => setImmediate(() => resolve(void order.push('outside'))))
    })
    expect(order).toEqual(['third', 'outside'])
  })

  it('in which one call throws takes nothing from the others', async () => {
    await throwing((call) => systemClock.turn(call))
  })
})

/** Three calls, of which the second throws. */
async function throwing(ask: (call: () => void) => void): Promise<void> {
  const uncaught: unknown[] = []
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  const onUncaught = (error: unknown): void => void uncaught.push(error)
  process.on('uncaughtException', onUncaught)
  const order: number[] = []
  ask(() => order.push(1))
  ask(() => {
    throw new Error('in a turn')
  })
  ask(() => order.push(2))
  await turns(5)
  ask(() => order.push(3))
  await turns(5)
  process.off('uncaughtException', onUncaught)
  for (const listener of listeners) process.on('uncaughtException', listener)
  expect(order).toEqual([1, 2, 3])
  expect(uncaught).toEqual([expect.objectContaining({ message: 'in a turn' })])
}

describe('what is asked for soon', () => {
  it('comes after the present call and those who wait for promises, and before the end of the turn', async () => {
    const order: string[] = []
    systemClock.turn(() => order.push('turn'))
    systemClock.soon(() => order.push('soon'))
    systemClock.soon(() => order.push('soon too'))
    void (async () => {
      for (let i = 0; i < 5; i++) await undefined
      order.push('promises')
    })()
    order.push('call')
    await turns(2)
    expect(order).toEqual(['call', 'promises', 'soon', 'soon too', 'turn'])
  })

  it.each([0, 1, 10])('without end lets input and timers come, %i promises after each other', async (promises) => {
    let [depth, isOver] = [0, false]
    const again = async (): Promise<void> => {
      for (let i = 0; i < promises; i++) await undefined
      depth++
      if (!isOver) systemClock.soon(() => void again())
    }
    systemClock.soon(() => void again())
    const immediates = 10
    for (let i = 0; i < immediates; i++) await new Promise((resolve) => setImmediate(resolve))
    isOver = true
    // The hands that one input has, and the passes at the end of a turn.
    expect(depth).toBeLessThan(immediates * 100)
  })

  it('goes on after a while however often it was asked for in one turn, for each input has its own', async () => {
    const hands: number[] = []
    const inputs = 1_000
    const input = (left: number): void => {
      let depth = 0
      const again = (): void => {
        if (++depth < 5) systemClock.soon(again)
        else hands.push(left)
      }
      systemClock.soon(again)
    }
    let isTurnOver = false
    // Immediates are called one by one, as the input of sockets is.
    for (let left = 0; left < inputs; left++) setImmediate(input, left)
    setImmediate(() => setImmediate(() => (isTurnOver = true)))
    setImmediate(() => expect([hands.length, isTurnOver]).toEqual([inputs, false]))
    await until('it is over', () => isTurnOver)
  })

  it('takes nothing from the others when one call throws', async () => {
    await throwing((call) => systemClock.soon(call))
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
