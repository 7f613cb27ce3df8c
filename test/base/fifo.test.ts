/** The first-in first-out list, against a plain array. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Fifo } from '../../base/fifo.ts'

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('push' as const), item: fc.nat(9) }) },
  { weight: 4, arbitrary: fc.constant({ do: 'shift' as const }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('keep' as const), item: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'clear' as const }) },
)

describe('a Fifo', () => {
  it('gives back what was pushed, in order, whatever else is done to it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const fifo = new Fifo<number>()
        let plain: number[] = []
        for (const each of steps) {
          if (each.do === 'push') {
            fifo.push(each.item)
            plain.push(each.item)
          } else if (each.do === 'shift') {
            expect(fifo.shift()).toBe(plain.shift())
          } else if (each.do === 'keep') {
            fifo.keep((item) => item !== each.item)
            plain = plain.filter((item) => item !== each.item)
          } else {
            expect(fifo.clear()).toEqual(plain)
            plain = []
          }
          expect(fifo.length).toBe(plain.length)
          expect(fifo.peek()).toBe(plain[0])
        }
      }),
    )
  })

  it('has nothing to give when it is empty, as often as it is asked', () => {
    const fifo = new Fifo<string>()
    expect([fifo.shift(), fifo.shift(), fifo.peek(), fifo.length]).toEqual([undefined, undefined, undefined, 0])
    fifo.push('a')
    expect([fifo.shift(), fifo.shift(), fifo.length]).toEqual(['a', undefined, 0])
  })

  it('tells every item and its place, and lets one be put before the first', () => {
    const fifo = new Fifo<string>()
    for (const item of ['a', 'b', 'c', 'd']) fifo.push(item)
    fifo.shift()
    fifo.unshift('B')
    const told: [string, number][] = []
    fifo.each((item, index) => told.push([item, index]))
    expect(told).toEqual([
      ['B', 0],
      ['b', 1],
      ['c', 2],
      ['d', 3],
    ])
  })
})
