/** Text and bytes: the same with Node's Buffer and without it. */
import fc from 'fast-check'
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

  it('is told from its bytes where it is ASCII, and never taken for other bytes', async () => {
    const { decodeText, isAscii } = await import('../../base/bytes.ts')
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 6 }), fc.uint8Array({ maxLength: 6 }), (one, two) => {
        const text = decodeText(one, 0, one.length)
        const isPlain = one.every((byte) => byte < 0x80)
        expect(isAscii(text, one, 0, one.length)).toBe(isPlain)
        expect(isAscii(text, two, 0, two.length)).toBe(isPlain && Buffer.compare(one, two) === 0)
        expect(isAscii(text, Uint8Array.of(1, ...one, 1), 1, one.length + 1)).toBe(isPlain)
      }),
    )
  })
})
