/**
 * Checks options given by a user, so that a typing mistake is an error that says what was expected.
 *
 * Floor 1, pure. A rule is a sentence of what is expected and a test for it; an option without a rule is unknown.
 */
import { socketError } from './errors.ts'

export interface Rule {
  /** Completes "expected ...". */
  readonly expected: string
  test(value: unknown): boolean
}

export type Rules = Readonly<Record<string, Rule>>

export const isNumber = (min: number, max = Number.POSITIVE_INFINITY): Rule => ({
  expected: `a number from ${min} to ${max}`,
  test: (value) => typeof value === 'number' && value >= min && value <= max,
})

export const isInteger = (min: number, max = Number.MAX_SAFE_INTEGER): Rule => ({
  expected: `a whole number from ${min} to ${max}`,
  test: (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
})

export const isText = (maxChars: number, minChars = 0): Rule => ({
  expected: `a string of ${minChars === 0 ? 'at most' : `${minChars} to`} ${maxChars} characters`,
  test: (value) => typeof value === 'string' && value.length >= minChars && value.length <= maxChars,
})

export const isOneOf = (...values: readonly unknown[]): Rule => ({
  expected: `one of ${values.map((value) => JSON.stringify(value)).join(', ')}`,
  test: (value) => values.includes(value),
})

export const isBoolean: Rule = { expected: 'true or false', test: (value) => typeof value === 'boolean' }

export const isFunction: Rule = { expected: 'a function', test: (value) => typeof value === 'function' }

export const isObject: Rule = {
  expected: 'an object',
  test: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
}

export const isArray: Rule = { expected: 'an array', test: Array.isArray }

export const isSignal: Rule = { expected: 'an AbortSignal', test: (value) => value instanceof AbortSignal }

/** All of it: a clock that lacks a method would be found out in the middle of something. */
export const isAnything: Rule = { expected: 'anything', test: () => true }

/**
 * Throws INVALID_OPTION unless every property of `given` is named in `rules` and passes. `undefined` counts as not
 * given. `where` names the call in the message, such as `subscribe`.
 */
export function verify(where: string, given: object, rules: Rules): void {
  if (!isObject.test(given)) throw invalid(where, 'what was given', 'an object of options', given)
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined
    if (rule === undefined) {
      const known = Object.keys(rules).join(', ')
      throw socketError('INVALID_OPTION', `${where} has no option '${name}'; it knows ${known}.`, { details: { name } })
    }
    if (!rule.test(value)) throw invalid(where, name, rule.expected, value)
  }
}

/** An INVALID_OPTION error for one option or argument. */
export function invalid(where: string, name: string, expected: string, value: unknown): Error {
  const what = `${where}: ${name} is ${describe(value)}; expected ${expected}.`
  return socketError('INVALID_OPTION', what, { details: { name, expected } })
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 100))
  if (value === null || ['undefined', 'number', 'boolean'].includes(typeof value)) return String(value)
  if (typeof value === 'function') return 'a function'
  return `of type ${Array.isArray(value) ? 'array' : typeof value}`
}

/** The same options, where `undefined` says that one is not given, also to compilers that tell that from leaving it out. */
export type MayBeUndefined<Options> = { readonly [Name in keyof Options]: Options[Name] | undefined }

/** A copy without the properties that are `undefined`, so that they do not hide a default. */
export function defined<T extends object>(given: T): T {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T
}
