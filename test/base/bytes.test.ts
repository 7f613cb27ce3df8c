/** Text and bytes: the same with Node's Buffer and without it. */
import { afterEach, describe, expect, it, vi } from 'vitest'

type Bytes = typeof import('../../base/bytes.ts')

afterEach(() => {
  vi.unstubAllGlobals()
  vi.resetModules()
})

/** The module as it is where there is no Buffer. */
async function withoutBuffer(): Promise<Bytes> {
  vi.resetModules()
  vi.stubGlobal('Buffer', undefined)
  const module = await import('../../base/bytes.ts')
  vi.unstubAllGlobals()
  return module
}

describe('text', () => {
  it.each(['', 'plain', 'Grüße', '\u{1f600}', '\uFEFFwith a mark in front', 'in\uFEFFside'])(
    'comes back as it was, with a Buffer or without: %j',
    async (text) => {
      for (const { encodeText, decodeText } of [await import('../../base/bytes.ts'), await withoutBuffer()]) {
        const encoded = encodeText(`<${text}>`)
        expect(decodeText(encoded, 1, encoded.length - 1)).toBe(text)
      }
    },
  )
})
