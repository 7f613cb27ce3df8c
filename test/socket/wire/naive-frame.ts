/**
 * Frames written and read a second time, from the text of PROTOCOL.md and in the plainest way, to check the real codec
 * against and to play a client that breaks the rules.
 */
import { createHash } from 'node:crypto'

export interface NaiveFrame {
  readonly kind: number
  readonly flags: number
  readonly stream: number
  readonly id: number
  readonly payload: Buffer
}

/** [SOCK 2.1] */
export function encodeFrame(frame: Partial<NaiveFrame> & { readonly kind: number }): Buffer {
  const { kind, flags = 0, stream = 0, id = 0, payload = Buffer.alloc(0) } = frame
  const header = Buffer.alloc(16)
  header.writeUInt32LE(payload.length, 0)
  header.writeUInt8(kind, 4)
  header.writeUInt8(flags, 5)
  header.writeUInt32LE(stream, 8)
  header.writeUInt32LE(id, 12)
  return Buffer.concat([header, payload])
}

export const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

/** Cuts whole frames off the front of `bytes`; what is left is the beginning of another. */
export function decodeFrames(bytes: Buffer): { frames: NaiveFrame[]; rest: Buffer } {
  const frames: NaiveFrame[] = []
  let rest = bytes
  while (rest.length >= 16 && rest.length >= 16 + rest.readUInt32LE(0)) {
    const length = rest.readUInt32LE(0)
    frames.push({
      kind: rest.readUInt8(4),
      flags: rest.readUInt8(5),
      stream: rest.readUInt32LE(8),
      id: rest.readUInt32LE(12),
      payload: Buffer.from(rest.subarray(16, 16 + length)),
    })
    rest = rest.subarray(16 + length)
  }
  return { frames, rest }
}

/** One line a frame, to compare many large ones quickly and to read the difference. */
export function fingerprints(frames: readonly NaiveFrame[]): string[] {
  return frames.map(({ kind, flags, stream, id, payload }) => {
    const digest = createHash('sha1').update(payload).digest('hex').slice(0, 16)
    return `kind ${kind} flags ${flags} stream ${stream} id ${id}: ${payload.length} bytes ${digest}`
  })
}
