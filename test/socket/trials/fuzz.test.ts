/** Conversations with mistakes in them, of every kind that chance finds, against a real server and a real link. */
import { type AddressInfo, createServer } from 'node:net'
import fc from 'fast-check'
import { Link } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { bytes, failure, House, text } from '../tools/house.ts'
import { goodHello, RawPeer } from '../tools/raw-peer.ts'
import { turns, until } from '../tools/until.ts'
import { encodeFrame, json, type NaiveFrame } from '../wire/naive-frame.ts'

type Loose = Partial<NaiveFrame> & { readonly kind: number }

const someChannel = '5f0c6a52-2f1c-4f6e-8a39-5d1d7a3c9b10'
const number = fc.oneof(fc.nat(4), fc.constantFrom(0xffffffff, 65_536))
const payload = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((some) => Buffer.from(some)),
  fc.json().map((some) => Buffer.from(some)),
  fc.constant(Buffer.from([0, 0, 1, 0])),
)

/** A frame of a stream: of one that is there, or not. */
const streamFrame: fc.Arbitrary<Loose> = fc.record({
  kind: fc.constantFrom(Kind.DATA, Kind.DATA, Kind.BEGIN, Kind.CREDIT, Kind.CANCEL, Kind.END, Kind.RESET),
  flags: fc.constant(0),
  stream: number,
  id: number,
  payload,
})
const dataFrame = fc.tuple(streamFrame, fc.nat(15)).map(([frame, flags]) => ({ ...frame, kind: Kind.DATA, flags }))

const openFrame = (channelId: string): fc.Arbitrary<Loose> =>
  fc
    .record({
      role: fc.constantFrom('consumer', 'provider'),
      channelId: fc.constantFrom(channelId, someChannel),
      shared: fc.boolean(),
    })
    .chain((open) => fc.nat(6).map((stream) => ({ kind: Kind.OPEN, stream, payload: json(open) })))

const clientFrame = (channelId: string): fc.Arbitrary<Loose> =>
  fc.oneof(
    openFrame(channelId),
    streamFrame,
    dataFrame,
    fc.constantFrom<Loose[]>({ kind: Kind.PING }, { kind: Kind.PONG }, { kind: Kind.SHUT, stream: 1 }),
  )

const serverFrame: fc.Arbitrary<Loose> = fc.oneof(
  streamFrame,
  dataFrame,
  fc.record({ kind: fc.constantFrom(Kind.OPENED, Kind.REFUSED, Kind.GOAWAY, Kind.PING, Kind.PONG), stream: fc.nat(3) }),
  fc
    .record({ linkId: fc.nat(), name: fc.string(), transport: fc.constant('tcp'), address: fc.string() })
    .chain((peer) =>
      fc.record({
        kind: fc.constant(Kind.ATTACH),
        stream: fc.nat(4),
        id: fc.nat(3),
        payload: fc.constant(json({ ...peer, identity: {} })),
      }),
    ),
)

type Mistake = (all: Buffer) => Buffer

/** One mistake in a stream of bytes. */
const mistake: fc.Arbitrary<Mistake> = fc.oneof(
  fc.record({ at: fc.nat(), bit: fc.nat(7) }).map(({ at, bit }) => (all: Buffer): Buffer => {
    const spoilt = Buffer.from(all)
    if (spoilt.length > 0) spoilt[at % spoilt.length] = (spoilt[at % spoilt.length] as number) ^ (1 << bit)
    return spoilt
  }),
  fc.record({ at: fc.nat(), some: fc.uint8Array({ maxLength: 20 }) }).map(({ at, some }) => (all: Buffer): Buffer => {
    const place = at % (all.length + 1)
    return Buffer.concat([all.subarray(0, place), some, all.subarray(place)])
  }),
  fc.record({ at: fc.nat(), length: fc.nat(30) }).map(({ at, length }) => (all: Buffer): Buffer => {
    const place = at % (all.length + 1)
    return Buffer.concat([all.subarray(0, place), all.subarray(place + length)])
  }),
  fc.nat().map(
    (at) =>
      (all: Buffer): Buffer =>
        all.subarray(0, at % (all.length + 1)),
  ),
)
const spoilt = (all: Buffer, mistaken: readonly Mistake[]): Buffer =>
  mistaken.reduce((some, change) => change(some), all)
