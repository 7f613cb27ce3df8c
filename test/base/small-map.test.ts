/** The small map does what a Map does, however many entries it has. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SmallMap } from '../../base/small-map.ts'

describe('a small map', () => {
  it('behaves like a Map', () => {
    const key = fc.nat(14)
    const step = fc.oneof(
      fc.record({ do: fc.constant('set' as const), key, value: fc.nat() }),
      fc.record({ do: fc.constant('set' as const), key, value: fc.nat() }),
      fc.record({ do: fc.constant('delete' as const), key, value: fc.constant(0) }),
      fc.record({ do: fc.constantFrom('clear' as const), key, value: fc.constant(0) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const small = new SmallMap<number, number>()
        const map = new Map<number, number>()
        for (const { do: what, key, value } of steps) {
          if (what === 'set') {
            small.set(key, value)
            map.set(key, value)
          } else if (what === 'delete') {
            expect(small.delete(key)).toBe(map.delete(key))
          } else {
            small.clear()
            map.clear()
          }
          expect([small.size, small.get(key), small.has(key)]).toEqual([map.size, map.get(key), map.has(key)])
          expect(small.values().sort()).toEqual([...map.values()].sort())
        }
      }),
    )
  })

  it('may be changed while its values are gone through', () => {
    const small = new SmallMap<string, number>()
    for (const [at, key] of ['a', 'b', 'c'].entries()) small.set(key, at)
    const seen: number[] = []
    for (const value of small.values()) {
      seen.push(value)
      small.clear()
    }
    expect(seen).toEqual([0, 1, 2])
  })
})
