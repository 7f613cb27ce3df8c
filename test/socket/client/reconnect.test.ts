/** Links that are lost and come back: what was in flight fails, what was not sent survives, channels are reopened. */
import { createServer } from 'node:net'
import {
  type Clock,
  Consumer,
  Link,
  type LinkEvent,
  type LinkOptions,
  Provider,
  Server,
  systemClock,
} from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { bytes, failure, House, type Pair, text } from '../tools/house.ts'
import { TcpProxy } from '../tools/proxy.ts'
import { turns, until } from '../tools/until.ts'

const soon: LinkOptions = { reconnect: { minMs: 1, maxMs: 10 } }

/** A fifth of a second here is a second for a link that has this clock. */
const clock: Clock = { ...systemClock, after: (ms, call, hold) => systemClock.after(ms / 5, call, hold) }

interface Bridge extends AsyncDisposable, Pair {
  readonly house: House
  readonly proxy: TcpProxy
  readonly events: LinkEvent[]
}

/** A pair whose Consumer reaches the server by way of a proxy. */
async function bridge(options: LinkOptions = {}): Promise<Bridge> {
  const house = await House.open('tcp')
  const proxy = await TcpProxy.to(house.server.url)
  const events: LinkEvent[] = []
  const near = await Link.connect(proxy.url, { ...soon, ...options, observe: (event) => void events.push(event) })
  const far = await house.link()
  const channelId = newId()
  const provider = await far.provider(channelId)
  const consumer = await near.consumer(channelId)
  const dispose = async (): Promise<void> => {
    await near.close()
    await proxy[Symbol.asyncDispose]()
    await house[Symbol.asyncDispose]()
  }
  return { house, proxy, events, channelId, near, far, provider, consumer, [Symbol.asyncDispose]: dispose }
}

const types = (events: readonly LinkEvent[]): string => events.map(({ type }) => type).join(' ')

