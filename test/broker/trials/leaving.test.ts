/**
 * Leaving: what was closed holds nothing any more, the process ends by itself, and nothing fails where nobody looks.
 */
import { describe, expect, it } from 'vitest'
import { freePort } from '../../free-port.ts'
import { Child } from '../tools/child.ts'

describe('a program that has closed what it opened', () => {
  it('ends by itself, however that went, with no handle left and no rejection unhandled', async () => {
    await using program = new Child('leaving', { freePort: await freePort() })
    const results: Record<string, unknown> = {}
    for (let i = 0; i < 7; i++) {
      const { scene, left, result } = await program.hear<{ scene: string; left: string[]; result: unknown }>('scene')
      expect([scene, left]).toEqual([scene, []])
      results[scene] = result
    }
    await program.hear('over')
    expect([await program.exit, program.complaints]).toEqual([{ code: 0, signal: null }, ''])
    expect(results).toMatchObject({
      'the broker is closed first, and the client tries to come back': [true, 'CLOSED', 'CLOSED', 2],
      'an attached broker': ['CHANNEL_CONFLICT', true],
      'what cannot be opened': [
        ...['TIMEOUT', 'CONNECT_FAILED', 'INVALID_OPTION', 'INVALID_OPTION', 'LISTEN_FAILED', 'INVALID_OPTION'],
        'CONNECT_FAILED',
      ],
    })
  })
})
