/** The decoder: the same frames however the bytes come in pieces, and an error instead of anything else. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SignalboxError } from '../../../base/errors.ts'
import type { FrameSink } from '../../../socket/transport/port.ts'
import { Decoder } from '../../../socket/wire/decoder.ts'
import { headerBytes, Kind, maxFrameBytes } from '../../../socket/wire/frame.ts'
import { decodeFrames, encodeFrame, type NaiveFrame } from './naive-frame.ts'

/** Keeps the frames, and checks that those said to lie with their header in front do. */
class Collector implements FrameSink {
  readonly frames: NaiveFrame[] = []

  frame(
    kind: number,
    flags: number,
    stream: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    framed: boolean,
  ): void {
    const payload = Buffer.from(bytes.subarray(start, end))
    this.frames.push({ kind, flags, stream, id, payload })
    if (!framed) return
    const whole = Buffer.from(bytes.subarray(start - headerBytes, end))
    expect(whole).toEqual(encodeFrame({ kind, flags, stream, id, payload }))
  }
}

const u32 = fc.oneof(fc.nat(20), fc.constantFrom(0xffffffff, 0x80000000, 0x7fffffff))
const plain = fc.record({
  kind: fc.constantFrom(...Object.values(Kind).filter((kind) => kind !== Kind.DATA)),
  flags: fc.constant(0),
  stream: u32,
  id: u32,
  payload: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
})
const frame = fc.oneof(
  plain,
  fc.tuple(plain, fc.nat(15)).map(([one, flags]) => ({ ...one, kind: Kind.DATA, flags })),
) as fc.Arbitrary<NaiveFrame>

function decode(pieces: readonly Uint8Array[], limit = maxFrameBytes): NaiveFrame[] {
  const sink = new Collector()
  const decoder = new Decoder(limit, sink)
  for (const piece of pieces) decoder.push(piece)
  return sink.frames
}

/** The code of what `call` throws; anything but an error of the table is thrown on. */
function codeOf(call: () => void): string | undefined {
  try {
    call()
    return undefined
  } catch (error) {
    if (error instanceof SignalboxError) return error.code
    throw error
  }
}