describe('a link that is cut', () => {
  it('fails what is in flight with LINK_LOST, comes back, and goes on', async () => {
    await using all = await bridge()
    const { consumer, provider, near, proxy, events } = all
    const lost = Array.from({ length: 5 }, () => failure(consumer.send(bytes('a'))))
    await until('they have come', () => provider.pending === 5)
    proxy.cut()
    for (const error of await Promise.all(lost)) expect(error).toMatchObject({ code: 'LINK_LOST', retryable: true })
    provider.serve(({ payload }) => payload)
    expect(text(await consumer.send(bytes('again')))).toBe('again')
    expect([near.isOpen, consumer.providers]).toEqual([true, 1])
    expect(types(events)).toMatch(/^connected disconnected (reconnecting )+connected$/)
    expect(all.house.server.stats()).toMatchObject({ links: 2, channels: 1, streams: 1 })
  })

  it('keeps what was not sent, and sends it in order when it is back', async () => {
    await using all = await bridge()
    const { consumer, provider, proxy } = all
    provider.serve(() => undefined)
    proxy.isRefusing = true
    proxy.cut()
    await until('the link is down', () => !all.near.isOpen)
    const posts = Array.from({ length: 50 }, (_, i) => consumer.post(bytes(String(i))))
    const answer = consumer.send(bytes('asked'), { ordered: true })
    const large = consumer.send(new Uint8Array(300_000))
    const received: string[] = []
    provider.serve(({ payload }) => {
      received.push(payload.length > 10 ? 'large' : text(payload))
      return payload
    })
    await turns()
    expect(received).toEqual([])
    proxy.isRefusing = false
    await Promise.all([...posts, answer, large])
    const inOrder = received.filter((each) => each !== 'large')
    expect(inOrder).toEqual([...Array.from({ length: 50 }, (_, i) => String(i)), 'asked'])
    expect(received).toContain('large')
  })

  it('fails a large payload that is half sent, and sends the one behind it', async () => {
    await using all = await bridge()
    const { consumer, provider, proxy } = all
    provider.serve(({ payload }) => payload)
    proxy.onAccept = () => {
      proxy.isHole = false
    }
    proxy.isHole = true
    const first = failure(consumer.send(new Uint8Array(9_000_000)))
    const second = consumer.send(new Uint8Array(200_000))
    await turns()
    proxy.cut()
    expect((await first).code).toBe('LINK_LOST')
    expect((await second).length).toBe(200_000)
  })

  it('reopens every channel end in its role', async () => {
    await using house = await House.open('tcp')
    await using proxy = await TcpProxy.to(house.server.url)
    await using one = await Link.connect(proxy.url, soon)
    await using two = await Link.connect(proxy.url, soon)
    const ids = Array.from({ length: 30 }, newId)
    const consumers = await Promise.all(
      ids.map(async (id, i) => {
        const provider = await (i % 2 ? one : two).provider(id, { mode: i % 3 ? 'exclusive' : 'shared' })
        provider.serve(({ payload }) => payload)
        return (i % 5 ? two : one).consumer(id)
      }),
    )
    for (let round = 0; round < 3; round++) {
      proxy.cut()
      for (const consumer of consumers) {
        const answer = await until('it is answered again', () => consumer.send(bytes('a')).catch(() => undefined))
        expect(text(answer)).toBe('a')
      }
    }
    expect(house.server.stats()).toMatchObject({ links: 2, channels: 30, streams: 30, refused: 0 })
    expect([one.stats().ends, two.stats().ends]).toEqual([30 / 2 + 6, 30 / 2 + 24])
  })

  it('survives outage upon outage, also in the middle of the reopening', async () => {
    await using all = await bridge()
    const { consumer, provider, proxy } = all
    provider.serve(({ payload }) => payload)
    for (let cutAfter = 0; cutAfter < 12; cutAfter++) {
      let passed = 0
      proxy.onAccept = () => {
        // The connection is cut again after so many turns, somewhere in the handshake, the reopening or just after.
        if (passed++ < 3) void turns(cutAfter).then(() => proxy.cut())
      }
      proxy.cut()
      const answer = await until('it is answered again', () => consumer.send(bytes('a')).catch(() => undefined))
      expect(text(answer)).toBe('a')
      proxy.onAccept = () => {}
    }
    await until('only the two are left', () => all.house.server.stats().links === 2)
    expect(all.house.server.stats()).toMatchObject({ channels: 1, streams: 1 })
  })

  it('works the same when every byte comes alone', async () => {
    await using all = await bridge()
    const { consumer, provider, proxy, events } = all
    provider.serve(({ payload }) => payload)
    proxy.pieceBytes = 1
    proxy.cut()
    await until('it is back', () => events.filter(({ type }) => type === 'connected').length === 2)
    for (let i = 0; i < 10; i++) expect(text(await consumer.send(bytes(`message ${i}`)))).toBe(`message ${i}`)
    proxy.pieceBytes = 1_000
    expect((await consumer.send(new Uint8Array(500_000))).length).toBe(500_000)
  })

  it('lets a Provider that pulls go on with what comes after', async () => {
    await using house = await House.open('tcp')
    await using proxy = await TcpProxy.to(house.server.url)
    await using link = await Link.connect(proxy.url, soon)
    const provider = await link.provider(newId())
    const consumer = await (await house.link()).consumer(provider.channelId)
    const old = failure(consumer.send(bytes('old')))
    await consumer.post(bytes('one way'))
    await until('they have come', () => provider.pending === 2)
    proxy.cut()
    expect((await old).code).toBe('LINK_LOST')
    await until('the old request is gone', () => provider.pending === 1)
    const answer = consumer.send(bytes('new'))
    const received: string[] = []
    for await (const request of provider) {
      received.push(text(request.payload))
      await request.respond(request.payload)
      if (received.length === 2) break
    }
    expect([received, text(await answer)]).toEqual([['one way', 'new'], 'new'])
  })

  it('fails at once, and does not wait for a Provider, only once the server has said that there is none', async () => {
    await using house = await House.open('tcp')
    await using proxy = await TcpProxy.to(house.server.url)
    await using link = await Link.connect(proxy.url, soon)
    const provider = await (await house.link()).provider(newId())
    provider.serve(({ payload }) => payload)
    const consumer = await link.consumer(provider.channelId, { waitForProvider: false })
    proxy.isRefusing = true
    proxy.cut()
    await until('the link is down', () => !link.isOpen)
    const answers = [consumer.send(bytes('a')), consumer.send(bytes('b'))]
    await turns()
    proxy.isRefusing = false
    expect((await Promise.all(answers)).map(text)).toEqual(['a', 'b'])
    await provider.close()
    await until('it knows', () => consumer.providers === 0)
    expect((await failure(consumer.send(bytes('c')))).code).toBe('NO_PROVIDER')
  })
})

describe('a server that is restarted', () => {
  it('on the same port gets its links back', async () => {
    let server = await Server.listen({ graceMs: 0 })
    const port = Number(new URL(server.url).port)
    await using near = await Link.connect(server.url, soon)
    await using far = await Link.connect(server.url, soon)
    const provider = await far.provider(newId())
    provider.serve(({ payload }) => payload)
    const consumer = await near.consumer(provider.channelId)
    for (let round = 0; round < 3; round++) {
      expect(text(await consumer.send(bytes('a')))).toBe('a')
      await server.close()
      await until('both know', () => !near.isOpen && !far.isOpen)
      const waiting = consumer.send(bytes('b'), { timeoutMs: 15_000 })
      server = await Server.listen({ port, graceMs: 0 })
      expect(text(await waiting)).toBe('b')
    }
    await server.close()
  })
})

