/** The cache of names: always the text of the bytes, whatever collides, and never more than it may hold. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NameCache } from '../../../broker/shared/name-cache.ts'

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text))

describe('names', () => {
  it('are what the bytes say, also the second time and inside other bytes', () => {
    const names = new NameCache()
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 8 }), { minLength: 1 }), (texts) => {
        for (const text of [...texts, ...texts]) {
          const bytes = bytesOf(`<${text}>`)
          expect(names.get(bytes, 1, bytes.length - 1)).toBe(text)
        }
      }),
    )
  })

  it('do not keep the bytes that they were read from', () => {
    const names = new NameCache()
    const bytes = bytesOf('orders')
    expect(names.get(bytes, 0, 6)).toBe('orders')
    bytes.set(bytesOf('prices'))
    expect(names.get(bytes, 0, 6)).toBe('prices')
    expect(names.get(bytesOf('orders'), 0, 6)).toBe('orders')
  })

  it('stay right when two of them have the same hash', () => {
    const names = new NameCache()
    // Two texts of the same FNV-1a hash.
    for (const text of ['costarring', 'liquid', 'costarring', 'declinate', 'macallums', 'declinate']) {
      expect(names.get(bytesOf(text), 0, text.length)).toBe(text)
    }
  })

  it('stay right when there are more than the cache holds', () => {
    const names = new NameCache()
    for (const round of [1, 2]) {
      for (let i = 0; i < 12_000; i++) {
        const text = `topic.${i}`
        if (names.get(bytesOf(text), 0, text.length) !== text) throw new Error(`${text} in round ${round}`)
      }
    }
  })
})
