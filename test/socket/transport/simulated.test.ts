/** The made-up network: what it can do to a connection, and that it does the same again for the same seed. */
import { Link, type Port, Server, simulatedPorts } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { bytes, text } from '../tools/house.ts'
import { ManualClock } from '../tools/manual-clock.ts'
import { Recording } from '../tools/recording.ts'
import { turns, until } from '../tools/until.ts'

const say = (port: Port, what: string | Uint8Array): void => {
  const payload = typeof what === 'string' ? bytes(what) : what
  port.send(Kind.DATA, 0, 1, 1, payload, 0, payload.length)
}

function open(options: Parameters<typeof simulatedPorts>[0] = {}) {
  const made = simulatedPorts(options)
  const [one, two] = [new Recording(), new Recording()]
  made.near.attach(one)
  made.far.attach(two)
  for (const port of [made.near, made.far]) port.limit(65_536)
  return { ...made, one, two }
}

describe('a simulated pair of ports', () => {
  it('takes its time, and keeps the order', async () => {
    const clock = new ManualClock()
    const { near, two } = open({ clock, latencyMs: 50, jitterMs: 30, seed: 7 })
    for (let i = 0; i < 20; i++) {
      say(near, String(i))
      await turns(1)
    }
    clock.advance(49)
    expect(two.frames).toEqual([])
    clock.advance(31)
    expect(two.frames.map(({ payload }) => Number(payload.toString()))).toEqual(Array.from({ length: 20 }, (_, i) => i))
  })

  it('keeps what comes for a port that nobody has yet, and its end', async () => {
    const { near, far } = simulatedPorts()
    near.attach(new Recording())
    near.limit(65_536)
    say(near, 'first')
    near.close()
    await turns()
    const two = new Recording()
    far.attach(two)
    far.limit(65_536)
    await until('it has ended', () => two.ends.length === 1)
    expect(two.frames.map(({ payload }) => text(payload))).toEqual(['first'])
  })

  it('does the same again for the same seed, and something else for another', async () => {
    const journey = async (seed: number): Promise<string> => {
      const clock = new ManualClock()
      const { near, far } = open({ clock, latencyMs: 10, jitterMs: 100, maxPieceBytes: 100, seed })
      say(near, new Uint8Array(2_000))
      await turns(1)
      const seen: number[] = []
      for (let ms = 0; ms < 110; ms++) {
        clock.advance(1)
        seen.push(far.received)
      }
      return seen.join()
    }
    expect(await journey(3)).toBe(await journey(3))
    expect(await journey(3)).not.toBe(await journey(4))
  })

  it('is cut in the middle of a frame: both sides are told once, and the rest is lost', async () => {
    const clock = new ManualClock()
    const { near, far, cut, one, two } = open({ clock, latencyMs: 1, jitterMs: 1_000, maxPieceBytes: 10 })
    say(near, new Uint8Array(5_000))
    await turns(1)
    while (!far.isPartial) clock.advance(1)
    cut()
    clock.advance(10_000)
    await turns()
    expect([two.frames.length, one.ends.length, two.ends.length]).toEqual([0, 1, 1])
    expect(one.ends[0]).toBeInstanceOf(Error)
  })

  it('is half open where one side is mute: it hears, and is not heard', async () => {
    const { near, far, mute, one, two } = open()
    mute('near')
    say(near, 'a')
    say(far, 'b')
    await until('the one is heard', () => one.frames.length === 1)
    near.destroy()
    await turns()
    expect([two.frames.length, one.ends.length, two.ends.length]).toEqual([0, 1, 0])
  })

  it('is congested while the other side does not read, and says when it is not any more', async () => {
    const { near, stall, one, two } = open({ highWaterBytes: 1_000 })
    stall('far')
    for (let i = 0; i < 10; i++) say(near, new Uint8Array(200))
    await turns()
    expect([near.isCongested, near.buffered, two.frames.length, one.drains]).toEqual([true, 2_160, 0, 0])
    stall('far', false)
    await until('it is drained', () => one.drains === 1)
    expect([near.isCongested, near.buffered, two.frames.length]).toEqual([false, 0, 10])
  })

  it('is congested until its owner is told that it is not, also where more is sent while some has arrived', async () => {
    const clock = new ManualClock()
    const { near, one } = open({ clock, latencyMs: 50, highWaterBytes: 1_000 })
    say(near, new Uint8Array(2_000))
    await turns()
    clock.advance(40)
    say(near, 'a')
    await turns()
    clock.advance(10)
    say(near, 'b')
    await turns()
    expect([near.isCongested, near.buffered, one.drains]).toEqual([true, 34, 0])
    clock.advance(50)
    expect([near.isCongested, near.buffered, one.drains]).toEqual([false, 0, 1])
  })

  it('refuses options that make no sense', () => {
    expect(() => simulatedPorts({ latencyMs: -1 })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
  })
})

describe('a server', () => {
  it('[SOCK 1.1] takes connections of any transport, and knows who they are if it is told', async () => {
    const asked: string[] = []
    await using server = await Server.listen({
      listen: false,
      graceMs: 0,
      authenticate: () => ({ name: 'asked' }),
      authorise: ({ identity, address }, role) => {
        asked.push(`${identity.name} ${role} ${address}`)
        return true
      },
    })
    expect([server.url, server.urls]).toEqual(['', []])
    const { near, far } = simulatedPorts({ maxPieceBytes: 7, seed: 5 })
    server.accept(far, { identity: { name: 'ann' }, address: 'somewhere' })
    const owner = new Recording()
    near.attach(owner)
    near.limit(65_536)
    const hello = bytes(JSON.stringify({ magic: 'signalbox', version: 1, name: 'raw', session: newId() }))
    near.send(Kind.HELLO, 0, 0, 0, hello, 0, hello.length)
    await until('it is welcome', () => owner.frames.some(({ kind }) => kind === Kind.WELCOME))
    const open = bytes(JSON.stringify({ role: 'consumer', channelId: newId(), shared: true }))
    near.send(Kind.OPEN, 0, 1, 0, open, 0, open.length)
    await until('it is opened', () => owner.frames.some(({ kind }) => kind === Kind.OPENED))
    expect(asked).toEqual(['ann consumer somewhere'])
    near.close()
    await until('it is gone', () => server.stats().links === 0)
  })

  it('tells others no more of its transport than they take', async () => {
    const server = await Server.listen()
    const remote = await Link.connect(server.url, { reconnect: false })
    const provider = await remote.provider(newId())
    provider.serve(({ peer, payload }) => bytes(`${peer.transport} ${text(payload)}`))
    const dial = async (): Promise<Port> => {
      const { near, far } = simulatedPorts()
      server.accept(Object.assign(far, { transport: 'a-transport-of-my-own-make', address: 'a'.repeat(1_000) }))
      return near
    }
    const link = await Link.connect('sim:anything', { transports: { sim: dial } })
    const consumer = await link.consumer(provider.channelId)
    expect(text(await consumer.send(bytes('b')))).toBe('a-transport-of-my-ow b')
    await Promise.all([link, remote, server].map((each) => each.close()))
  })

  it('listens by a transport of its own, by the scheme of the address', async () => {
    const places: string[] = []
    let closed = 0
    const listen = async ({ url = '' }): Promise<{ url: string; close(): Promise<void> }> => {
      places.push(url)
      return { url, close: async () => void closed++ }
    }
    const server = await Server.listen({ transports: { sim: listen }, listen: [{ url: 'sim:one' }, { port: 0 }] })
    expect([places, server.url]).toEqual([['sim:one'], 'sim:one'])
    const link = await Link.connect(server.urls[1] as string)
    const provider = await link.provider(newId())
    provider.serve(({ payload }) => payload)
    expect(text(await (await link.consumer(provider.channelId)).send(bytes('a')))).toBe('a')
    await link.close()
    await server.close()
    expect(closed).toBe(1)
    await expect(Server.listen({ url: 'nobody:knows' })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })
})