describe('a link that gives up', () => {
  it('after maxAttempts settles everything with the reason', async () => {
    await using all = await bridge({ reconnect: { minMs: 1, maxMs: 5, maxAttempts: 3 } })
    const { consumer, provider, near, proxy, events } = all
    const own = await near.provider(newId())
    const received = failure(own.receive())
    const sent = failure(consumer.send(bytes('a')))
    await until('it has come', () => provider.pending === 1)
    proxy.isRefusing = true
    proxy.cut()
    expect((await sent).code).toBe('LINK_LOST')
    const waiting = [consumer.send(bytes('b')), consumer.post(bytes('b')), consumer.ready()].map(failure)
    const reason = await near.closed
    expect(reason).toMatchObject({ code: 'CONNECT_FAILED' })
    expect(await received).toBe(reason)
    for (const error of await Promise.all(waiting)) expect(error).toBe(reason)
    expect(await failure(consumer.send(bytes('c')))).toBe(reason)
    expect(await failure(near.consumer(newId()))).toBe(reason)
    expect(types(events)).toBe('connected disconnected reconnecting reconnecting reconnecting closed')
    expect(events.filter(({ type }) => type === 'reconnecting').map(({ attempt }) => attempt)).toEqual([1, 2, 3])
  })

  it('at once when it is not to reconnect', async () => {
    await using all = await bridge({ reconnect: false })
    const { consumer, near, proxy, events } = all
    proxy.cut()
    expect(await near.closed).toBeInstanceOf(Error)
    expect(types(events)).toBe('connected disconnected closed')
    expect(await failure(consumer.send(bytes('c')))).toBe(await near.closed)
    expect(proxy.accepted).toBe(1)
  })

  it('because it was closed while it was reconnecting leaves nothing waiting', async () => {
    for (const isHole of [false, true]) {
      await using all = await bridge({ reconnect: { minMs: 1, maxMs: 2 } })
      const { consumer, near, proxy, events } = all
      proxy.isRefusing = !isHole
      proxy.onAccept = () => {
        proxy.isHole = isHole
      }
      proxy.cut()
      await until('it tries', () => proxy.accepted > (isHole ? 1 : 3))
      const waiting = failure(consumer.send(bytes('a')))
      await near.close()
      expect((await waiting).code).toBe('CLOSED')
      expect(await near.closed).toBeUndefined()
      // One try may have been under way.
      await turns()
      const { accepted } = proxy
      await turns()
      expect([proxy.accepted, events.at(-1)?.type]).toEqual([accepted, 'closed'])
    }
  })

  it('fails to connect in the first place with CONNECT_FAILED, and does not try again', async () => {
    await using house = await House.open('tcp')
    await using proxy = await TcpProxy.to(house.server.url)
    proxy.isRefusing = true
    const error = await failure(Link.connect(proxy.url, soon))
    expect(error).toMatchObject({ code: 'CONNECT_FAILED', retryable: true })
    await turns()
    expect(proxy.accepted).toBe(1)
  })
})

describe('a Consumer or Provider with a connection of its own', () => {
  it('closes that connection too when it is refused on coming back', async () => {
    await using house = await House.open('tcp')
    await using proxy = await TcpProxy.to(house.server.url)
    const options = { reconnect: { minMs: 50, maxMs: 50 }, whenTaken: 'close' } as const
    const provider = await Provider.connect(proxy.url, newId(), options)
    await using consumer = await Consumer.connect(proxy.url, provider.channelId, soon)
    proxy.isRefusing = true
    proxy.cut()
    await until('the server knows', () => house.server.stats().links === 0)
    const usurper = await (await house.link()).provider(provider.channelId)
    proxy.isRefusing = false
    expect((await failure(provider.receive())).code).toBe('CHANNEL_CONFLICT')
    usurper.serve(({ payload }) => payload)
    expect(text(await consumer.send(bytes('a')))).toBe('a')
    await until('its connection is closed', () => house.server.stats().links === 2)
    await provider.close()
  })
})

describe('a server that accepts and says nothing', () => {
  it('[SOCK 3.5] is given up after connectTimeoutMs, and a late end of that try does not harm the next', async () => {
    await using house = await House.open('tcp')
    await using proxy = await TcpProxy.to(house.server.url)
    const events: LinkEvent[] = []
    await using link = await Link.connect(proxy.url, {
      ...soon,
      clock,
      connectTimeoutMs: 500,
      observe: (event) => void events.push(event),
    })
    proxy.onAccept = () => {
      proxy.isHole = proxy.accepted === 2
    }
    proxy.cut()
    await until('the third try has worked', () => proxy.accepted >= 3 && link.isOpen)
    // Longer than a port takes to end on its own.
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect([
      link.isOpen,
      types(events)
        .split(' ')
        .filter((type) => type === 'connected').length,
    ]).toEqual([true, 2])
    expect(events.filter(({ type }) => type === 'disconnected').length).toBe(1)
  })

  it('[SOCK 3.5] is given up after connectTimeoutMs altogether, whatever it is that does not come', async () => {
    const silent = createServer((socket) => void socket.on('error', () => {}).resume())
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const url = `tcp://127.0.0.1:${(silent.address() as { port: number }).port}`
    const error = await failure(Link.connect(url, { connectTimeoutMs: 60 }))
    expect(error).toMatchObject({ code: 'CONNECT_FAILED', cause: { code: 'HANDSHAKE_TIMEOUT' } })
    await new Promise<void>((resolve) => silent.close(() => resolve()))
  })
})
