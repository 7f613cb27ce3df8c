/** Names that nobody can guess, unless they hold the seed. */
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../base/clock.ts'
import { newId } from '../../base/identifier.ts'
import { ManualClock } from '../socket/tools/manual-clock.ts'

const version4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe('a new id', () => {
  it('is a random UUID, another one each time', () => {
    const ids = Array.from({ length: 1_000 }, () => newId())
    expect(new Set(ids).size).toBe(1_000)
    for (const id of ids) expect(id).toMatch(version4)
    expect(newId(systemClock)).toMatch(version4)
  })

  it('comes from the clock that is given: the same seed makes the same ids', () => {
    const idsOf = (seed: number): string[] => {
      const clock = new ManualClock(seed)
      return Array.from({ length: 10 }, () => newId(clock))
    }
    expect(idsOf(7)).toEqual(idsOf(7))
    expect(idsOf(7)).not.toEqual(idsOf(8))
    for (const id of idsOf(7)) expect(id).toMatch(version4)
  })
})
