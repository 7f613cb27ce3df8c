/** Peers that break the rules: each is told why and is gone; its server, and everybody else, do not notice. */
import type { ServerEvent, ServerOptions, ServerStats } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { maxHelloBytes } from '../../../socket/wire/control-frames.ts'
import { headerBytes, Kind, maxFrameBytes } from '../../../socket/wire/frame.ts'
import { bytes, failure, House, type Pair, text } from '../tools/house.ts'
import { goodHello, hello, RawPeer } from '../tools/raw-peer.ts'
import { turns, until } from '../tools/until.ts'
import { encodeFrame, json } from '../wire/naive-frame.ts'

interface Scene extends AsyncDisposable, Pair {
  readonly house: House
  readonly url: string
  readonly told: ServerEvent[]
  /** Fails unless the bystanders still get answers and the server carries nothing but them. */
  unharmed(): Promise<void>
}

/** A server with two good links on it, which must not notice anything. */
async function scene(options: ServerOptions = {}): Promise<Scene> {
  const told: ServerEvent[] = []
  const house = await House.open('tcp', { ...options, observe: (event) => void told.push(event) })
  const pair = await house.pair({ reconnect: false })
  pair.provider.serve(({ payload }) => payload)
  const baseline: Partial<ServerStats> = { links: 2, channels: 1, streams: 1 }
  const unharmed = async (): Promise<void> => {
    await until('only the bystanders are left', () => house.server.stats().links === 2)
    expect(house.server.stats()).toMatchObject(baseline)
    expect(text(await pair.consumer.send(bytes('still here')))).toBe('still here')
    expect([pair.near.isOpen, pair.far.isOpen]).toEqual([true, true])
  }
  return {
    house,
    url: house.server.url,
    told,
    ...pair,
    unharmed,
    [Symbol.asyncDispose]: () => house[Symbol.asyncDispose](),
  }
}

const header = (length: number, kind: number): Buffer => {
  const one = encodeFrame({ kind })
  one.writeUInt32LE(length, 0)
  return one
}

const openFrame = (fields: object): Buffer =>
  encodeFrame({
    kind: Kind.OPEN,
    stream: 1,
    payload: json({ role: 'consumer', channelId: newId(), shared: true, ...fields }),
  })

