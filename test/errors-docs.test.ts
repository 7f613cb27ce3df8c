/**
 * Keeps docs/errors.md and the error tables in step.
 *
 * To write the page again: UPDATE_DOCS=1 npx vitest run test/errors-docs.test.ts
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { socketErrors } from '../base/errors.ts'
import { brokerErrors } from '../broker/shared/errors.ts'
import { type ErrorTable, errorsDocs, ranges } from './errors-docs.ts'

const page = join(import.meta.dirname, '../docs/errors.md')
const table: ErrorTable = { ...socketErrors, ...brokerErrors }
const entries = Object.entries(table)

describe('docs/errors.md', () => {
  beforeAll(() => {
    const { UPDATE_DOCS } = process.env
    if (UPDATE_DOCS === '1') writeFileSync(page, errorsDocs(table))
  })

  it('says exactly what the tables say (UPDATE_DOCS=1 writes it again)', () => {
    expect(readFileSync(page, 'utf8')).toBe(errorsDocs(table))
  })

  it('has a line for every code', () => {
    const lines = readFileSync(page, 'utf8').split('\n')
    for (const [code, { number }] of entries) {
      expect(lines.filter((line) => line.startsWith(`| \`${code}\` | ${number} |`))).toHaveLength(1)
    }
  })

  it('escapes what Markdown would take for itself', () => {
    const entry = { number: 4100, retryable: false, meaning: "A '*' or | came.", advice: 'Use `a.*`.' }
    expect(errorsDocs({ STAR: entry })).toContain("| A '\\*' or \\| came. | Use `a.*`. |")
  })

  it('would differ if an entry changed', () => {
    const changed = { ...table, TIMEOUT: { ...socketErrors.TIMEOUT, retryable: false } }
    expect(errorsDocs(changed)).not.toBe(errorsDocs(table))
  })
})

describe('the error tables', () => {
  it('share no code and no number', () => {
    expect(entries).toHaveLength(Object.keys(socketErrors).length + Object.keys(brokerErrors).length)
    expect(new Set(entries.map(([, entry]) => entry.number)).size).toBe(entries.length)
  })

  it('keep to the ranges, the broker to its own', () => {
    const rangeOf = (number: number) => ranges.find(({ from }) => number > from && number < from + 1000)?.title
    for (const { number } of Object.values(socketErrors)) {
      expect(['Reconnect', 'Terminal', 'Request and channel']).toContain(rangeOf(number))
    }
    for (const { number } of Object.values(brokerErrors)) expect(rangeOf(number)).toBe('Broker')
  })

  it('call what reconnects retryable, and what is terminal not', () => {
    for (const [code, { number, retryable }] of entries) {
      if (number < 2000) expect([code, retryable]).toEqual([code, true])
      else if (number < 3000) expect([code, retryable]).toEqual([code, false])
    }
  })

  it('speak in whole sentences', () => {
    for (const [, { meaning, advice }] of entries) {
      expect(meaning).toMatch(/^[A-Z].*\.$/)
      expect(advice).toMatch(/^[A-Z].*\.$/)
    }
  })
})
