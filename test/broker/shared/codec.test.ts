/**
 * Values to bytes and back, and what cannot be: always INVALID_DATA, and never more memory than the bytes are worth.
 */
import { Encoder } from '@msgpack/msgpack'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SignalboxError } from '../../../base/errors.ts'
import { decodeValue, encodeShared, encodeValue } from '../../../broker/shared/codec.ts'
import { isWhole } from '../../../broker/shared/msgpack-shape.ts'
import { jsonValue } from './batches.ts'

const refused = expect.objectContaining({ code: 'INVALID_DATA' })

describe('a value', () => {
  it.each([
    ['nothing', null],
    ['truth', true],
    ['numbers', [0, -1, 1.5, 2 ** 40, Number.MAX_SAFE_INTEGER, -(2 ** 31)]],
    ['text', 'gr\u00fc\u00df dich \u{1f44b}'],
    ['a date', new Date(1_700_000_000_123)],
    ['bytes', new Uint8Array([1, 2, 3])],
    ['nested things', { a: [{ b: { c: null } }], d: '' }],
    ['a long list', Array.from({ length: 70_000 }, (_, i) => i)],
  ])('of %s comes back as it was [BROKER 2.7]', (_name, value) => {
    expect(decodeValue(encodeValue(value))).toEqual(value)
  })

  it('of anything that JSON can carry comes back as JSON would give it back', () => {
    fc.assert(
      fc.property(jsonValue(), (value) => {
        expect(decodeValue(encodeValue(value))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  it('has bytes of its own, or shares them until the next call', () => {
    const own = encodeValue({ a: 1 })
    const shared = encodeShared({ b: 1 })
    expect(shared).toEqual(encodeValue({ b: 1 }))
    encodeShared({ c: 'something else' })
    expect(decodeValue(own)).toEqual({ a: 1 })
  })

  it('may publish another one while it is encoded', () => {
    const inner = { n: 2 }
    const outer = {
      first: 'a'.repeat(50),
      get second() {
        return encodeValue(inner).length
      },
      third: 'b',
    }
    expect(decodeValue(encodeValue(outer))).toMatchObject({ first: 'a'.repeat(50), third: 'b' })
  })

  it.each([
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    [
      'a cycle',
      (() => {
        const loop: { self?: unknown } = {}
        loop.self = loop
        return loop
      })(),
    ],
    ['a bigint', 1n],
    [
      'a getter that throws',
      {
        get broken() {
          throw new Error('no')
        },
      },
    ],
  ])('that is %s is refused with INVALID_DATA, and the next one is not', (_name, value) => {
    expect(() => encodeValue(value)).toThrow(refused)
    expect(() => encodeValue({ deep: [value] })).toThrow(refused)
    expect(decodeValue(encodeValue({ a: 1 }))).toEqual({ a: 1 })
  })
})

describe('bytes', () => {
  it.each([
    ['none', []],
    ['the byte that is no value', [0xc1]],
    ['a text that ends too early', [0xa5, 0x61]],
    ['an array that ends too early', [0x92, 1]],
    ['a map without its last value', [0x81, 0xa1, 0x61]],
    ['two values', [1, 1]],
    ['a map with the key __proto__', [0x81, 0xa9, ...Buffer.from('__proto__'), 1]],
  ])('that are %s are refused with INVALID_DATA', (_name, bytes) => {
    expect(() => decodeValue(new Uint8Array(bytes))).toThrow(refused)
  })

  it('that claim to be huge, or nested without end, cost no memory', () => {
    const huge = (...head: number[]) => new Uint8Array(Array.from({ length: 1_000 }, () => head).flat())
    for (const bytes of [huge(0xdd, 1, 0xe0, 0, 0), huge(0xdc, 0xff, 0xff), huge(0xdf, 1, 0, 0, 0), huge(0x91)]) {
      expect(() => decodeValue(bytes)).toThrow(refused)
    }
    expect(() => decodeValue(new Uint8Array(10_000_000).fill(0x91))).toThrow(refused)
  })

  it('of any kind give a value or INVALID_DATA', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
        try {
          decodeValue(bytes)
        } catch (error) {
          expect((error as SignalboxError).code).toBe('INVALID_DATA')
          expect(error).toBeInstanceOf(SignalboxError)
        }
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('the structure of msgpack', () => {
  const encoder = new Encoder()
  const value = fc.oneof(
    fc.anything({ withNullPrototype: false, withDate: true, maxDepth: 5 }),
    fc.uint8Array({ maxLength: 300 }),
    fc.string({ maxLength: 300 }),
    fc.array(fc.integer(), { maxLength: 100 }),
  )

  it('of what the encoder writes is whole, and of any part of it is not', () => {
    fc.assert(
      fc.property(value, fc.nat(), (given, some) => {
        let bytes: Uint8Array
        try {
          bytes = encoder.encode(given)
        } catch {
          return
        }
        expect(isWhole(bytes)).toBe(true)
        expect(isWhole(bytes.subarray(0, some % bytes.length))).toBe(false)
        expect(isWhole(new Uint8Array([...bytes, 0]))).toBe(false)
      }),
    )
  })

  it('may be a hundred levels deep, as deep as the encoder goes', () => {
    let nested: unknown = 1
    for (let depth = 0; depth < 99; depth++) nested = [nested]
    expect(isWhole(encoder.encode(nested))).toBe(true)
    expect(isWhole(new Uint8Array([...new Uint8Array(101).fill(0x91), 1]))).toBe(false)
  })
})
