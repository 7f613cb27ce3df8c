/**
 * The contract of a transport, as tests that run on every implementation. What one cannot do is said by its adapter.
 */
import type { Socket } from 'node:net'
import fc from 'fast-check'
import { afterEach, describe, expect, it, type TestContext } from 'vitest'
import type { Port } from '../../../socket/transport/port.ts'
import { Kind, maxFrameBytes } from '../../../socket/wire/frame.ts'
import { Recording } from '../tools/recording.ts'
import { turns, until } from '../tools/until.ts'
import { encodeFrame, fingerprints, type NaiveFrame } from '../wire/naive-frame.ts'

export interface PortAdapter {
  readonly transport: string
  /** Two ports, each the other's peer, and what tidies up after them. */
  pair(context: TestContext): Promise<{ near: Port; far: Port; release: () => Promise<void> }>
  /**
   * A port whose peer is a bare socket. Only where frames cross as bytes: there lengths are judged, and a peer that
   * does not read is noticed.
   */
  bare?(context: TestContext): Promise<{ port: Port; socket: Socket; release: () => Promise<void> }>
}

const frame = fc.record({
  kind: fc.constantFrom(Kind.DATA, Kind.CREDIT, Kind.PING),
  flags: fc.constant(0),
  stream: fc.nat(),
  id: fc.nat(),
  payload: fc
    .tuple(fc.oneof(fc.nat(30), fc.nat(maxFrameBytes)), fc.nat(255))
    .map(([length, fill]) => Buffer.alloc(length, fill)),
})
const frames = fc.array(fc.tuple(frame, fc.boolean()), { maxLength: 30 })

function send(port: Port, one: NaiveFrame): void {
  port.send(one.kind, one.flags, one.stream, one.id, one.payload, 0, one.payload.length)
}

function relay(port: Port, one: NaiveFrame): void {
  const bytes = encodeFrame(one)
  port.relay(bytes, 0, bytes.length)
}

const data = (length: number, fill = 0): NaiveFrame => ({
  kind: Kind.DATA,
  flags: 0,
  stream: 1,
  id: 1,
  payload: Buffer.alloc(length, fill),
})

export function portSuite(adapter: PortAdapter): void {
  const releases: (() => Promise<void>)[] = []

  const open = async (context: TestContext): Promise<{ near: Port; far: Port; one: Recording; two: Recording }> => {
    const { near, far, release } = await adapter.pair(context)
    releases.push(release)
    const [one, two] = [new Recording(), new Recording()]
    near.attach(one)
    far.attach(two)
    near.limit(maxFrameBytes)
    far.limit(maxFrameBytes)
    return { near, far, one, two }
  }

  afterEach(async () => {
    for (const release of releases.splice(0)) await release()
  })

  describe(`a port over ${adapter.transport}`, () => {
    exchange(adapter, open)
    ends(open)
    if (adapter.bare === undefined) return
    const { bare } = adapter
    byteStream(async (context) => {
      const { port, socket, release } = await bare(context)
      releases.push(release)
      const owner = new Recording()
      port.attach(owner)
      port.limit(maxFrameBytes)
      return { port, socket, owner }
    })
  })
}

type Open = (context: TestContext) => Promise<{ near: Port; far: Port; one: Recording; two: Recording }>

function exchange(adapter: PortAdapter, open: Open): void {
  it('says what it is', async (context) => {
    const { near, far } = await open(context)
    expect([near.transport, far.transport]).toEqual([adapter.transport, adapter.transport])
    expect([near.isPartial, near.isCongested, near.buffered]).toEqual([false, false, 0])
  })

  it('carries frames both ways at once, whole and in order, sent or relayed', async (context) => {
    const { near, far, one, two } = await open(context)
    const exchangeOnce = async (there: [NaiveFrame, boolean][], back: [NaiveFrame, boolean][]): Promise<void> => {
      one.frames.length = 0
      two.frames.length = 0
      const received = [near.received, far.received]
      for (let i = 0; i < Math.max(there.length, back.length); i++) {
        for (const [port, each] of [[near, there[i]] as const, [far, back[i]] as const]) {
          if (each) (each[1] ? relay : send)(port, each[0])
        }
      }
      await until('all has arrived', () => two.frames.length >= there.length && one.frames.length >= back.length)
      expect(fingerprints(two.frames)).toEqual(fingerprints(there.map(([each]) => each)))
      expect(fingerprints(one.frames)).toEqual(fingerprints(back.map(([each]) => each)))
      const sizeOf = (all: [NaiveFrame, boolean][]): number =>
        all.reduce((sum, [each]) => sum + 16 + each.payload.length, 0)
      expect([near.received, far.received]).toEqual([
        (received[0] as number) + sizeOf(back),
        (received[1] as number) + sizeOf(there),
      ])
    }
    await fc.assert(fc.asyncProperty(frames, frames, exchangeOnce), { numRuns: 30 })
  })

  it('takes the payload out of the array that it lies in', async (context) => {
    const { near, two } = await open(context)
    near.send(Kind.DATA, 2, 5, 6, Buffer.from('--payload--'), 2, 9)
    const received = await until('it has arrived', () => two.frames[0])
    expect(received).toEqual({ kind: Kind.DATA, flags: 2, stream: 5, id: 6, payload: Buffer.from('payload') })
  })

  it.for([10, 9_000, maxFrameBytes])(
    'has copied %i bytes that it was lent when it returns',
    async (length, context) => {
      const { near, two } = await open(context)
      const bytes = Buffer.alloc(length)
      for (let id = 1; id <= 20; id++) {
        bytes.fill(id)
        near.send(Kind.DATA, 0, 1, id, bytes, 0, length, true)
      }
      bytes.fill(0)
      await until('all has arrived', () => two.frames.length === 20)
      expect(fingerprints(two.frames)).toEqual(
        fingerprints(Array.from({ length: 20 }, (_, at) => ({ ...data(length, at + 1), id: at + 1 }))),
      )
    },
  )

  it('tells the owner that a frame broke, and never the one who sent it', async (context) => {
    const { near, two } = await open(context)
    two.onFrame = () => {
      throw new Error('broken')
    }
    expect(() => send(near, data(10))).not.toThrow()
    await until('the owner is told', () => two.garbage.length > 0)
    expect(two.garbage.map(({ message }) => message)).toEqual(['broken'])
  })
}

