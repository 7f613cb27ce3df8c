/** Closing and draining, on either side and of the whole: what was promised is kept, and everything settles. */
import { Consumer, Link, Provider, Server } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { bytes, failure, House, type Place, text } from '../tools/house.ts'
import { turns, until } from '../tools/until.ts'

const KiB = 1024

describe.each<Place>(['tcp', 'in-process'])('a Consumer that closes, over %s,', (place) => {
  it('rejects what is in flight or waits with CLOSED, and every later call', async () => {
    await using house = await House.open(place)
    const { consumer, provider, near } = await house.pair()
    const alone = await near.consumer(newId())
    const all = [consumer.send(bytes('a')), alone.send(bytes('a')), alone.post(bytes('a')), alone.ready()].map(failure)
    await until('the first has come', () => provider.pending === 1)
    await Promise.all([consumer.close(), alone.close()])
    expect((await Promise.all(all)).map(({ code }) => code)).toEqual(Array(4).fill('CLOSED'))
    expect((await failure(consumer.send(bytes('a')))).code).toBe('CLOSED')
    expect((await failure(consumer.post(bytes('a')))).code).toBe('CLOSED')
    expect((await failure(consumer.ready())).code).toBe('CLOSED')
    expect([consumer.outstanding, consumer.credit, consumer.providers]).toEqual([0, 0, 0])
    await consumer.close()
  })

  it('has its one-way messages delivered all the same', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair()
    for (let i = 0; i < 100; i++) void consumer.post(bytes(String(i)))
    await consumer.close()
    await until('it is gone', () => provider.consumers === 0)
    const received: string[] = []
    provider.serve(({ payload }) => {
      received.push(text(payload))
      return undefined
    })
    expect(received).toEqual(Array.from({ length: 100 }, (_, i) => String(i)))
  })

  it('leaves nothing behind, however much its Provider still had to answer', async () => {
    await using house = await House.open(place)
    const { consumer, provider, near, far } = await house.pair()
    const all = Array.from({ length: 50 }, () => failure(consumer.send(bytes('a'))))
    await until('all have come', () => provider.pending === 50)
    const closing = consumer.close()
    provider.serve(() => new Uint8Array(40 * KiB))
    await closing
    await Promise.all(all)
    await until('the stream is gone', () => house.server.stats().streams === 0)
    await until('on both links', () => near.stats().streams + far.stats().streams === 0)
    expect([provider.pending, provider.consumers]).toEqual([0, 0])
  })

  it('rejects a large payload that is half sent with CLOSED', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair()
    const all = [consumer.send(new Uint8Array(4_000 * KiB)), consumer.post(new Uint8Array(4_000 * KiB))].map(failure)
    await new Promise(setImmediate)
    await consumer.close()
    expect((await Promise.all(all)).map(({ code }) => code)).toEqual(['CLOSED', 'CLOSED'])
    await until('the stream is gone', () => provider.consumers === 0)
    expect(provider.pending).toBe(0)
  })
})

describe.each<Place>(['tcp', 'in-process'])('a Consumer that is drained, over %s,', (place) => {
  it('waits for its answers and for what it posted, and takes nothing new', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair()
    const answers = Array.from({ length: 10 }, (_, i) => consumer.send(bytes(String(i))))
    const posts = Array.from({ length: 10 }, () => consumer.post(new Uint8Array(150 * KiB)))
    const drained = consumer.drain()
    expect((await failure(consumer.send(bytes('new')))).code).toBe('CLOSED')
    expect((await failure(consumer.post(bytes('new')))).code).toBe('CLOSED')
    let posted = 0
    provider.serve(async (request) => {
      await turns(1)
      if (request.isOneWay) posted++
      return request.payload
    })
    await drained
    expect((await Promise.all(answers)).map(text)).toEqual(Array.from({ length: 10 }, (_, i) => String(i)))
    await Promise.all(posts)
    await until('all have been served', () => posted === 10)
    expect(house.server.stats().streams).toBe(0)
  })

  it('gives up after its time', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair()
    const answer = failure(consumer.send(bytes('a')))
    await until('it has come', () => provider.pending === 1)
    await consumer.drain({ timeoutMs: 10 })
    expect((await answer).code).toBe('CLOSED')
  })
})

