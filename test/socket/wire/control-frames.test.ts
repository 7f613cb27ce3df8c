/** What opens links, channel ends and streams: read field by field, and refused when a field is wrong. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SignalboxError } from '../../../base/errors.ts'
import {
  decodeHello,
  decodeOpen,
  decodePeer,
  decodeWelcome,
  encodeHello,
  encodeOpen,
  encodePeer,
  encodeWelcome,
  isChannelId,
} from '../../../socket/wire/control-frames.ts'
import { json } from './naive-frame.ts'

const channelId = '0b9c1f6e-5c55-4b0e-9f2a-3f1f5a8f0c11'
const hello = { magic: 'signalbox', version: 1, name: 'a', session: 'a secret that nobody guesses' }
const open = { role: 'consumer', channelId, shared: true }
const peer = {
  linkId: 3,
  name: 'a',
  transport: 'tcp',
  address: '127.0.0.1:9',
  identity: { name: 'ann' },
  features: ['header', 'of another time'],
}

type Decode = (bytes: Uint8Array, start: number, end: number) => unknown

function codeOf(decode: Decode, value: unknown): string | undefined {
  const bytes = Buffer.isBuffer(value) ? value : json(value)
  try {
    decode(bytes, 0, bytes.length)
    return undefined
  } catch (error) {
    if (error instanceof SignalboxError) return error.code
    throw error
  }
}

const whole = (decode: Decode, bytes: Uint8Array): unknown => decode(bytes, 0, bytes.length)

describe('the handshake', () => {
  it('[SOCK 3] reads what it writes', () => {
    const { name, session } = hello
    expect(whole(decodeHello, encodeHello({ name, session, auth: { token: 1 } }))).toEqual({
      name,
      session,
      auth: { token: 1 },
      features: ['header'],
    })
    expect(whole(decodeWelcome, encodeWelcome({ linkId: 9 }))).toEqual({ linkId: 9, features: ['header'] })
    expect(whole(decodeOpen, encodeOpen({ role: 'provider', channelId, shared: false }))).toEqual({
      role: 'provider',
      channelId,
      shared: false,
    })
    expect(whole(decodePeer, encodePeer(peer))).toEqual(peer)
  })

  it('[SOCK 3.1] refuses another magic word or version, and every wrong field of a HELLO', () => {
    expect(codeOf(decodeHello, hello)).toBeUndefined()
    expect(codeOf(decodeHello, { ...hello, magic: 'switchbox' })).toBe('BAD_FRAME')
    for (const version of [0, 2, '1', undefined]) {
      expect(codeOf(decodeHello, { ...hello, version })).toBe('VERSION_MISMATCH')
    }
    const wrong = [{ name: 'x'.repeat(201) }, { name: 1 }, { session: 7 }, { session: 'x'.repeat(101) }]
    for (const part of [...wrong, { session: '' }, { session: 'too short' }, { session: undefined }]) {
      expect(codeOf(decodeHello, { ...hello, ...part })).toBe('BAD_FRAME')
    }
  })

  it('[SOCK 3.8] tells features, ignores unknown ones, and takes a side that names none for one that has none', () => {
    const unknown = ['header', 'a feature of another time']
    expect(whole(decodeHello, json({ ...hello, features: unknown }))).toMatchObject({ features: unknown })
    expect(whole(decodeHello, json(hello))).toMatchObject({ features: [] })
    expect(whole(decodeWelcome, json({ linkId: 1, features: unknown, later: true }))).toEqual({
      linkId: 1,
      features: unknown,
    })
    const { features: _features, ...without } = peer
    expect(whole(decodePeer, json(without))).toEqual({ ...peer, features: [] })
  })

  it('[SOCK 3.8] refuses a side that insists on what is not here with FEATURE_MISSING, and names it', () => {
    for (const [decode, good] of [
      [decodeHello, hello],
      [decodeWelcome, { linkId: 1 }],
    ] as const) {
      expect(codeOf(decode, { ...good, requires: ['header'] })).toBeUndefined()
      expect(codeOf(decode, { ...good, requires: ['header', 'compressed'] })).toBe('FEATURE_MISSING')
      expect(() => whole(decode, json({ ...good, requires: ['compressed'] }))).toThrow(/"compressed"/)
      for (const wrong of ['header', 7, null, {}, [1], ['x'.repeat(65)], Array.from({ length: 65 }, () => 'x')]) {
        expect(codeOf(decode, { ...good, features: wrong })).toBe('BAD_FRAME')
        expect(codeOf(decode, { ...good, requires: wrong })).toBe('BAD_FRAME')
      }
    }
  })

  it('refuses credentials that JSON cannot carry with INVALID_OPTION', () => {
    const circular: Record<string, unknown> = {}
    circular['self'] = circular
    for (const auth of [1n, circular]) {
      expect(() => encodeHello({ name: '', session: hello.session, auth })).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTION' }),
      )
    }
  })

  it('[SOCK 4.1] refuses every wrong field of an OPEN, and reads a channel id in any case', () => {
    const wrong = [{ role: 'server' }, { role: undefined }, { shared: 1 }, { channelId: 'orders' }, { channelId: 4 }]
    for (const part of wrong) expect(codeOf(decodeOpen, { ...open, ...part })).toBe('BAD_FRAME')
    expect(whole(decodeOpen, json({ ...open, channelId: channelId.toUpperCase() }))).toMatchObject({ channelId })
  })

  it('refuses every wrong field of a WELCOME or an ATTACH', () => {
    for (const linkId of ['1', 1.5, null]) expect(codeOf(decodeWelcome, { linkId })).toBe('BAD_FRAME')
    for (const part of [
      { linkId: 'a' },
      { name: 1 },
      { transport: null },
      { address: 5 },
      { identity: null },
      { features: 'header' },
    ]) {
      expect(codeOf(decodePeer, { ...peer, ...part })).toBe('BAD_FRAME')
    }
  })

  it('says that a version is another, also one that has no text', () => {
    for (const version of [{ toString: null }, { toString: 1, valueOf: 1 }, [{ toString: null }], null]) {
      expect(codeOf(decodeHello, { ...hello, version })).toBe('VERSION_MISMATCH')
    }
  })

  it('answers any bytes and any JSON with BAD_FRAME or VERSION_MISMATCH, never with an accident', () => {
    const any = fc.oneof(
      fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
      fc.json().map((text) => Buffer.from(text)),
      fc
        .tuple(fc.constantFrom(...Object.keys({ ...hello, ...open, ...peer })), fc.jsonValue())
        .map(([key, value]) => json({ ...hello, ...open, ...peer, [key]: value })),
    )
    fc.assert(
      fc.property(any, fc.constantFrom<Decode>(decodeHello, decodeOpen, decodePeer, decodeWelcome), (bytes, decode) => {
        expect([undefined, 'BAD_FRAME', 'VERSION_MISMATCH']).toContain(codeOf(decode, bytes))
      }),
      { numRuns: 300 },
    )
  })

  it('takes for a channel id what is a UUID, and nothing else', () => {
    expect(isChannelId(channelId)).toBe(true)
    for (const id of ['', 'x', `${channelId}0`, channelId.replaceAll('-', ''), ` ${channelId}`, `${channelId}\n`, 4]) {
      expect(isChannelId(id)).toBe(false)
    }
  })
})
