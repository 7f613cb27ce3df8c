/**
 * Reads the fields of what was received, and judges each: a wrong one is INVALID_REQUEST, nothing is passed on unread.
 *
 * Floor 3, pure.
 */
import { decodeValue } from './codec.ts'
import { brokerError } from './errors.ts'

export type Fields = Readonly<Record<string, unknown>>

/** Throws INVALID_REQUEST, or INVALID_DATA for what is no msgpack. */
export function decodeFields(bytes: Uint8Array): Fields {
  const value = decodeValue(bytes)
  if (typeof value !== 'object' || value === null) throw brokerError('INVALID_REQUEST')
  return value as Fields
}

export function textOf(fields: Fields, name: string): string {
  const value = fields[name]
  if (typeof value !== 'string') throw brokerError('INVALID_REQUEST', `The field ${name} is no text.`)
  return value
}

export function countOf(fields: Fields, name: string): number {
  const value = fields[name]
  if (!isCount(value)) throw brokerError('INVALID_REQUEST', `The field ${name} is no whole number.`)
  return value
}

/** The same where an older peer may leave the field out. */
export function countIfAny(fields: Fields, name: string, otherwise: number): number {
  return fields[name] === undefined || fields[name] === null ? otherwise : countOf(fields, name)
}

export function listOf<T>(value: unknown, judge: (item: unknown) => T): T[] {
  if (!Array.isArray(value)) throw brokerError('INVALID_REQUEST', 'What should be a list is none.')
  return value.map(judge)
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
