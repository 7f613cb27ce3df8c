/** A parcel of stamped batches: what is cut from its front is named, what is left is whole. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Parcel } from '../../../../broker/hub/delivery/parcel.ts'
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

describe('a parcel without its first messages', () => {
  it('is what is left of a batch, and all later ones', () => {
    const { gaps, rest } = three().without(4)
    expect(gaps).toEqual([
      { topic: 'a', first: 1, last: 3 },
      { topic: 'b', first: 1, last: 1 },
    ])
    expect([rest?.count, batches(rest?.bytes as Uint8Array)]).toEqual([
      4,
      [
        ['b', 2, 2],
        ['a', 4, 6],
      ],
    ])
  })

  it('is whole batches where the cut is between two', () => {
    const { gaps, rest } = three().without(5)
    expect([gaps.length, rest?.count, batches(rest?.bytes as Uint8Array)]).toEqual([2, 3, [['a', 4, 6]]])
  })

  it('is nothing when all were its first', () => {
    const { gaps, rest } = three().without(8)
    expect([gaps.length, rest]).toEqual([3, undefined])
  })

  it('loses all of a batch that cannot be cut, because its records lie', () => {
    const parcel = new Parcel(join([lying(numbered('a', 1, 5), 0), numbered('b', 1, 2)]), 7)
    const { gaps, rest } = parcel.without(2)
    expect(gaps).toEqual([{ topic: 'a', first: 1, last: 5 }])
    expect([rest?.count, batches(rest?.bytes as Uint8Array)]).toEqual([2, [['b', 1, 2]]])
    expect(new Parcel(lying(numbered('a', 1, 5), 0), 5).without(2).rest).toBeUndefined()
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
        const cut = 1 + (some % (seq - 1))
        const { gaps, rest } = new Parcel(join(parts), seq - 1).without(cut)
        const dropped = gaps.reduce((sum, { first, last }) => sum + last - first + 1, 0)
        const kept = rest ? batches(rest.bytes).reduce((sum, [, first, last]) => sum + last - first + 1, 0) : 0
        expect(dropped).toBeGreaterThanOrEqual(cut)
        expect([kept, dropped + kept]).toEqual([rest?.count ?? 0, seq - 1])
      }),
    )
  })
})

describe('a parcel that is kept', () => {
  it('lets go of a large buffer that it lies in, once', () => {
    const large = new Uint8Array(100_000)
    const bytes = numbered('t', 1, 3)
    large.set(bytes, 50)
    const parcel = new Parcel(large.subarray(50, 50 + bytes.length), 3)
    parcel.compact()
    const kept = parcel.bytes
    parcel.compact()
    expect([kept.buffer.byteLength, kept, parcel.bytes === kept]).toEqual([bytes.length, bytes, true])
  })

  it('stays where it fills most of its buffer', () => {
    const bytes = numbered('t', 1, 3)
    const parcel = new Parcel(bytes, 3)
    parcel.compact()
    expect(parcel.bytes).toBe(bytes)
  })
})