function ends(open: Open): void {
  it('delivers what was sent before it was closed, and then ends on both sides, once and without an error', async (context) => {
    const { near, one, two } = await open(context)
    for (let i = 0; i < 50; i++) send(near, data(20_000, i))
    near.close()
    await until('both have ended', () => one.ends.length > 0 && two.ends.length > 0)
    await turns()
    expect(two.frames.map(({ payload }) => payload[0])).toEqual(Array.from({ length: 50 }, (_, i) => i))
    expect([one.ends, two.ends]).toEqual([[undefined], [undefined]])
  })

  it('ends on both sides when it is destroyed, and hands over nothing more', async (context) => {
    const { near, far, one, two } = await open(context)
    send(far, data(10))
    await until('the first frame is there', () => one.frames.length === 1)
    near.destroy()
    send(far, data(10))
    await until('both have ended', () => one.ends.length > 0 && two.ends.length > 0)
    await turns()
    expect([one.ends.length, two.ends.length, one.frames.length]).toEqual([1, 1, 1])
  })

  it('does not call its owner within close or destroy', async (context) => {
    for (const end of ['close', 'destroy'] as const) {
      const { near, one } = await open(context)
      near[end]()
      expect(one.ends).toEqual([])
      await until('it has ended', () => one.ends.length === 1)
    }
  })

  it('takes calls after its end without a word', async (context) => {
    const { near, far, one, two } = await open(context)
    near.close()
    near.close()
    send(near, data(10))
    await until('both have ended', () => one.ends.length > 0 && two.ends.length > 0)
    for (const port of [near, far]) {
      send(port, data(100_000 % maxFrameBytes))
      relay(port, data(10))
      port.close()
      port.destroy()
      port.destroy()
    }
    await turns()
    expect([one.ends.length, two.ends.length, two.frames.length]).toEqual([1, 1, 0])
  })
}

type Bare = (context: TestContext) => Promise<{ port: Port; socket: Socket; owner: Recording }>

function byteStream(open: Bare): void {
  it('tells of a frame over its limit, and hands over nothing that comes after it', async (context) => {
    const { port, socket, owner } = await open(context)
    port.limit(100)
    for (const length of [100, 101, 1]) socket.write(encodeFrame(data(length)))
    await until('the owner is told', () => owner.garbage.length > 0)
    await turns()
    expect(owner.garbage).toEqual([expect.objectContaining({ code: 'FRAME_TOO_LARGE' })])
    expect(owner.frames.length).toBe(1)
  })

  it('knows that a frame has begun and is not complete', async (context) => {
    const { port, socket, owner } = await open(context)
    const bytes = encodeFrame(data(10))
    socket.write(bytes.subarray(0, 20))
    await until('the beginning has arrived', () => port.received === 20)
    expect([port.isPartial, owner.frames.length]).toEqual([true, 0])
    socket.write(bytes.subarray(20))
    await until('the rest has arrived', () => owner.frames.length === 1)
    expect(port.isPartial).toBe(false)
  })

  it('is congested while the peer does not read, and says when it is not any more', async (context) => {
    const { port, socket, owner } = await open(context)
    const expected: Buffer[] = []
    while (!port.isCongested || expected.length < 100) {
      for (let i = 0; i < 20; i++) {
        const one = data(maxFrameBytes - i, expected.length)
        expected.push(encodeFrame(one))
        send(port, one)
      }
      await turns(1)
    }
    expect(port.buffered).toBeGreaterThan(0)
    const { drains } = owner
    const received: Buffer[] = []
    socket.on('data', (chunk) => received.push(chunk))
    await until('it is not congested any more', () => owner.drains > drains && !port.isCongested)
    const whole = Buffer.concat(expected)
    await until('all has arrived', () => received.reduce((sum, { length }) => sum + length, 0) === whole.length)
    expect(Buffer.concat(received).equals(whole)).toBe(true)
    expect(port.buffered).toBe(0)
  })

  it('cuts a peer that does not take what is left when it is closed', async (context) => {
    const { port, owner } = await open(context)
    while (!port.isCongested) {
      for (let i = 0; i < 20; i++) send(port, data(maxFrameBytes, i))
      await turns(1)
    }
    port.close()
    expect(owner.ends).toEqual([])
    await until('it has ended', () => owner.ends.length > 0)
  })

  it('ends without an error when the peer leaves, also in the middle of a frame', async (context) => {
    const { socket, owner } = await open(context)
    socket.end(encodeFrame(data(10)).subarray(0, 20))
    await until('it has ended', () => owner.ends.length > 0)
    expect([owner.ends, owner.frames, owner.garbage]).toEqual([[undefined], [], []])
  })
}
