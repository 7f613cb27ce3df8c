/**
 * What of JavaScript's values may be published, and how the others are told apart.
 *
 * Floor 1, pure. What JSON would carry is carried as JSON would (`toJSON` is honoured, undefined properties are dropped),
 * dates and bytes as they are. Everything else is refused by its place: it would arrive as `{}`, or as something else.
 */
import { SignalboxError } from '#base/errors'
import { brokerError } from './errors.ts'

/** As deep as the encoder goes. */
const maxDepth = 100

/** Whether an object can be encoded as it is; of what is in it this says nothing. */
export function isPlain(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return true
  return isMap(value) && !Object.hasOwn(value, '__proto__')
}

/** An object literal, also one of another realm, and not an instance of a class. */
function isMap(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null
}

/** A copy of a value in which everything can be encoded. Throws INVALID_DATA with the path of what cannot. */
export function plainOf(value: unknown): unknown {
  try {
    return copyOf(value, 'data', 0)
  } catch (error) {
    if (error instanceof SignalboxError) throw error
    throw brokerError('INVALID_DATA', `The value cannot be read: ${reasonOf(error)}.`, { cause: error })
  }
}

/** A getter may throw anything, also what has no text. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : `a ${thrown === null ? 'null' : typeof thrown} was thrown`
}

function copyOf(value: unknown, path: string, depth: number): unknown {
  if (value === undefined || value === null || isScalar(value) || value instanceof Uint8Array) return value
  if (depth > maxDepth) throw refusal(path, 'too deep in it, or contains itself')
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw refusal(path, 'an invalid Date')
    return value
  }
  const { toJSON } = value as { toJSON?: unknown }
  if (typeof toJSON === 'function') return copyOf(toJSON.call(value), path, depth + 1)
  if (Array.isArray(value)) return Array.from(value, (item, at) => copyOf(item, `${path}[${at}]`, depth + 1))
  if (typeof value !== 'object' || !isMap(value)) throw refusal(path, nameOf(value))
  const copy: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value)) {
    // A receiver that sets it would change what its object inherits from.
    if (key === '__proto__') throw refusal(`${path}.__proto__`, 'a key that cannot be carried')
    copy[key] = copyOf(item, /^[\w$]+$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`, depth + 1)
  }
  return copy
}

function isScalar(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

function refusal(path: string, what: string): SignalboxError {
  return brokerError('INVALID_DATA', `${path.slice(0, 500)} is ${what}.`, { details: { path } })
}

function nameOf(value: unknown): string {
  if (typeof value !== 'object') return `a ${typeof value}`
  const name: unknown = value?.constructor?.name
  return typeof name === 'string' && name !== '' ? `an instance of ${name}` : 'an object that is not plain'
}
