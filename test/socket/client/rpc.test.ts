/** Requests and answers, and one-way messages, over every kind of link. */
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { bytes, failure, House, type Place, text } from '../tools/house.ts'
import { turns, until } from '../tools/until.ts'

const echo = ({ payload }: { payload: Uint8Array }): Uint8Array => payload

describe.each<Place>(['tcp', 'unix', 'in-process'])('a channel over %s', (place) => {
  it('carries a request and its answer', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair()
    provider.serve(({ payload }) => bytes(`${text(payload)}, too`))
    expect(text(await consumer.send(bytes('hello')))).toBe('hello, too')
    expect((await consumer.send(new Uint8Array(0))).length).toBe(5)
    expect([consumer.outstanding, consumer.providers, provider.consumers]).toEqual([0, 1, 1])
  })

  it('carries many requests at once, and each gets its own answer', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair()
    provider.serve(async ({ payload }) => {
      await turns(Number(text(payload)) % 4)
      return payload
    })
    const all = Array.from({ length: 1_000 }, (_, i) => consumer.send(bytes(String(i))))
    expect(consumer.outstanding).toBe(1_000)
    expect((await Promise.all(all)).map(text)).toEqual(Array.from({ length: 1_000 }, (_, i) => String(i)))
    expect(consumer.outstanding).toBe(0)
  })

  it('delivers one-way messages in order, without an answer', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair()
    const count = 5_000
    void (async () => {
      for (let i = 0; i < count; i++) await consumer.post(bytes(String(i)))
    })()
    const received: string[] = []
    for await (const request of provider) {
      expect(request.isOneWay).toBe(true)
      await request.respond(bytes('nobody hears this'))
      if (received.push(text(request.payload)) === count) break
    }
    expect(received).toEqual(Array.from({ length: count }, (_, i) => String(i)))
  })

  it('hands requests out by receive and by iteration, and tells who sent them', async () => {
    await using house = await House.open(place)
    const channelId = newId()
    const provider = await (await house.link({ name: 'far' })).provider(channelId)
    const consumer = await (await house.link({ name: 'near' })).consumer(channelId)
    const answers = [consumer.send(bytes('a')), consumer.send(bytes('b'))]
    const first = await provider.receive()
    expect(first?.peer).toMatchObject({ name: 'near', identity: {} })
    expect(first?.peer.transport).toBe(place === 'in-process' ? 'local' : place)
    await first?.respond(bytes('A'))
    for await (const request of provider) {
      await request.respond(bytes(text(request.payload).toUpperCase()))
      break
    }
    expect((await Promise.all(answers)).map(text)).toEqual(['A', 'B'])
    await consumer.post(bytes('after the break'))
    expect(text((await provider.receive())?.payload ?? bytes(''))).toBe('after the break')
  })

  it('waits for a Provider that comes later', async () => {
    await using house = await House.open(place)
    const channelId = newId()
    const consumer = await (await house.link()).consumer(channelId)
    const answer = consumer.send(bytes('early'))
    const posted = consumer.post(bytes('one way'))
    await turns()
    const provider = await (await house.link()).provider(channelId)
    const received: string[] = []
    provider.serve((request) => {
      received.push(text(request.payload))
      return bytes('late')
    })
    expect(text(await answer)).toBe('late')
    await posted
    await until('both have come', () => received.length === 2)
    expect(received.sort()).toEqual(['early', 'one way'])
  })

  it('passes the code and message of what a handler throws, now or later', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair()
    provider.serve((request) => {
      const error = Object.assign(new Error(`no ${text(request.payload)} left`), {
        code: 'OUT_OF_STOCK',
        retryable: true,
      })
      if (text(request.payload) === 'apples') throw error
      return Promise.reject(error)
    })
    for (const what of ['apples', 'pears']) {
      const error = await failure(consumer.send(bytes(what)))
      expect(error).toMatchObject({
        name: 'RemoteError',
        code: 'OUT_OF_STOCK',
        message: `no ${what} left`,
        retryable: true,
      })
    }
  })

  it('passes whatever a handler throws or fails with, and goes on', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair()
    const thrown = [new TypeError('plain'), 'a text', undefined, Object.create(null), { code: 'X' }]
    provider.serve((request) => {
      const index = Number(text(request.payload))
      if (index < thrown.length) throw thrown[index]
      return request.payload
    })
    const errors = await Promise.all(thrown.map((_, index) => failure(consumer.send(bytes(String(index))))))
    expect(errors.map(({ code }) => code)).toEqual(['REMOTE', 'REMOTE', 'REMOTE', 'REMOTE', 'X'])
    expect(errors[0]?.message).toBe('plain')
    expect(text(await consumer.send(bytes('99')))).toBe('99')
  })

  it('refuses an answer that is not bytes, and says so on both sides', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair()
    const answer = failure(consumer.send(bytes('a')))
    const request = await provider.receive()
    const refusal = await failure((request as unknown as { respond(wrong: unknown): Promise<void> }).respond('text'))
    expect([refusal.code, (await answer).code]).toEqual(['INVALID_OPTION', 'INVALID_OPTION'])
  })

  it('answers a request once, whatever is said afterwards', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair()
    const answer = consumer.send(bytes('a'))
    const request = await provider.receive()
    await request?.respond(bytes('first'))
    await request?.respond(bytes('second'))
    await request?.fail(new Error('third'))
    expect(text(await answer)).toBe('first')
    provider.serve(echo)
    expect(text(await consumer.send(bytes('b')))).toBe('b')
  })

  it('serves no more requests at once than it is told to, and all of them in the end', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair()
    let running = 0
    let most = 0
    const serve = async ({ payload }: { payload: Uint8Array }): Promise<Uint8Array> => {
      most = Math.max(most, ++running)
      await turns(1)
      running--
      return payload
    }
    provider.serve(serve, { concurrency: 3 })
    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => consumer.send(bytes(String(i)))))
    expect(answers.map(text)).toEqual(Array.from({ length: 40 }, (_, i) => String(i)))
    expect(most).toBe(3)
  })

  it('counts one-way messages whose handler threw', async () => {
    await using house = await House.open(place)
    const { consumer, provider } = await house.pair()
    provider.serve(() => {
      throw new Error('broken')
    })
    for (let i = 0; i < 3; i++) await consumer.post(bytes('a'))
    await until('all have failed', () => provider.failedMessages === 3)
    expect((await failure(consumer.send(bytes('b')))).message).toBe('broken')
  })
})

