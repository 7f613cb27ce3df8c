/** The waits between two tries to connect. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nextDelayMs } from '../../../socket/time/backoff.ts'

describe('the wait before the next try', () => {
  it('has a ceiling that doubles with every try, up to the greatest', () => {
    const ceilings = [0, 1, 2, 3, 4, 5, 6, 7].map((attempt) => nextDelayMs(attempt, 100, 5_000, 1))
    expect(ceilings).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000])
  })

  it('is anything from zero to the ceiling, however many tries there were', () => {
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 1_000 }), random, (attempt, minMs, chance) => {
        const delay = nextDelayMs(attempt, minMs, 30_000, chance)
        expect(delay).toBeGreaterThanOrEqual(0)
        expect(delay).toBeLessThanOrEqual(30_000)
        expect(delay).toBeLessThanOrEqual(minMs * 2 ** Math.min(attempt, 30))
      }),
    )
    expect(nextDelayMs(5, 100, 5_000, 0)).toBe(0)
  })
})
