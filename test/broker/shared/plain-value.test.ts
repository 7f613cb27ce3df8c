/** What broke: a Map, an Error or an instance of a class arrived as `{}`, an invalid date as 1970, undefined as null. */
import { describe, expect, it } from 'vitest'
import { decodeValue, encodeValue } from '../../../broker/shared/codec.ts'

const back = (value: unknown) => decodeValue(encodeValue(value))

class Money {
  readonly cents: number
  constructor(cents: number) {
    this.cents = cents
  }
}

class Shown extends Money {
  toJSON(): object {
    return { euros: this.cents / 100, at: new Date(5) }
  }
}

describe('a value that JSON would carry otherwise', () => {
  it.each([
    ['an undefined property', { a: undefined, b: 1 }],
    ['an undefined item', [1, undefined, 2]],
    ['a hole', Object.assign(new Array(2), { 1: 2 })],
    ['a toJSON of an instance', { items: [new Shown(150)] }],
    ['a toJSON of a literal', { toJSON: () => 'text' }],
    ['a URL', { link: new URL('http://localhost/a?b=c') }],
    ['an object without a prototype', Object.assign(Object.create(null), { a: 1 })],
  ])('of %s is carried as JSON would', (_name, value) => {
    const { items } = (value ?? {}) as { items?: unknown }
    const expected = items ? { items: [{ euros: 1.5, at: new Date(5) }] } : JSON.parse(JSON.stringify(value))
    expect(back(value)).toEqual(expected)
  })

  it.each([
    ['a Map', new Map([[1, 2]]), /data\.items\[2\]\.price is an instance of Map/],
    ['a Set', new Set([1]), /instance of Set/],
    ['an Error', new Error('x'), /instance of Error/],
    ['an ArrayBuffer', new ArrayBuffer(4), /instance of ArrayBuffer/],
    ['numbers in a typed array', new Float64Array(2), /instance of Float64Array/],
    ['a Promise', Promise.resolve(1), /instance of Promise/],
    ['a function', () => 1, /price is a function/],
    ['a symbol', Symbol('s'), /price is a symbol/],
    ['a bigint', 10n, /price is a bigint/],
    ['an instance of a class', new Money(5), /instance of Money/],
    ['an invalid date', new Date(Number.NaN), /price is an invalid Date/],
    ['an own key __proto__', JSON.parse('{"__proto__":1}'), /price\.__proto__ is a key/],
  ])('%s is refused with its place', (_name, price, message) => {
    const refused = expect.objectContaining({ code: 'INVALID_DATA', message: expect.stringMatching(message) })
    expect(() => encodeValue({ items: [1, 2, { price }] })).toThrow(refused)
    expect(() => encodeValue(price)).toThrow(expect.objectContaining({ code: 'INVALID_DATA' }))
  })

  it('that contains itself is refused, also beside an instance', () => {
    const loop: { date: Shown; self?: unknown } = { date: new Shown(1) }
    loop.self = loop
    expect(() => encodeValue(loop)).toThrow(expect.objectContaining({ code: 'INVALID_DATA' }))
  })

  it('that contains itself, and nothing else that is odd, is told so', () => {
    const loop: { self?: unknown } = {}
    loop.self = loop
    const message = expect.stringMatching(/data\.self\.self.* contains itself/)
    expect(() => encodeValue(loop)).toThrow(expect.objectContaining({ code: 'INVALID_DATA', message }))
  })

  it.each([null, undefined, 1, 'text', Object.create(null)])('whose getter throws %j is refused', (thrown) => {
    const value = {
      get price(): number {
        throw thrown
      },
    }
    expect(() => encodeValue(value)).toThrow(expect.objectContaining({ code: 'INVALID_DATA' }))
  })
})