describe.each<Place>(['tcp', 'in-process'])('a Provider that closes, over %s,', (place) => {
  it('ends its iterators and receivers in good order', async () => {
    await using house = await House.open(place)
    const { provider } = await house.pair()
    const iterated = (async () => {
      for await (const _ of provider) throw new Error('nothing was sent')
      return 'ended'
    })()
    const received = provider.receive()
    await turns(2)
    await provider.close()
    expect([await iterated, await received, await provider.receive()]).toEqual(['ended', undefined, undefined])
  })

  it('[SOCK 5.7] when it is drained answers what it has, large ones in the middle too, and then is gone', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair({ windowBytes: 64 * KiB })
    const filler = consumer.post(new Uint8Array(50 * KiB))
    const answers = [consumer.send(bytes('small')), consumer.send(new Uint8Array(1_000 * KiB))]
    await filler
    await until('the first has come', () => provider.pending > 0)
    await turns()
    const drained = provider.drain()
    await turns()
    const late = consumer.send(bytes('late'))
    provider.serve(async ({ payload }) => {
      await turns(1)
      return payload
    })
    expect((await Promise.all(answers)).map(({ length }) => length)).toEqual([5, 1_000 * KiB])
    await drained
    await until('the Consumer knows', () => consumer.providers === 0)
    expect(consumer.outstanding).toBe(1)
    const successor = await (await house.link()).provider(consumer.channelId)
    successor.serve(() => bytes('from the successor'))
    expect(text(await late)).toBe('from the successor')
  })

  it('[SOCK 5.7] when it is drained sends answers that wait for credit', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair({ windowBytes: 64 * KiB })
    const answers = Array.from({ length: 30 }, () => consumer.send(bytes('a')))
    await until('all have come', () => provider.pending === 30)
    provider.serve(() => new Uint8Array(30 * KiB))
    await provider.drain()
    expect((await Promise.all(answers)).every(({ length }) => length === 30 * KiB)).toBe(true)
  })

  it('when it is drained gives up after its time', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair()
    const answer = failure(consumer.send(bytes('a')))
    await until('it has come', () => provider.pending === 1)
    await provider.drain({ timeoutMs: 10 })
    expect((await answer).code).toBe('PROVIDER_CLOSED')
  })
})

describe('a link that closes', () => {
  it('settles everything on it', async () => {
    await using house = await House.open()
    const { consumer, provider, near, far } = await house.pair()
    const alone = await near.consumer(newId())
    const waiting = [consumer.send(bytes('a')), alone.send(bytes('a')), alone.post(bytes('a')), alone.ready()]
    const failures = waiting.map(failure)
    const drained = [consumer.drain({ timeoutMs: 60_000 }), provider.drain({ timeoutMs: 60_000 })]
    const received = provider.receive()
    const opening = failure(near.provider(newId()))
    await Promise.all([near.close(), far.close()])
    expect((await Promise.all(failures)).map(({ code }) => code)).toEqual(Array(4).fill('CLOSED'))
    expect((await opening).code).toBe('CLOSED')
    await Promise.all(drained)
    expect(await received).toBeUndefined()
    expect(await provider.receive()).toBeUndefined()
    expect([await near.closed, await far.closed, near.isOpen]).toEqual([undefined, undefined, false])
    expect(near.stats()).toMatchObject({ ends: 0, streams: 0 })
  })

  it('takes nothing new: channel ends are refused with CLOSED', async () => {
    await using house = await House.open()
    for (const link of [await house.link(), house.server.link()]) {
      await link.close()
      expect((await failure(link.provider(newId()))).code).toBe('CLOSED')
      expect((await failure(link.consumer(newId()))).code).toBe('CLOSED')
      await link.close()
    }
  })

  it('is closed when its signal is aborted', async () => {
    await using house = await House.open()
    for (const isLocal of [true, false]) {
      const controller = new AbortController()
      const options = { signal: controller.signal }
      const link = isLocal ? house.server.link(options) : await house.link(options)
      const consumer = await link.consumer(newId())
      const answer = failure(consumer.send(bytes('a')))
      controller.abort()
      expect([(await answer).code, await link.closed]).toEqual(['CLOSED', undefined])
    }
  })

  it('does not even begin when its signal has been aborted', async () => {
    await using house = await House.open()
    const signal = AbortSignal.abort('before')
    expect(await failure(Link.connect(house.server.url, { signal }))).toMatchObject({
      code: 'ABORTED',
      cause: 'before',
    })
    const local = house.server.link({ signal })
    expect(await local.closed).toMatchObject({ code: 'ABORTED' })
    expect((await failure(local.consumer(newId()))).code).toBe('ABORTED')
    expect(house.server.stats().links).toBe(0)
  })

  it('goes with the block that it was declared in', async () => {
    await using house = await House.open()
    let outer: Link
    {
      await using link = await Link.connect(house.server.url)
      await using provider = await link.provider(newId())
      await using consumer = await link.consumer(provider.channelId)
      provider.serve(({ payload }) => payload)
      expect(text(await consumer.send(bytes('a')))).toBe('a')
      outer = link
    }
    expect(outer.isOpen).toBe(false)
    await until('the server knows', () => house.server.stats().links === 0)
    expect(house.server.stats()).toMatchObject({ channels: 0, streams: 0 })
  })
})