/** `bytes` cut at the given places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((one, two) => one - two)
  return at.slice(1).map((end, index) => Buffer.from(bytes.subarray(at[index], end)))
}

describe('the decoder', () => {
  const conversation = [
    { kind: Kind.HELLO, flags: 0, stream: 0, id: 0, payload: Buffer.from('{"magic":"signalbox"}') },
    { kind: Kind.PING, flags: 0, stream: 0, id: 0, payload: Buffer.alloc(0) },
    { kind: Kind.DATA, flags: 3, stream: 0xffffffff, id: 0x80000001, payload: Buffer.from('payload') },
    { kind: Kind.CREDIT, flags: 0, stream: 7, id: 65_536, payload: Buffer.alloc(0) },
  ]
  const bytes = Buffer.concat(conversation.map(encodeFrame))

  it('[SOCK 2.1] reads the header fields where the clause puts them', () => {
    expect(decode([bytes])).toEqual(conversation)
  })

  it('gives the same frames when the bytes are split in two at every place', () => {
    for (let at = 0; at <= bytes.length; at++) expect(decode(cut(bytes, [at]))).toEqual(conversation)
  })

  it('gives the same frames when the bytes come one at a time', () => {
    expect(decode([...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(conversation)
  })

  it('gives the same frames however the bytes are split', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 12 }), (frames, places) => {
        expect(decode(cut(Buffer.concat(frames.map(encodeFrame)), places))).toEqual(frames)
      }),
    )
  })

  it('knows whether a frame has begun and is not complete', () => {
    const decoder = new Decoder(maxFrameBytes, new Collector())
    const one = encodeFrame({ kind: Kind.DATA, payload: Buffer.from('abc') })
    for (let at = 0; at < one.length; at++) {
      expect(decoder.isPartial).toBe(at > 0)
      decoder.push(one.subarray(at, at + 1))
    }
    expect(decoder.isPartial).toBe(false)
    decoder.push(Buffer.concat([one, one.subarray(0, 17)]))
    expect(decoder.isPartial).toBe(true)
  })

  it('[SOCK 2.2] takes the largest payload and refuses one that is a byte longer, by its header alone', () => {
    const largest = encodeFrame({ kind: Kind.DATA, payload: Buffer.alloc(maxFrameBytes, 1) })
    expect(decode([largest.subarray(0, 5_000), largest.subarray(5_000)])[0]?.payload.length).toBe(maxFrameBytes)
    const header = Buffer.from(largest.subarray(0, headerBytes))
    header.writeUInt32LE(maxFrameBytes + 1, 0)
    for (const pieces of [[header], cut(header, [1, 7, 15])]) {
      expect(codeOf(() => decode(pieces))).toBe('FRAME_TOO_LARGE')
    }
  })

  it('obeys a limit that is changed between frames', () => {
    const decoder = new Decoder(10, new Collector())
    const eleven = encodeFrame({ kind: Kind.HELLO, payload: Buffer.alloc(11) })
    decoder.push(encodeFrame({ kind: Kind.HELLO, payload: Buffer.alloc(10) }))
    decoder.maxFrameBytes = 11
    decoder.push(eleven)
    decoder.maxFrameBytes = 10
    expect(codeOf(() => decoder.push(eleven))).toBe('FRAME_TOO_LARGE')
  })

  it('[SOCK 2.5] refuses unknown kinds and flags of links, and leaves those of streams to their ends', () => {
    const kinds: number[] = Object.values(Kind)
    for (let kind = 0; kind < 256; kind++) {
      const code = codeOf(() => decode([encodeFrame({ kind })]))
      expect([kind, code]).toEqual([kind, kind >= 32 || kinds.includes(kind) ? undefined : 'BAD_FRAME'])
    }
    for (let flags = 0; flags < 256; flags++) {
      expect(codeOf(() => decode([encodeFrame({ kind: Kind.DATA, flags })]))).toBe(undefined)
      expect(codeOf(() => decode([encodeFrame({ kind: Kind.PING, flags })]))).toBe(flags < 1 ? undefined : 'BAD_FRAME')
    }
  })

  it('[SOCK 2.5] refuses reserved bytes that are not zero', () => {
    for (const at of [6, 7]) {
      const one = encodeFrame({ kind: Kind.PING })
      one[at] = 1
      expect(codeOf(() => decode([one]))).toBe('BAD_FRAME')
    }
  })

  it('ignores what comes after it was stopped, also the rest of the same chunk', () => {
    const sink = new Collector()
    const decoder: Decoder = new Decoder(maxFrameBytes, {
      frame: (...all) => {
        sink.frame(...all)
        if (sink.frames.length === 2) decoder.stop()
      },
    })
    decoder.push(bytes.subarray(0, 20))
    decoder.push(bytes.subarray(20))
    decoder.push(bytes)
    expect(sink.frames).toEqual(conversation.slice(0, 2))
    expect(decoder.isPartial).toBe(false)
  })

  it('turns any garbage into frames or into one of its two errors, and never reads on after an error', () => {
    const garbage = fc.array(
      fc.oneof(
        frame.map(encodeFrame),
        fc.uint8Array({ maxLength: 80 }).map((some) => Buffer.from(some)),
        fc.tuple(frame, fc.nat(15), fc.nat(255)).map(([one, at, value]) => {
          const spoilt = encodeFrame(one)
          spoilt[at] = value
          return spoilt
        }),
      ),
      { maxLength: 10 },
    )
    fc.assert(
      fc.property(garbage, fc.array(fc.nat(), { maxLength: 10 }), (parts, places) => {
        const all = Buffer.concat(parts)
        const expected = decodeFrames(all).frames
        const sink = new Collector()
        const decoder = new Decoder(maxFrameBytes, sink)
        const code = codeOf(() => {
          for (const piece of cut(all, places)) decoder.push(piece)
        })
        expect([undefined, 'BAD_FRAME', 'FRAME_TOO_LARGE']).toContain(code)
        expect(sink.frames).toEqual(expected.slice(0, sink.frames.length))
        if (code === undefined) expect(sink.frames.length).toBe(expected.length)
      }),
      { numRuns: 300 },
    )
  })
})
