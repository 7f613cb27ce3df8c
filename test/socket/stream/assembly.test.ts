/**
 * The fragments of a large payload: judged by what was announced, put together once, and never in the way of credit.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Assembly, beginAssembly } from '../../../socket/stream/assembly.ts'
import { costOf, headerBytes, maxFrameBytes } from '../../../socket/wire/frame.ts'

const window = 64 * 1024
const maxMessageBytes = 16 * 1024 * 1024

/** Feeds a payload in full fragments. Returns what was given back early, each time. */
function feed(assembly: Assembly, payload: Buffer): number[] {
  const early: number[] = []
  for (let at = 0; at < payload.length; at += maxFrameBytes) {
    const end = Math.min(payload.length, at + maxFrameBytes)
    early.push(assembly.add(payload, at, end, costOf(end - at), end === payload.length))
  }
  return early
}

describe('a payload in fragments', () => {
  it('[SOCK 5.3] comes out as it went in', () => {
    const payload = Buffer.from(Array.from({ length: 200_000 }, (_, at) => at % 251))
    const assembly = beginAssembly(7, payload.length, maxMessageBytes, window)
    feed(assembly, payload)
    expect(payload.equals(assembly.whole() ?? Buffer.alloc(0))).toBe(true)
    expect([assembly.id, assembly.total, assembly.refusal]).toEqual([7, 200_000, undefined])
  })

  it('[SOCK 6.4] holds back half a window of credit and gives the rest back as it comes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2_000_000 }), fc.constantFrom(window, 4 * window), (size, windowBytes) => {
        const assembly = beginAssembly(1, size, maxMessageBytes, windowBytes)
        const early = feed(assembly, Buffer.alloc(size)).reduce((sum, bytes) => sum + bytes, 0)
        const cost = size + headerBytes * Math.ceil(size / maxFrameBytes)
        expect(assembly.cost).toBe(Math.min(cost, windowBytes / 2))
        expect(early + assembly.cost).toBe(cost)
      }),
    )
  })

  it('[SOCK 5.4] is thrown away as it comes when it is over the limit, and costs nothing', () => {
    const assembly = beginAssembly(1, 300_000, 299_999, window)
    expect(assembly.refusal?.code).toBe('MESSAGE_TOO_LARGE')
    expect(feed(assembly, Buffer.alloc(300_000))).toEqual([65_552, 65_552, 65_552, 65_552, 37_872])
    expect([assembly.cost, assembly.whole()]).toEqual([0, undefined])
  })

  it('[SOCK 5.3] is refused when it is longer or shorter than was announced', () => {
    const bad = expect.objectContaining({ code: 'BAD_FRAME' })
    const long = beginAssembly(1, 10, maxMessageBytes, window)
    expect(() => long.add(Buffer.alloc(11), 0, 11, 27, true)).toThrow(bad)
    const refused = beginAssembly(1, 10, 5, window)
    expect(() => refused.add(Buffer.alloc(11), 0, 11, 27, true)).toThrow(bad)
    const short = beginAssembly(1, 10, maxMessageBytes, window)
    short.add(Buffer.alloc(9), 0, 9, 25, true)
    expect(() => short.whole()).toThrow(bad)
  })

  it('[SOCK 5.3] is refused when another fragment is to follow the whole, which would cost more than was announced', () => {
    const assembly = beginAssembly(7, 2 * maxFrameBytes, maxMessageBytes, window)
    const full = Buffer.alloc(maxFrameBytes)
    assembly.add(full, 0, maxFrameBytes, costOf(maxFrameBytes), false)
    expect(() => assembly.add(full, 0, maxFrameBytes, costOf(maxFrameBytes), false)).toThrow('longer')
  })

  it('[SOCK 5.3] is refused when a fragment before the last is not full, so that nobody is buried in small ones', () => {
    for (const length of [0, 1, maxFrameBytes - 1]) {
      const assembly = beginAssembly(1, 1_000_000, maxMessageBytes, window)
      const add = (): number => assembly.add(Buffer.alloc(length), 0, length, costOf(length), false)
      expect(add).toThrow(expect.objectContaining({ code: 'BAD_FRAME' }))
    }
  })
})