const mistakes = fc.array(mistake, { maxLength: 3 })
const places = fc.array(fc.nat(), { maxLength: 6 })

function cut(all: Buffer, at: readonly number[]): Buffer[] {
  const ends = [...at.map((place) => place % (all.length + 1)), all.length].sort((one, two) => one - two)
  return ends.map((end, i) => all.subarray(ends[i - 1] ?? 0, end))
}

describe('a conversation with mistakes', () => {
  it('never brings a server down, nor the links of others', async () => {
    await using house = await House.open('tcp')
    const { consumer, provider, near, far, channelId } = await house.pair({ reconnect: false })
    const shared = await far.provider(newId(), { mode: 'shared' })
    for (const each of [provider, shared]) each.serve(({ payload: asked }) => asked)
    const converse = async (
      frames: readonly Loose[],
      spoil: Mistake[],
      at: number[],
      isGreeted: boolean,
    ): Promise<void> => {
      const first = encodeFrame({ kind: Kind.HELLO, payload: json(goodHello()) })
      const rest = Buffer.concat(frames.map(encodeFrame))
      const whole = isGreeted
        ? Buffer.concat([first, spoilt(rest, spoil)])
        : spoilt(Buffer.concat([first, rest]), spoil)
      await using peer = await RawPeer.connect(house.server.url)
      for (const piece of cut(whole, at)) {
        peer.write(piece)
        if (piece.length % 3 === 0) await turns(1)
      }
      peer.socket.end()
      await until('it is over', () => peer.socket.closed)
      await until('the server knows', () => house.server.stats().links === 2)
      expect(text(await consumer.send(bytes('still here')))).toBe('still here')
    }
    const conversation = fc.array(fc.oneof(clientFrame(channelId), clientFrame(shared.channelId)), { maxLength: 12 })
    await fc.assert(fc.asyncProperty(conversation, mistakes, places, fc.boolean(), converse), { numRuns: 200 })
    expect(house.server.stats()).toMatchObject({ links: 2, channels: 2, streams: 1 })
    expect([near.isOpen, far.isOpen]).toEqual([true, true])
  })

  it('never makes a link hang or fail in any other way than it says', async () => {
    let script: Buffer = Buffer.alloc(0)
    const rogue = createServer((socket) => {
      socket.on('error', () => {}).resume()
      socket.write(script)
      setTimeout(() => socket.destroy(), 5)
    })
    await new Promise<void>((resolve) => rogue.listen(0, '127.0.0.1', resolve))
    const url = `tcp://127.0.0.1:${(rogue.address() as AddressInfo).port}`
    const converse = async (frames: readonly Loose[], spoil: Mistake[]): Promise<void> => {
      const welcome = encodeFrame({ kind: Kind.WELCOME, payload: json({ linkId: 1 }) })
      script = spoilt(Buffer.concat([welcome, ...frames.map(encodeFrame)]), spoil)
      const link = await Link.connect(url, { reconnect: false, connectTimeoutMs: 10_000 }).catch(() => undefined)
      if (link === undefined) return
      const settled = Promise.all([
        link.consumer(someChannel).then(
          (consumer) => failure(consumer.send(bytes('a'), { timeoutMs: 60_000 })),
          () => {},
        ),
        link.provider(someChannel).then(
          (provider) => provider.receive().catch(() => {}),
          () => {},
        ),
      ])
      expect(await link.closed).toBeInstanceOf(Error)
      await settled
    }
    await fc.assert(fc.asyncProperty(fc.array(serverFrame, { maxLength: 12 }), mistakes, converse), { numRuns: 200 })
    await new Promise<void>((resolve) => rogue.close(() => resolve()))
  })
})