describe('before the handshake', () => {
  const cases: [string, string, () => Buffer][] = [
    ['garbage', 'BAD_FRAME', () => Buffer.alloc(100, 0xa7)],
    ['an HTTP request', 'BAD_FRAME', () => Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    ['a TLS handshake', 'BAD_FRAME', () => Buffer.from(`1603010200010001fc0303${'5a'.repeat(60)}`, 'hex')],
    ['a frame of zeroes', 'BAD_FRAME', () => Buffer.alloc(16)],
    ['a frame before HELLO', 'BAD_FRAME', () => openFrame({})],
    ['a PING before HELLO', 'BAD_FRAME', () => encodeFrame({ kind: Kind.PING })],
    ['a HELLO larger than it may be', 'FRAME_TOO_LARGE', () => header(maxHelloBytes + 1, Kind.HELLO)],
    ['a HELLO of four gigabytes', 'FRAME_TOO_LARGE', () => header(0xffffffff, Kind.HELLO)],
    ['a HELLO without content', 'BAD_FRAME', () => encodeFrame({ kind: Kind.HELLO })],
    ['a HELLO that is no JSON', 'BAD_FRAME', () => encodeFrame({ kind: Kind.HELLO, payload: Buffer.from('{"magic') })],
    [
      'a HELLO of another protocol',
      'BAD_FRAME',
      () => encodeFrame({ kind: Kind.HELLO, payload: json({ magic: 'x' }) }),
    ],
    [
      'a HELLO of another version',
      'VERSION_MISMATCH',
      () => encodeFrame({ kind: Kind.HELLO, payload: json({ ...goodHello(), version: 2 }) }),
    ],
  ]

  it.each(cases)('[SOCK 3.2] %s is answered with BYE %s', async (_what, code, input) => {
    await using all = await scene()
    await using peer = await RawPeer.connect(all.url)
    peer.write(input())
    expect(await peer.dismissed()).toBe(code)
    expect(all.told.at(-1)).toMatchObject({ type: 'refused', code })
    await all.unharmed()
  })

  it('[SOCK 3.2] a second HELLO is answered with BYE, also while the first one is being looked at', async () => {
    let asked = 0
    await using all = await scene({
      authenticate: async () => {
        asked++
        await turns(5)
        return {}
      },
    })
    const before = asked
    await using peer = await RawPeer.connect(all.url)
    peer.write(Buffer.concat([hello(), hello()]))
    expect(await peer.dismissed()).toBe('BAD_FRAME')
    expect(asked).toBe(before + 1)
    await using late = await RawPeer.welcomed(all.url)
    late.write(hello())
    expect(await late.dismissed()).toBe('BAD_FRAME')
    await all.unharmed()
  })

  it('[SOCK 3.3] a peer that says nothing, or drips, is dismissed after handshakeTimeoutMs', async () => {
    await using all = await scene({ handshakeTimeoutMs: 100 })
    await using silent = await RawPeer.connect(all.url)
    await using dripping = await RawPeer.connect(all.url)
    const first = hello()
    const drip = async (): Promise<void> => {
      for (let at = 0; at < first.length && !dripping.socket.closed; at++) {
        dripping.write(first.subarray(at, at + 1))
        await turns(4)
      }
    }
    const codes = await Promise.all([silent.dismissed(), dripping.dismissed(), drip()])
    expect(codes.slice(0, 2)).toEqual(['HANDSHAKE_TIMEOUT', 'HANDSHAKE_TIMEOUT'])
    await all.unharmed()
  })

  it('a peer that leaves in the middle of a frame is forgotten', async () => {
    await using all = await scene()
    for (let at = 0; at < 40; at += 3) {
      const peer = await RawPeer.connect(all.url)
      peer.socket.end(hello().subarray(0, at))
      await until('it is closed', () => peer.socket.closed)
    }
    await all.unharmed()
  })
})

describe('after the handshake', () => {
  const cases: [string, string, () => Buffer][] = [
    ['garbage', 'BAD_FRAME', () => Buffer.alloc(100, 0xa7)],
    ['an unknown kind', 'BAD_FRAME', () => encodeFrame({ kind: 21 })],
    ['an unknown flag', 'BAD_FRAME', () => encodeFrame({ kind: Kind.PING, flags: 128 })],
    ['a frame larger than it may be', 'FRAME_TOO_LARGE', () => header(maxFrameBytes + 1, Kind.DATA)],
    ['a frame of four gigabytes', 'FRAME_TOO_LARGE', () => header(0xffffffff, Kind.DATA)],
    [
      'a frame that only servers send',
      'BAD_FRAME',
      () => encodeFrame({ kind: Kind.WELCOME, payload: json({ linkId: 1 }) }),
    ],
    ['an ATTACH', 'BAD_FRAME', () => encodeFrame({ kind: Kind.ATTACH, stream: 1, id: 1, payload: json({}) })],
    ['an OPEN without a channel', 'BAD_FRAME', () => openFrame({ channelId: undefined })],
    ['an OPEN of something else', 'BAD_FRAME', () => openFrame({ role: 'server' })],
    ['an OPEN that is no JSON', 'BAD_FRAME', () => encodeFrame({ kind: Kind.OPEN, payload: Buffer.from('[') })],
    ['two OPENs of one number', 'BAD_FRAME', () => Buffer.concat([openFrame({}), openFrame({})])],
  ]

  it.each(cases)('[SOCK 4.2] %s is answered with BYE %s', async (_what, code, input) => {
    await using all = await scene()
    await using peer = await RawPeer.welcomed(all.url)
    peer.write(input())
    expect(await peer.dismissed()).toBe(code)
    expect(all.told.findLast(({ type }) => type === 'link-close')).toMatchObject({ code })
    await all.unharmed()
  })

  it('[SOCK 4.5] frames for streams that are not there are counted and forgotten', async () => {
    await using all = await scene()
    await using peer = await RawPeer.welcomed(all.url)
    for (const kind of [Kind.DATA, Kind.BEGIN, Kind.CREDIT, Kind.CANCEL, Kind.END, Kind.RESET]) {
      peer.send({ kind, stream: 12_345, id: 1, payload: Buffer.from('nobody') })
    }
    peer.send({ kind: Kind.SHUT, stream: 77 })
    peer.send({ kind: Kind.PING })
    await peer.next(Kind.PONG)
    expect(all.house.server.stats().lateFrames).toBe(6)
    peer.send({ kind: Kind.BYE })
    expect(await peer.dismissed()).toBe('no BYE')
    await all.unharmed()
  })

  it('[SOCK 7.2] a peer that drips a frame is dismissed with FRAME_TIMEOUT', async () => {
    await using all = await scene({ heartbeatMs: 200 })
    await using peer = await RawPeer.welcomed(all.url)
    const frame = openFrame({})
    const drip = async (): Promise<void> => {
      for (let at = 0; at < frame.length - 1 && !peer.socket.closed; at++) {
        peer.write(frame.subarray(at, at + 1))
        await turns(8)
      }
    }
    const [code] = await Promise.all([peer.dismissed(), drip()])
    expect(code).toBe('FRAME_TIMEOUT')
    await all.unharmed()
  })

  it('[SOCK 7.1] a peer that does not answer PING is dismissed with HEARTBEAT_LOST', async () => {
    await using all = await scene({ heartbeatMs: 100 })
    await using peer = await RawPeer.welcomed(all.url)
    expect(await peer.dismissed()).toBe('HEARTBEAT_LOST')
    expect(peer.frames.some(({ kind }) => kind === Kind.PING)).toBe(true)
    await all.unharmed()
  })

  it('a peer that asks and does not listen is cut with SLOW_LINK before its answers fill the memory', async () => {
    await using all = await scene({ maxLinkBufferBytes: 1024 * 1024 })
    await using peer = await RawPeer.welcomed(all.url)
    peer.socket.pause()
    const pings = Buffer.concat(Array.from({ length: 4_096 }, () => encodeFrame({ kind: Kind.PING })))
    const opens = Buffer.concat(
      Array.from({ length: 500 }, (_, i) =>
        encodeFrame({
          kind: Kind.OPEN,
          stream: i + 1,
          payload: json({ role: 'consumer', channelId: newId(), shared: true }),
        }),
      ),
    )
    peer.write(opens)
    const cut = await until('it is cut', async () => {
      if (peer.socket.writableLength < 1024 * 1024) peer.write(pings)
      await turns(1)
      return all.told.find(({ type }) => type === 'link-close')
    })
    expect(cut.code).toBe('SLOW_LINK')
    peer.socket.resume()
    await all.unharmed()
  })
})

describe('a peer that breaks the rules of a stream', () => {
  const full = Buffer.alloc(maxFrameBytes)
  const begin = (id: number, total: number) => {
    const payload = Buffer.alloc(4)
    payload.writeUInt32LE(total)
    return { kind: Kind.BEGIN, id, payload }
  }
  const cases: [string, string, Parameters<typeof encodeFrame>[0][]][] = [
    [
      'sends more than it has credit for',
      'FLOW_VIOLATION',
      [
        { kind: Kind.DATA, payload: full },
        { kind: Kind.DATA, payload: full },
      ],
    ],
    ['sends a fragment without a BEGIN', 'BAD_FRAME', [{ kind: Kind.DATA, flags: 1, id: 4, payload: full }]],
    ['begins a second large message within the first', 'BAD_FRAME', [begin(1, 100_000), begin(2, 100_000)]],
    ['announces as large what fits one frame', 'BAD_FRAME', [begin(1, maxFrameBytes)]],
    ['announces a length in no four bytes', 'BAD_FRAME', [{ kind: Kind.BEGIN, id: 1, payload: Buffer.alloc(3) }]],
    [
      'sends more than it announced',
      'BAD_FRAME',
      [
        begin(1, 65_546),
        { kind: Kind.DATA, flags: 1, id: 1, payload: full },
        { kind: Kind.DATA, id: 1, payload: Buffer.alloc(11) },
      ],
    ],
    [
      'sends less than it announced',
      'BAD_FRAME',
      [
        begin(1, 65_546),
        { kind: Kind.DATA, flags: 1, id: 1, payload: full },
        { kind: Kind.DATA, id: 1, payload: Buffer.alloc(9) },
      ],
    ],
    [
      'sends small fragments',
      'BAD_FRAME',
      [begin(1, 100_000), { kind: Kind.DATA, flags: 1, id: 1, payload: Buffer.alloc(9) }],
    ],
  ]

  it.each(cases)('[SOCK 5.8] and %s has this one stream reset with %s', async (_what, code, frames) => {
    await using all = await scene()
    await using peer = await RawPeer.welcomed(all.url)
    for (const link of [all.far, all.house.server.link()]) {
      const slow = await link.provider(newId())
      peer.frames.length = 0
      peer.open(link === all.far ? 1 : 2, 'consumer', slow.channelId)
      const { stream } = await peer.next(Kind.ATTACH)
      for (const frame of frames) peer.send({ ...frame, stream })
      const reset = await peer.next(Kind.RESET)
      expect([reset.stream, JSON.parse(reset.payload.toString()).code]).toEqual([stream, code])
      await until('the stream is gone', () => slow.consumers === 0)
      expect(link.isOpen).toBe(true)
      if (link === all.far) await slow.close()
      else await link.close()
    }
    peer.send({ kind: Kind.BYE })
    await all.unharmed()
  })

  it('[SOCK 5.8] as a Provider harms nobody but those who asked it', async () => {
    await using all = await scene()
    await using peer = await RawPeer.welcomed(all.url)
    const channelId = newId()
    peer.open(1, 'provider', channelId)
    await peer.next(Kind.OPENED)
    const consumer = await all.near.consumer(channelId)
    const { stream } = await peer.next(Kind.ATTACH)
    const answer = failure(consumer.send(bytes('a')))
    await peer.next(Kind.DATA)
    for (let i = 0; i < 3; i++) peer.send({ kind: Kind.DATA, flags: 3, stream, id: 1, payload: full })
    expect((await answer).code).toBe('BAD_FRAME')
    await consumer.close()
    peer.socket.destroy()
    await all.unharmed()
  })
})

describe('two thousand bad connections', () => {
  it('leave the memory and the server as they were', async () => {
    await using all = await scene()
    const inputs = [
      Buffer.alloc(100, 0xa7),
      hello().subarray(0, headerBytes + 5),
      header(0xffffffff, Kind.HELLO),
      Buffer.concat([hello(), header(maxFrameBytes, Kind.DATA), Buffer.alloc(20_000)]),
      Buffer.concat([hello(), openFrame({}), openFrame({})]),
    ]
    const wave = async (count: number): Promise<void> => {
      const all50 = Array.from({ length: count }, async (_, i) => {
        const peer = await RawPeer.connect(all.url)
        peer.socket.end(inputs[i % inputs.length] as Buffer)
        await until('it is closed', () => peer.socket.closed)
      })
      await Promise.all(all50)
    }
    for (let i = 0; i < 4; i++) await wave(50)
    await all.unharmed()
    const before = process.memoryUsage()
    for (let i = 0; i < 36; i++) await wave(50)
    await all.unharmed()
    const after = process.memoryUsage()
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(32 * 1024 * 1024)
    expect(after.heapUsed - before.heapUsed).toBeLessThan(64 * 1024 * 1024)
  })
})