describe('channels', () => {
  it('of one link do not mix, however many there are', async () => {
    await using house = await House.open()
    const [near, far] = [await house.link(), await house.link()]
    const ids = Array.from({ length: 100 }, newId)
    const consumers = await Promise.all(
      ids.map(async (id) => {
        const provider = await far.provider(id)
        provider.serve(({ payload }) => bytes(`${text(payload)} on ${id}`))
        return near.consumer(id)
      }),
    )
    const answers = await Promise.all(consumers.map((consumer, i) => consumer.send(bytes(String(i)))))
    expect(answers.map(text)).toEqual(ids.map((id, i) => `${i} on ${id}`))
    expect([near.stats(), far.stats()]).toMatchObject([
      { ends: 100, streams: 100, lateFrames: 0 },
      { ends: 100, streams: 100, lateFrames: 0 },
    ])
    expect(house.server.stats()).toMatchObject({ links: 2, channels: 100, streams: 100, refused: 0 })
  })

  it('join every Consumer with every Provider, also of one and the same link', async () => {
    await using house = await House.open()
    const link = await house.link()
    const channelId = newId()
    for (let i = 0; i < 3; i++) (await link.provider(channelId, { mode: 'shared' })).serve(echo)
    const consumers = await Promise.all(Array.from({ length: 4 }, () => link.consumer(channelId)))
    expect(house.server.stats()).toMatchObject({ links: 1, channels: 1, streams: 12 })
    for (const consumer of consumers) expect(text(await consumer.send(bytes('a')))).toBe('a')
    await Promise.all(consumers.map((consumer) => consumer.close()))
    await until('the streams are gone', () => house.server.stats().streams === 0)
  })

  it('[SOCK 4.1] are the same whatever the case of their id', async () => {
    await using house = await House.open()
    const channelId = newId()
    const provider = await (await house.link()).provider(channelId.toUpperCase())
    provider.serve(echo)
    const consumer = await (await house.link()).consumer(channelId)
    expect(text(await consumer.send(bytes('a')))).toBe('a')
  })

  it('have a UUID, options that exist, and payloads that are bytes', async () => {
    await using house = await House.open()
    const link = await house.link()
    expect((await failure(link.consumer('orders'))).code).toBe('INVALID_OPTION')
    expect((await failure(link.provider('orders'))).code).toBe('INVALID_OPTION')
    expect((await failure(link.provider(newId(), { mode: 'both' } as never))).code).toBe('INVALID_OPTION')
    expect((await failure(link.consumer(newId(), { wait: true } as never))).code).toBe('INVALID_OPTION')
    const consumer = await link.consumer(newId())
    expect((await failure(consumer.send('text' as never))).code).toBe('INVALID_OPTION')
    expect((await failure(consumer.post(undefined as never))).code).toBe('INVALID_OPTION')
    expect((await failure(consumer.send(bytes('a'), { timeoutMs: -1 }))).code).toBe('INVALID_OPTION')
    expect(link.stats().ends).toBe(1)
  })
})
