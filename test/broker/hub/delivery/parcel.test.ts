/** A parcel of stamped batches: what is cut from its front is named, what is left is whole. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MemoryBudget } from '../../../../base/memory-budget.ts'
import { Parcel, Skipper } from '../../../../broker/hub/delivery/parcel.ts'
import { BatchHeader } from '../../../../broker/shared/batch.ts'
import { join, lying, numbered } from '../../shared/batches.ts'

const batches = (bytes: Uint8Array) => {
  const found: [string, number, number][] = []
  for (let at = 0; at < bytes.length; ) {
    const header = new BatchHeader(bytes, at)
    found.push([header.topic, header.seq, header.seq + header.count - 1])
    at = header.end
  }
  return found
}

const three = () => new Parcel(join([numbered('a', 1, 3), numbered('b', 1, 2), numbered('a', 4, 3)]), 8)

const skipped = (parcel: Parcel, ...counts: readonly number[]) => {
  const told: [string, number, number][] = []
  const skipper = new Skipper(parcel)
  for (const count of counts) skipper.skip(count, (topic, first, last) => told.push([topic, first, last]))
  return told
}

describe('a parcel without its first messages', () => {
  it('is what is left of a batch, and all later ones', () => {
    const { bytes, count, gap } = three().cut(4)
    expect([count, gap]).toEqual([4, undefined])
    expect(batches(bytes)).toEqual([
      ['b', 2, 2],
      ['a', 4, 6],
    ])
  })

  it('is whole batches where the cut is between two', () => {
    const { bytes, count } = three().cut(5)
    expect([count, batches(bytes)]).toEqual([3, [['a', 4, 6]]])
  })

  it('loses all of a batch that cannot be cut, because its records lie [BROKER 2.5]', () => {
    const parcel = new Parcel(join([lying(numbered('a', 1, 5), 0), numbered('b', 1, 2)]), 7)
    const { bytes, count, gap } = parcel.cut(2)
    expect(gap).toEqual({ topic: 'a', first: 3, last: 5, epoch: 7 })
    expect([count, batches(bytes)]).toEqual([2, [['b', 1, 2]]])
  })

  it('never loses count', () => {
    const batch = fc.record({ count: fc.integer({ min: 1, max: 5 }), lie: fc.option(fc.nat(4)) })
    fc.assert(
      fc.property(fc.array(batch, { minLength: 1, maxLength: 5 }), fc.nat(), (given, some) => {
        let seq = 1
        const parts = given.map(({ count, lie }) => {
          const bytes = numbered('t', seq, count)
          seq += count
          return lie === null ? bytes : lying(bytes, lie % count)
        })
        const all = seq - 1
        const skip = some % all
        const { bytes, count, gap } = new Parcel(join(parts), all).cut(skip)
        const kept = batches(bytes).reduce((sum, [, first, last]) => sum + last - first + 1, 0)
        const lost = gap ? gap.last - gap.first + 1 : 0
        expect([kept, skip + lost + kept]).toEqual([count, all])
      }),
    )
  })
})

describe('what is skipped of a parcel', () => {
  it('is named batch by batch, and goes on where it was', () => {
    expect(skipped(three(), 4)).toEqual([
      ['a', 1, 3],
      ['b', 1, 1],
    ])
    expect(skipped(three(), 1, 1, 2, 4)).toEqual([
      ['a', 1, 1],
      ['a', 2, 2],
      ['a', 3, 3],
      ['b', 1, 1],
      ['b', 2, 2],
      ['a', 4, 6],
    ])
  })
})

describe('a parcel that is held', () => {
  it('lets go of a large buffer that it lies in, once', () => {
    const memory = new MemoryBudget(1_000_000)
    const large = new Uint8Array(100_000)
    const bytes = numbered('t', 1, 3)
    large.set(bytes, 50)
    const parcel = new Parcel(large.subarray(50, 50 + bytes.length), 3)
    parcel.hold(memory)
    const kept = parcel.bytes
    parcel.hold(memory)
    expect([kept.buffer.byteLength, kept, parcel.bytes === kept]).toEqual([bytes.length, bytes, true])
  })

  it('stays where it fills most of its buffer', () => {
    const bytes = numbered('t', 1, 3)
    const parcel = new Parcel(bytes, 3)
    parcel.hold(new MemoryBudget(1_000_000))
    expect(parcel.bytes).toBe(bytes)
  })

  it('counts once, however many hold it', () => {
    const memory = new MemoryBudget(1_000_000)
    const parcel = new Parcel(numbered('t', 1, 3), 3)
    for (let i = 0; i < 3; i++) parcel.hold(memory)
    const held = memory.used
    for (let i = 0; i < 2; i++) parcel.release(memory)
    expect([held, memory.used]).toEqual([parcel.size, parcel.size])
    parcel.release(memory)
    expect(memory.used).toBe(0)
  })
})
