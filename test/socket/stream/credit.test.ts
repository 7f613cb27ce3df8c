/** The receive window: what may lie unread is bounded, and a sender that obeys never gets stuck. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MemoryBudget } from '../../../base/memory-budget.ts'
import { GrowthBudget, ReceiveWindow } from '../../../socket/stream/credit.ts'
import { costOf, headerBytes, maxFrameBytes } from '../../../socket/wire/frame.ts'

const initial = 64 * 1024
const limit = 1024 * 1024
const largest = costOf(maxFrameBytes)
const plenty = (): MemoryBudget => new MemoryBudget(Number.POSITIVE_INFINITY)
const generous = (): GrowthBudget => new GrowthBudget(64 * limit)

describe('a receive window', () => {
  it('[SOCK 6.1] counts the header too, so that empty messages are bounded', () => {
    expect(costOf(0)).toBe(headerBytes)
    const window = new ReceiveWindow(initial, initial, generous(), plenty())
    let taken = 0
    while (window.received(costOf(0))) taken++
    expect(taken).toBe(initial / headerBytes)
  })

  it('[SOCK 6.2] lets one frame be sent while there is any credit, and calls the next one a violation', () => {
    const window = new ReceiveWindow(initial, initial, generous(), plenty())
    expect(window.received(initial - 1)).toBe(true)
    expect(window.received(largest)).toBe(true)
    expect(window.received(costOf(0))).toBe(false)
  })

  it('[SOCK 6.3] gives credit back in steps of half a window, for what was consumed and not for what arrived', () => {
    const window = new ReceiveWindow(initial, initial, generous(), plenty())
    for (let i = 0; i < 8; i++) window.received(8_000)
    expect(window.unread).toBe(64_000)
    const grants = Array.from({ length: 8 }, () => window.consumed(8_000))
    expect(grants).toEqual([0, 0, 0, 0, 40_000, 0, 0, 0])
    expect(window.unread).toBe(0)
  })

  it('[SOCK 6.5] doubles when it was the bottleneck, up to its limit', () => {
    const window = new ReceiveWindow(initial, limit, generous(), plenty())
    const sizes: number[] = []
    for (let round = 0; round < 6; round++) {
      const { size } = window
      window.received(size, true)
      window.consumed(size)
      sizes.push(window.size / 1024)
    }
    expect(sizes).toEqual([128, 256, 512, 1024, 1024, 1024])
  })

  it('[SOCK 6.5] does not grow while the application leaves something unread, nor when the sender had credit left', () => {
    const slow = new ReceiveWindow(initial, limit, generous(), plenty())
    slow.received(initial, true)
    slow.received(1)
    slow.consumed(initial)
    expect(slow.size).toBe(initial)
    const idle = new ReceiveWindow(initial, limit, generous(), plenty())
    idle.received(initial)
    idle.consumed(initial)
    expect(idle.size).toBe(initial)
  })

  it('grows only within the budget of its link, and gives that back at its end', () => {
    const budget = new GrowthBudget(initial)
    const one = new ReceiveWindow(initial, limit, budget, plenty())
    const two = new ReceiveWindow(initial, limit, budget, plenty())
    const use = (window: ReceiveWindow): number => {
      const { size } = window
      window.received(size, true)
      window.consumed(size)
      return window.size
    }
    expect([use(one), use(two)]).toEqual([2 * initial, initial])
    one.release()
    expect(use(two)).toBe(2 * initial)
  })

  it('[SOCK 6] never has more unread than its size and one frame, and never stops a sender that obeys', () => {
    const step = fc.record({ length: fc.oneof(fc.nat(300), fc.nat(maxFrameBytes)), reads: fc.nat(4) })
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 200 }), fc.boolean(), (steps, canGrow) => {
        const window = new ReceiveWindow(initial, canGrow ? limit : initial, generous(), plenty())
        const unread: number[] = []
        let credit = initial
        const readOne = (): void => {
          const cost = unread.shift()
          if (cost !== undefined) credit += window.consumed(cost)
        }
        for (const { length, reads } of steps) {
          // Out of credit: it must come back once the application has read what there is.
          while (credit <= 0) {
            expect(unread.length).toBeGreaterThan(0)
            readOne()
          }
          credit -= costOf(length)
          unread.push(costOf(length))
          expect(window.received(costOf(length), credit <= 0)).toBe(true)
          expect(window.unread).toBeLessThanOrEqual(window.size + largest)
          for (let read = 0; read < reads; read++) readOne()
        }
      }),
    )
  })
})
