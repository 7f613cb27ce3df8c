/** Pages that name files name files that are there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')
const pages = [
  ...['README.md', 'socket/PROTOCOL.md', 'broker/PROTOCOL.md'],
  ...readdirSync(join(root, 'docs')).flatMap((name) => (name.endsWith('.md') ? [`docs/${name}`] : [])),
  ...readdirSync(join(root, 'docs/decisions')).map((name) => `docs/decisions/${name}`),
]

describe.each(pages)('%s', (page) => {
  it('names files that are there', () => {
    const text = readFileSync(join(root, page), 'utf8')
    const named = [...text.matchAll(/`((?:base|socket|broker|test|bench|examples)\/[\w./-]*\.(?:ts|md|txt))`/g)]
    for (const [, path = ''] of named) expect(existsSync(join(root, path)), path).toBe(true)
  })
})
