/** The intake: frames come out whole however the reads fall, nothing read is overwritten, and quiet sockets hold none. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../base/clock.ts'
import { withIntake } from '../../../socket/transport/node/adopt.ts'
import { Intake } from '../../../socket/transport/node/intake.ts'
import { SocketPort } from '../../../socket/transport/node/socket-port.ts'
import { Decoder } from '../../../socket/wire/decoder.ts'
import { Kind, maxFrameBytes } from '../../../socket/wire/frame.ts'
import { Recording } from '../tools/recording.ts'
import { until } from '../tools/until.ts'
import { encodeFrame, fingerprints, type NaiveFrame } from '../wire/naive-frame.ts'

const frame = fc.tuple(fc.oneof(fc.nat(40), fc.nat(5_000), fc.nat(maxFrameBytes)), fc.nat(255)).map(
  ([length, fill]): NaiveFrame => ({
    kind: Kind.DATA,
    flags: 0,
    stream: 1,
    id: length,
    payload: Buffer.alloc(length, fill),
  }),
)

/** Frames as a decoder hands them out: views, whose bytes must stay as they are. */
function taking() {
  const intake = new Intake()
  const views: { readonly id: number; readonly payload: Uint8Array }[] = []
  const decoder = new Decoder(maxFrameBytes, {
    frame: (_kind, _flags, _stream, id, bytes, start, end) => views.push({ id, payload: bytes.subarray(start, end) }),
  })
  intake.attach({ take: (_count, bytes, from, to) => decoder.cut(bytes, from, to) })
  /** What the operating system would do with `bytes`: fill the room there is, `most` at a time. */
  const read = (bytes: Uint8Array, most: number): void => {
    for (let at = 0; at < bytes.length; ) {
      const room = intake.onread.buffer()
      const count = Math.min(most, room.length, bytes.length - at)
      room.set(bytes.subarray(at, at + count))
      intake.onread.callback(count)
      at += count
    }
  }
  return { intake, read, views }
}

const memoryOf = ({ onread }: Intake): ArrayBufferLike => onread.buffer().buffer

describe('an intake', () => {
  it('gives every frame whole and untouched, whatever the reads were', () => {
    const reads = fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1_000, max: 300_000 }))
    const bursts = fc.array(fc.tuple(fc.array(frame, { maxLength: 12 }), reads), { maxLength: 12 })
    fc.assert(
      fc.property(bursts, bursts, (mine, others) => {
        // Two sockets in turns: what they share must not show.
        const [one, two] = [taking(), taking()]
        for (let i = 0; i < Math.max(mine.length, others.length); i++) {
          for (const [{ read }, burst] of [
            [one, mine[i]],
            [two, others[i]],
          ] as const) {
            if (burst) read(Buffer.concat(burst[0].map(encodeFrame)), burst[1])
          }
        }
        for (const [{ views }, sent] of [
          [one, mine],
          [two, others],
        ] as const) {
          const frames = sent.flatMap(([burst]) => burst)
          expect(views.map(({ id }) => id)).toEqual(frames.map(({ id }) => id))
          expect(views.every(({ payload }, i) => frames[i]?.payload.equals(payload))).toBe(true)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('holds no memory while little comes, and none again once it is quiet', () => {
    const [one, two] = [taking(), taking()]
    const [small, large] = [Buffer.alloc(100), Buffer.alloc(maxFrameBytes)].map((payload) =>
      encodeFrame({ kind: Kind.DATA, payload }),
    ) as [Buffer, Buffer]
    for (const { read } of [one, two]) read(small, 1_000)
    expect(memoryOf(one.intake)).toBe(memoryOf(two.intake))
    one.read(large, 300_000)
    expect(memoryOf(one.intake)).not.toBe(memoryOf(two.intake))
    for (let i = 0; i < 8; i++) one.read(small, 1_000)
    expect(memoryOf(one.intake)).toBe(memoryOf(two.intake))
  })

  it('keeps nothing of what comes after the decoder has stopped', () => {
    const intake = new Intake()
    const decoder = new Decoder(maxFrameBytes, { frame: () => {} })
    decoder.stop()
    intake.attach({ take: (_count, bytes, from, to) => decoder.cut(bytes, from, to) })
    for (let i = 0; i < 100; i++) {
      const room = intake.onread.buffer()
      expect(room.length).toBeGreaterThan(0)
      intake.onread.callback(room.length)
      expect(intake.isPartial).toBe(false)
    }
  })

  it('keeps what has begun, in little memory, and says so', () => {
    const { intake, read, views } = taking()
    const bytes = encodeFrame({ kind: Kind.DATA, payload: Buffer.alloc(3_000, 7) })
    read(bytes.subarray(0, 20), 1_000)
    expect([intake.isPartial, memoryOf(intake).byteLength]).toEqual([true, 4_096])
    read(bytes.subarray(20), 1_000)
    expect([intake.isPartial, views.length]).toEqual([false, 1])
  })
})

describe('a socket that was accepted', () => {
  /** Accepts one connection, after `prepare` has had it, and gives the port and the client's socket. */
  async function accepting(prepare: (accepted: Socket) => void) {
    const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const client = connect((server.address() as { port: number }).port, '127.0.0.1')
    const [accepted] = (await once(server, 'connection')) as [Socket]
    prepare(accepted)
    const intake = withIntake(accepted)
    const port = new SocketPort(accepted, 'tcp', systemClock, intake)
    const got = new Recording()
    port.attach(got)
    port.limit(maxFrameBytes)
    return {
      ...{ client, intake, got, port },
      async [Symbol.asyncDispose]() {
        client.destroy()
        port.destroy()
        server.close()
        await once(server, 'close')
      },
    }
  }

  const sent: NaiveFrame[] = Array.from({ length: 20 }, (_, i) => ({
    ...{ kind: Kind.DATA, flags: 0, stream: 1, id: i },
    payload: Buffer.alloc(i * 3_000, i),
  }))

  it('reads into an intake', async () => {
    await using house = await accepting(() => {})
    expect(house.intake).toBeInstanceOf(Intake)
    house.client.write(Buffer.concat(sent.map(encodeFrame)))
    await until('all came', () => house.got.frames.length === sent.length)
    expect(fingerprints(house.got.frames)).toEqual(fingerprints(sent))
  })

  it('reads in chunks where Node offers nothing else', async () => {
    await using house = await accepting((accepted) => {
      const { _handle: handle } = accepted as unknown as { _handle: object }
      Object.defineProperty(handle, 'useUserBuffer', { value: undefined })
    })
    expect(house.intake).toBeUndefined()
    house.client.write(Buffer.concat(sent.map(encodeFrame)))
    await until('all came', () => house.got.frames.length === sent.length)
    expect(fingerprints(house.got.frames)).toEqual(fingerprints(sent))
  })
})
