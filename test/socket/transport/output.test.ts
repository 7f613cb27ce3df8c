/** What is gathered for the operating system: every frame, whole and in order, in few pieces. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Baggage } from '../../../socket/transport/baggage.ts'
import { Output } from '../../../socket/transport/output.ts'
import { headerBytes, Kind } from '../../../socket/wire/frame.ts'
import { encodeFrame, type NaiveFrame } from '../wire/naive-frame.ts'

const length = fc.oneof(
  fc.nat(40),
  fc.nat(2_000),
  fc.constantFrom(0, 8_192, 8_193, 8_176, 8_177, 65_536),
  fc.nat(70_000),
)
const frame = fc.record({
  kind: fc.constantFrom(Kind.DATA, Kind.CREDIT),
  flags: fc.nat(7),
  stream: fc.nat(),
  id: fc.nat(),
  length,
  isLent: fc.boolean(),
})
const step = fc.oneof(
  { weight: 4, arbitrary: frame.map((one) => ({ do: 'frame' as const, frame: one })) },
  {
    weight: 3,
    arbitrary: fc.array(frame, { minLength: 1, maxLength: 6 }).map((all) => ({ do: 'relay' as const, frames: all })),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'take' as const }) },
)

let filler = 0

const plain = { kind: Kind.DATA, flags: 0, stream: 1, id: 1 }

function filled(one: { kind: number; flags: number; stream: number; id: number; length: number }): NaiveFrame {
  const payload = Buffer.alloc(one.length)
  for (let at = 0; at < payload.length; at++) payload[at] = filler++
  return { ...one, payload }
}

/** What is taken, as it goes out; the system has it at once, or keeps a hold on it until later. */
function sent(output: Output, isGone: boolean): readonly Uint8Array[] {
  const pieces = output.take()
  const seen = isGone ? pieces.map((piece) => Buffer.from(piece)) : pieces
  output.release(isGone)
  return seen
}

describe('the output', () => {
  it('that may wait for long keeps no more memory alive than twice what it takes', () => {
    const received = Buffer.concat([Buffer.alloc(100_000), encodeFrame(filled({ ...plain, length: 9_000 }))])
    const whole = encodeFrame(filled({ ...plain, length: 60_000 }))
    for (const isHeld of [false, true]) {
      const output = isHeld ? new Output(new Baggage(0)) : new Output()
      output.relay(received, 100_000, received.length)
      output.relay(whole, 0, whole.length)
      const kept = output.take().map(({ buffer }) => buffer === received.buffer || buffer === whole.buffer)
      expect(kept).toEqual([!isHeld, true])
    }
  })

  it('is byte for byte what was sent and relayed, in order, however it is taken', () => {
    const run = fc.array(step, { maxLength: 40 })
    fc.assert(
      fc.property(run, fc.nat(30), fc.boolean(), fc.boolean(), (steps, offset, hasGaps, isGone) => {
        let output = isGone ? new Output() : new Output(new Baggage(0))
        const pieces: Uint8Array[] = []
        const expected: Buffer[] = []
        let gathered = 0
        for (const each of steps) {
          if (each.do === 'frame') {
            const one = filled(each.frame)
            expected.push(encodeFrame(one))
            // The payload lies somewhere in a larger array.
            const bytes = Buffer.concat([Buffer.alloc(offset), one.payload, Buffer.alloc(5)])
            const { isLent } = each.frame
            output.frame(one.kind, one.flags, one.stream, one.id, bytes, offset, offset + one.payload.length, isLent)
            if (isLent) bytes.fill(0)
            gathered += headerBytes + one.payload.length
          } else if (each.do === 'relay') {
            // Frames side by side in one chunk, as they were received; some of them go elsewhere.
            const frames = each.frames.map((one) => encodeFrame(filled(one)))
            const chunk = Buffer.concat([Buffer.alloc(offset), ...frames])
            let at = offset
            for (const [index, one] of frames.entries()) {
              if (!hasGaps || index % 3 !== 1) {
                expected.push(one)
                output.relay(chunk, at, at + one.length)
                gathered += one.length
              }
              at += one.length
            }
          } else {
            pieces.push(...sent(output, isGone))
            output = isGone ? new Output() : new Output(new Baggage(0))
            gathered = 0
          }
          expect(output.bytes).toBe(gathered)
        }
        pieces.push(...sent(output, isGone))
        expect(Buffer.concat(pieces).equals(Buffer.concat(expected))).toBe(true)
      }),
    )
  })

  it('keeps what several outputs have gathered apart, though they share their memory', () => {
    const outputs = Array.from({ length: 12 }, () => new Output())
    const expected: Buffer[][] = outputs.map(() => [])
    const taken: Uint8Array[][] = outputs.map(() => [])
    for (let round = 0; round < 30; round++) {
      for (const [index, output] of outputs.entries()) {
        const payload = Buffer.alloc((round * 371) % 5_000, index * 20 + round)
        expected[index]?.push(encodeFrame({ kind: Kind.DATA, stream: index, payload }))
        output.frame(Kind.DATA, 0, index, 0, payload, 0, payload.length)
        if ((round + index) % 3 !== 0) continue
        taken[index]?.push(...sent(output, round % 2 === 0))
        outputs[index] = new Output()
      }
    }
    for (const [index, output] of outputs.entries()) {
      taken[index]?.push(...sent(output, false))
      expect(Buffer.concat(taken[index] ?? []).equals(Buffer.concat(expected[index] ?? []))).toBe(true)
    }
  })

  it('gathers many small frames into one piece, and a run of relayed ones into one slice', () => {
    const frames = new Output()
    for (let i = 0; i < 100; i++) frames.frame(Kind.DATA, 0, 1, i, Buffer.alloc(100), 0, 100)
    expect(frames.take().length).toBe(1)
    expect([new Output().bytes, new Output().take()]).toEqual([0, []])
    const output = new Output()
    const one = encodeFrame({ kind: Kind.DATA, payload: Buffer.alloc(1_000) })
    const chunk = Buffer.concat(Array.from({ length: 60 }, () => one))
    for (let at = 0; at < chunk.length; at += one.length) output.relay(chunk, at, at + one.length)
    const [slice, ...others] = output.take()
    expect(others).toEqual([])
    expect([slice?.buffer, slice?.byteOffset, slice?.length]).toEqual([chunk.buffer, chunk.byteOffset, chunk.length])
  })

  it('does not copy a large payload', () => {
    const output = new Output()
    const payload = Buffer.alloc(65_536)
    output.frame(Kind.DATA, 0, 1, 1, payload, 0, payload.length)
    expect(output.take().some((piece) => piece.buffer === payload.buffer)).toBe(true)
  })
})
