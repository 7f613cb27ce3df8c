/** The check of options: what is wrong is said in one sentence that names it, what was given and what was expected. */
import { describe, expect, it } from 'vitest'
import { SignalboxError } from '../../base/errors.ts'
import {
  isArray,
  isBoolean,
  isFunction,
  isInteger,
  isNumber,
  isObject,
  isOneOf,
  isSignal,
  isText,
  type Rules,
  verify,
} from '../../base/verify.ts'

const rules: Rules = { count: isInteger(1, 10), name: isText(5), mode: isOneOf('exclusive', 'shared') }

function refusal(given: unknown): SignalboxError {
  try {
    verify('open', given as object, rules)
  } catch (error) {
    expect(error).toBeInstanceOf(SignalboxError)
    return error as SignalboxError
  }
  throw new Error('it was accepted')
}

describe('the check of options', () => {
  it('accepts what the rules describe, and takes undefined for not given', () => {
    expect(() => verify('open', { count: 3, name: 'abc', mode: 'shared' }, rules)).not.toThrow()
    expect(() => verify('open', { count: undefined, strange: undefined }, rules)).not.toThrow()
    expect(() => verify('open', {}, rules)).not.toThrow()
  })

  it('refuses an option that does not exist, and lists those that do', () => {
    const error = refusal({ cuont: 3 })
    expect(error.code).toBe('INVALID_OPTION')
    expect(error.message).toContain("open has no option 'cuont'; it knows count, name, mode.")
    expect(error.details).toEqual({ name: 'cuont' })
  })

  it('does not take what every object inherits for a rule', () => {
    expect(refusal({ toString: 1 }).message).toContain("no option 'toString'")
    expect(refusal(JSON.parse('{"__proto__": 1}')).message).toContain("no option '__proto__'")
  })

  it('refuses a value out of range or of the wrong type, and says what was expected', () => {
    expect(refusal({ count: 11 }).message).toContain('open: count is 11; expected a whole number from 1 to 10.')
    expect(refusal({ count: 1.5 }).message).toContain('count is 1.5')
    expect(refusal({ count: '3' }).message).toContain('count is "3"')
    expect(refusal({ name: null }).message).toContain('name is null; expected a string of at most 5 characters.')
    expect(refusal({ name: ['a'] }).message).toContain('name is of type array')
    expect(refusal({ mode: 'both' }).message).toContain('expected one of "exclusive", "shared".')
  })

  it('shows no more than the beginning of a long text', () => {
    expect(refusal({ name: 'x'.repeat(10_000) }).message.length).toBeLessThan(400)
  })

  it('refuses options that are no object', () => {
    for (const given of [null, undefined, 3, 'port', [], () => 1]) {
      expect(refusal(given).message).toContain('open: what was given is')
    }
  })

  it('has rules that know their values from others', () => {
    const cases: [{ test(value: unknown): boolean }, unknown[], unknown[]][] = [
      [isNumber(0), [0, 0.5, Number.POSITIVE_INFINITY], [-1, Number.NaN, '1', null]],
      [isInteger(0), [0, 7, Number.MAX_SAFE_INTEGER], [1.5, 2 ** 60, Number.POSITIVE_INFINITY, '1']],
      [isText(3), ['', 'abc'], ['abcd', 1, null]],
      [isOneOf(1, 'a'), [1, 'a'], ['1', 2]],
      [isBoolean, [true, false], [0, 'true', null]],
      [isFunction, [() => 1, class {}], ['f', {}]],
      [isObject, [{}, new Map()], [null, [], 'a']],
      [isArray, [[], [1]], [{ length: 1 }, 'a']],
      [isSignal, [new AbortController().signal], [{ aborted: false }, null]],
    ]
    for (const [rule, good, bad] of cases) {
      expect(good.map((value) => rule.test(value))).toEqual(good.map(() => true))
      expect(bad.map((value) => rule.test(value))).toEqual(bad.map(() => false))
    }
  })
})
