/** The queue of frames within one program is a plain first-in first-out list, however it grows and is emptied. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FrameRing } from '../../../socket/transport/frame-ring.ts'
import { Recording } from '../tools/recording.ts'

describe('a ring of frames', () => {
  it('gives out what was put in, in order, and counts what is left', () => {
    const steps = fc.array(fc.tuple(fc.nat(40), fc.nat(40)), { maxLength: 40 })
    fc.assert(
      fc.property(steps, (each) => {
        const [ring, sink] = [new FrameRing(), new Recording()]
        const expected: number[] = []
        let put = 0
        for (const [pushes, hands] of each) {
          for (let i = 0; i < pushes; i++) ring.push(32, 0, 1, put++, Buffer.alloc(put % 50), 0, put % 50, false)
          for (let i = 0; i < hands && ring.length > 0; i++) {
            expected.push(expected.length)
            ring.hand(sink)
          }
          const left = Array.from({ length: put - expected.length }, (_, i) => 16 + ((expected.length + i + 1) % 50))
          expect([ring.length, ring.bytes]).toEqual([left.length, left.reduce((sum, size) => sum + size, 0)])
        }
        expect(sink.frames.map(({ id }) => id)).toEqual(expected)
      }),
    )
  })

  it('takes what is pushed while a frame is handed over', () => {
    const [ring, sink] = [new FrameRing(), new Recording()]
    let more = 5_000
    sink.onFrame = () => {
      for (let i = 0; i < 2 && more > 0; i++) ring.push(32, 0, 1, more--, Buffer.from('ab'), 0, 2, false)
    }
    ring.push(32, 0, 1, 0, Buffer.from('ab'), 0, 2, false)
    while (ring.length > 0) ring.hand(sink)
    expect(sink.frames.map(({ id }) => id)).toEqual([0, ...Array.from({ length: 5_000 }, (_, i) => 5_000 - i)])
    expect(ring.bytes).toBe(0)
  })
})
