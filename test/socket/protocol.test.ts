/** The protocol's text and the code agree: on the kinds, the flags, the sizes, and on the clauses that are cited. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { initialWindowBytes, linkDefaults, serverDefaults } from '../../socket/options.ts'
import { maxHelloBytes, version } from '../../socket/wire/control-frames.ts'
import { Flag, headerBytes, Kind, maxFrameBytes } from '../../socket/wire/frame.ts'

const root = join(import.meta.dirname, '../..')
const page = readFileSync(join(root, 'socket/PROTOCOL.md'), 'utf8')
const clauses = new Set([...page.matchAll(/^(\d+\.\d+) /gm)].map(([, clause]) => clause as string))
const chapters = new Set([...page.matchAll(/^## (\d+) /gm)].map(([, chapter]) => chapter as string))

/** The rows of a table as name and number. */
function rows(pattern: RegExp): Record<string, number> {
  return Object.fromEntries([...page.matchAll(pattern)].map(([, name, value]) => [name, Number(value)]))
}

/** Every citation in the sources and tests: the file and the clause. */
function citations(folder: string): [string, string][] {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
  return files
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => {
      const text = readFileSync(join(root, folder, file), 'utf8')
      return [...text.matchAll(/\[SOCK ([\d.]+)\]/g)].map(([, clause]): [string, string] => [file, clause as string])
    })
}

describe('socket/PROTOCOL.md', () => {
  it('lists every kind of frame with its number, and no other', () => {
    expect(rows(/^\| ([A-Z]+) \| (\d+) \| (?:C|S|both|Consumer) \|/gm)).toEqual(Kind)
  })

  it('lists every flag with its value, and no other', () => {
    expect(rows(/^\| ([A-Z]+) \| (\d+) \| [^|]+ \|$/gm)).toEqual(Flag)
  })

  it('gives the sizes and times that the code has', () => {
    const figure = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ' ')
    for (const value of [maxFrameBytes, maxHelloBytes, initialWindowBytes]) expect(page).toContain(figure(value))
    expect(page).toContain(`# The socket protocol, version ${version}`)
    expect([headerBytes, linkDefaults.heartbeatMs, serverDefaults.heartbeatMs]).toEqual([16, 15_000, 15_000])
    expect(serverDefaults.handshakeTimeoutMs).toBe(5_000)
  })

  it('has every clause that the sources and the tests cite', () => {
    const cited = [...citations('socket'), ...citations('test/socket')]
    const unknown = cited.filter(([, clause]) => !clauses.has(clause) && !chapters.has(clause))
    expect([unknown, cited.length > 40]).toEqual([[], true])
  })

  it('numbers its clauses one after the other', () => {
    const counts = new Map<string, number>()
    for (const clause of clauses) {
      const [chapter, number] = clause.split('.') as [string, string]
      counts.set(chapter, (counts.get(chapter) ?? 0) + 1)
      expect([clause, Number(number)]).toEqual([clause, counts.get(chapter)])
    }
    expect([...counts.keys()]).toEqual([...chapters])
  })
})