describe('a Consumer or Provider with a connection of its own', () => {
  it('takes its connection with it', async () => {
    await using house = await House.open()
    const provider = await Provider.connect(house.server.url, newId(), { name: 'far', mode: 'shared' })
    const consumer = await Consumer.connect(house.server.url, provider.channelId, { name: 'near' })
    provider.serve(({ peer }) => bytes(peer.name))
    expect(text(await consumer.send(bytes('a')))).toBe('near')
    expect(house.server.stats()).toMatchObject({ links: 2, channels: 1, streams: 1 })
    await Promise.all([consumer.close(), provider.close()])
    await until('the server knows', () => house.server.stats().links === 0)
  })

  it('leaves no connection behind when it is refused', async () => {
    await using house = await House.open('tcp', { authorise: (_link, role) => role === 'provider' })
    await using provider = await Provider.connect(house.server.url, newId())
    const { channelId } = provider
    expect((await failure(Provider.connect(house.server.url, channelId))).code).toBe('CHANNEL_CONFLICT')
    expect((await failure(Consumer.connect(house.server.url, channelId))).code).toBe('FORBIDDEN')
    expect((await failure(Consumer.connect(house.server.url, 'no id'))).code).toBe('INVALID_OPTION')
    await until('only one is left', () => house.server.stats().links === 1)
  })
})

describe('a server that closes', () => {
  it('lets requests in flight be answered, and tells its links to go', async () => {
    await using house = await House.open('tcp', { graceMs: 10_000 })
    const { consumer, provider, near, far } = await house.pair({ reconnect: false })
    const answers = Array.from({ length: 10 }, (_, i) => consumer.send(bytes(String(i))))
    await until('all have come', () => provider.pending === 10)
    const closing = house.server.close()
    await turns()
    const late = failure(consumer.send(bytes('late')))
    provider.serve(async ({ payload }) => {
      await turns(2)
      return payload
    })
    expect((await Promise.all(answers)).map(text)).toEqual(Array.from({ length: 10 }, (_, i) => String(i)))
    await closing
    expect((await late).code).toBe('SERVER_CLOSING')
    expect([await near.closed, await far.closed]).toEqual([
      expect.objectContaining({ code: 'SERVER_CLOSING' }),
      expect.objectContaining({ code: 'SERVER_CLOSING' }),
    ])
    expect(house.server.stats()).toMatchObject({ links: 0, channels: 0, streams: 0 })
  })

  it('cuts what is not finished after its grace', async () => {
    await using house = await House.open('tcp', { graceMs: 20 })
    const { consumer, provider } = await house.pair({ reconnect: false })
    const answer = failure(consumer.send(bytes('a')))
    await until('it has come', () => provider.pending === 1)
    await house.server.close()
    expect((await answer).code).toBe('LINK_LOST')
    await house.server.close()
  })

  it('refuses newcomers, in the same program too', async () => {
    const server = await Server.listen()
    const { url } = server
    await server.close()
    expect((await failure(Link.connect(url, { reconnect: false }))).code).toBe('CONNECT_FAILED')
    const local = server.link()
    expect(await local.closed).toMatchObject({ code: 'SERVER_CLOSING' })
    expect((await failure(local.provider(newId()))).code).toBe('SERVER_CLOSING')
  })

  it('fails iterators of links that do not reconnect, with the reason', async () => {
    await using house = await House.open('tcp')
    const link = await house.link({ reconnect: false })
    const provider = await link.provider(newId())
    const iterated = failure(
      (async () => {
        for await (const _ of provider) throw new Error('nothing was sent')
      })(),
    )
    await house.server.close()
    expect((await iterated).code).toBe('SERVER_CLOSING')
    expect((await failure(provider.receive())).code).toBe('SERVER_CLOSING')
  })
})

describe('a server that listens by a transport of its own', () => {
  it.each([
    ['throws', () => void thrown()],
    ['rejects', async () => thrown()],
  ])('closes all the same when the listener %s as it is closed', async (_how, close) => {
    const listen = async () => ({ url: 'own:1', close: close as () => Promise<void> })
    const server = await Server.listen({ listen: [{ url: 'own:1' }], transports: { own: listen }, graceMs: 0 })
    const link = server.link()
    await until('it is open', () => link.isOpen)
    await server.close()
    await link.closed
    expect(server.stats().links).toBe(0)
  })
})

function thrown(): never {
  throw new Error('the listener failed')
}
