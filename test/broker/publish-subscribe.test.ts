/**
 * Publish and subscribe, end to end, wherever the broker is: what is published arrives whole, once, in order, and only
 * where it should.
 */
import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Broker } from '../../broker/broker.ts'
import { Server } from '../../socket/server/server.ts'
import { places } from './tools/places.ts'
import { all, failure, take, takeData } from './tools/reading.ts'

describe.each(places)('with %s', (_name, open) => {
  it('a message arrives with everything that it was published with [BROKER 2.6]', async () => {
    await using place = await open()
    const client = await place.client({ name: 'till', producerId: 'till-1' })
    const orders = await client.subscribe<{ id: number }>('orders.created')
    const before = Date.now() - 1
    const attributes = { id: 'o-7', headers: { source: 'api', '': '' }, correlationId: 'c', replyTo: 'orders.answers' }
    const receipt = await client.publish('orders.created', { id: 7 }, attributes)
    await client.publish('orders.created', { id: 8 })
    const [first, second] = await take(orders, 2)
    expect(first).toMatchObject({ topic: 'orders.created', seq: 1, sender: 'till', data: { id: 7 }, ...attributes })
    expect([receipt.id, second?.id, second?.seq]).toEqual(['o-7', 'till-1:1', 2])
    expect(first?.time).toBeGreaterThan(before)
    expect(first?.epoch).toBeGreaterThan(0)
  })

  it('topics are apart, and a topic is its whole name with its separators', async () => {
    await using place = await open()
    const client = await place.client()
    const names = ['a', 'a.b', 'a/b', 'A', 'a.b.c', 'b.a', '\u00e9', 'e\u0301', '\u{1f44b}.wave', '$inbox.x', '@me']
    const subscriptions = await Promise.all(names.map((name) => client.subscribe(name)))
    for (const name of names) await client.publish(name, name)
    await client.flush()
    for (const subscription of subscriptions) {
      const [found] = await Promise.all([all(subscription), subscription.drain()])
      expect(found).toEqual([subscription.pattern])
    }
  })

  it('patterns get what they match, and nothing else', async () => {
    await using place = await open()
    const client = await place.client()
    const wanted = {
      'a.*': ['a.b', 'a.c'],
      'a/*': ['a/b'],
      'a.**': ['a', 'a.b', 'a.c', 'a.b.c', 'a.b/d'],
      '*': ['a'],
      '**': ['a', 'a.b', 'a.c', 'a/b', 'a.b.c', 'a.b/d'],
      '*.b.*': ['a.b.c'],
      '$inbox.*': ['$inbox.x'],
    }
    const subscriptions = await Promise.all(Object.keys(wanted).map((pattern) => client.subscribe(pattern)))
    for (const name of ['a', 'a.b', 'a.c', 'a/b', 'a.b.c', 'a.b/d', '$inbox.x']) await client.publish(name, name)
    await client.flush()
    for (const subscription of subscriptions) {
      const expected = wanted[subscription.pattern as keyof typeof wanted]
      expect([subscription.pattern, ...(await takeData(subscription, expected.length))]).toEqual([
        subscription.pattern,
        ...expected,
      ])
      expect(subscription.pending).toBe(0)
    }
  })

  it('every subscriber of a topic gets every message, also two of one client', async () => {
    await using place = await open()
    const clients = await Promise.all([place.client(), place.client(), place.client()])
    const subscriptions = await Promise.all(clients.flatMap((one) => [one.subscribe('t'), one.subscribe('t')]))
    for (let i = 0; i < 100; i++) await clients[0]?.publish('t', i)
    const expected = Array.from({ length: 100 }, (_, i) => i)
    for (const subscription of subscriptions) expect(await takeData(subscription, 100)).toEqual(expected)
    expect(place.stats()).toMatchObject({ published: 100, forwarded: 600, dropped: 0, subscriptions: 6 })
  })

  it('bytes arrive as bytes, values as values, and nothing as nothing [BROKER 2.7]', async () => {
    await using place = await open()
    const client = await place.client()
    const all = await client.subscribe('t')
    const values = [
      ...[null, true, 0, -1, 1.5, '', 'text', [], {}, { a: [1, { b: null }] }, new Date(5)],
      ...[new Uint8Array(0), new Uint8Array([0]), randomBytes(1_000)],
    ]
    for (const value of values) await client.publish('t', value)
    await client.publish('t', undefined)
    const messages = await take(all, values.length + 1)
    expect(messages.slice(0, -1).map(({ data }) => data)).toEqual(
      values.map((value) => (Buffer.isBuffer(value) ? new Uint8Array(value) : value)),
    )
    expect(messages.at(-1)?.data).toBeNull()
    expect(messages[11]?.payload).toEqual(new Uint8Array(0))
  })

  it('messages of 1 MiB and 15 MiB keep their place among small ones', async () => {
    await using place = await open()
    const [publisher, subscriber] = [await place.client(), await place.client()]
    const subscription = await subscriber.subscribe('**')
    const large = [1, 15, 1, 15].map((mib) => randomBytes(mib * 1024 * 1024))
    const expected: string[] = []
    for (const [i, bytes] of large.entries()) {
      await publisher.publish('small', `before ${i}`)
      await publisher.publish('large', bytes)
      await publisher.publish('small', `after ${i}`)
      expected.push(`before ${i}`, createHash('sha256').update(bytes).digest('hex'), `after ${i}`)
    }
    const found = (await takeData(subscription, 12)).map((data) =>
      data instanceof Uint8Array ? createHash('sha256').update(data).digest('hex') : data,
    )
    expect(found).toEqual(expected)
    expect(place.stats().dropped).toBe(0)
  })

  it('a message above the limit is refused at its publisher, and the next one arrives', async () => {
    await using place = await open()
    const client = await place.client()
    const subscription = await client.subscribe('t')
    const error = await failure(client.publish('t', new Uint8Array(16 * 1024 * 1024)))
    expect(error).toMatchObject({ code: 'MESSAGE_TOO_LARGE', retryable: false })
    await client.publish('t', 'next')
    expect(await takeData(subscription, 1)).toEqual(['next'])
  })

  it('sequences have no gaps per topic, positions none over all, and every publisher keeps its order [BROKER 4.2]', async () => {
    await using place = await open()
    const publishers = await Promise.all([1, 2, 3].map((n) => place.client({ name: `p${n}` })))
    const subscription = await (await place.client()).subscribe('t.**')
    const publishing = publishers.map(async (publisher, p) => {
      for (let i = 0; i < 400; i++) {
        await publisher.publish(`t.${(i * 7 + p) % 5}`, i)
        if (i % 50 === 0) await publisher.flush()
      }
    })
    const messages = await take(subscription, 1_200)
    await Promise.all(publishing)
    const next = new Map<string, number>()
    for (const [at, { topic, seq, position, sender, data }] of messages.entries()) {
      expect(seq).toBe((next.get(topic) ?? 0) + 1)
      expect(data).toBe(next.get(sender) ?? 0)
      expect(position).toBe((messages[0]?.position as number) + at)
      next.set(topic, seq).set(sender, (data as number) + 1)
    }
    expect([subscription.received, subscription.gaps]).toEqual([1_200, 0])
  })

  it('nothing is missed that is published after subscribe has resolved [BROKER 3.7]', async () => {
    await using place = await open()
    const [publisher, subscriber] = [await place.client(), await place.client()]
    let isOver = false
    const publishing = (async () => {
      for (let i = 0; !isOver; i++) {
        await publisher.publish('t', i)
        if (i % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
    })()
    for (let round = 0; round < 20; round++) {
      const subscription = await subscriber.subscribe('t')
      const { seq } = await markOf(publisher, subscriber)
      const [first] = await take(subscription, 1)
      expect(first?.seq).toBeLessThanOrEqual(seq)
      await subscription.close()
    }
    isOver = true
    await publishing

    /** The sequence of a message that was certainly published after the subscription was there. */
    async function markOf(from: typeof publisher, to: typeof subscriber) {
      const marks = await to.subscribe('t')
      await from.publish('t', 'mark')
      await using _ = marks
      for await (const { data, seq } of marks) if (data === 'mark') return { seq }
      throw new Error('no mark came')
    }
  })

  it('what is published before subscribing is not delivered', async () => {
    await using place = await open()
    const client = await place.client()
    await client.publish('t', 'before')
    await client.flush()
    const subscription = await client.subscribe('t')
    await client.publish('t', 'after')
    const [message] = await take(subscription, 1)
    expect([message?.data, message?.seq]).toEqual(['after', 2])
  })

  it('flush resolves when the broker has all that was published before, and not before [BROKER 3.6]', async () => {
    await using place = await open()
    const client = await place.client()
    for (let i = 0; i < 5_000; i++) void client.publish(`t.${i % 3}`, randomBytes(100))
    await client.flush()
    expect(place.stats()).toMatchObject({ published: 5_000, topics: 3 })
  })

  it('noEcho leaves out what the same client published, and nothing else [BROKER 4.10]', async () => {
    await using place = await open({ topics: { h: { history: 10 } } })
    const [me, other] = [await place.client(), await place.client()]
    await me.publish('h', 'mine, before')
    await other.publish('h', 'before')
    await Promise.all([me.flush(), other.flush()])
    const subscription = await me.subscribe('h', { noEcho: true, from: 'all' })
    const sibling = await me.subscribe('h')
    await me.publish('h', 'mine')
    await me.flush()
    await other.publish('h', 'theirs')
    expect(await takeData(subscription, 2)).toEqual(['before', 'theirs'])
    expect(await takeData(sibling, 2)).toEqual(['mine', 'theirs'])
    expect([subscription.received, subscription.gaps]).toEqual([2, 0])
  })

  it.each([
    ['new', [], []],
    ['all', [4, 5, 6, 7, 8], []],
    [{ last: 2 }, [7, 8], []],
    [{ seq: 6 }, [6, 7, 8], []],
    [{ seq: 2 }, [4, 5, 6, 7, 8], [{ topic: 'h.a', first: 2, last: 3 }]],
    [{ position: 7 }, [7, 8], []],
    [{ time: 0 }, [4, 5, 6, 7, 8], []],
    [{ time: 2 ** 45 }, [], []],
  ] as const)(
    'from %j gives that much of the history, and goes on with what is new [BROKER 4.5]',
    async (from, expected, gaps) => {
      await using place = await open({ topics: { 'h.*': { history: 5 } } })
      const client = await place.client()
      for (let i = 1; i <= 8; i++) await client.publish('h.a', i)
      await client.flush()
      const subscription = await client.subscribe('h.*', { from })
      await client.publish('h.a', 9)
      expect(await takeData(subscription, expected.length + 1)).toEqual([...expected, 9])
      expect([subscription.lastGap, subscription.gaps]).toEqual([gaps[0], gaps.length])
      expect(subscription.recovered).toBe(true)
    },
  )

  it('a history of many topics comes in the order of publishing', async () => {
    await using place = await open({ topics: { '**': { history: 50 } } })
    const client = await place.client()
    for (let i = 0; i < 300; i++) await client.publish(`t.${(i * i) % 7}`, i)
    await client.flush()
    const subscription = await client.subscribe('**', { from: 'all' })
    for (let i = 300; i < 310; i++) await client.publish('t.0', i)
    const found = await take(subscription, subscription.pending + 10)
    const data = found.map((message) => message.data as number)
    expect(data).toEqual([...data].sort((a, b) => a - b))
    expect(data.at(-1)).toBe(309)
  })

  it('invalid topics, patterns, data and options are refused, and the client goes on', async () => {
    await using place = await open()
    const client = await place.client()
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    const refusals: [string, () => Promise<unknown>][] = [
      ['INVALID_TOPIC', () => client.publish('', 1)],
      ['INVALID_TOPIC', () => client.publish('a..b', 1)],
      ['INVALID_TOPIC', () => client.publish('a.*', 1)],
      ['INVALID_TOPIC', () => client.publish('x'.repeat(256), 1)],
      ['FORBIDDEN', () => client.publish('$sys.a', 1)],
      ['INVALID_DATA', () => client.publish('a', () => 1)],
      ['INVALID_DATA', () => client.publish('a', cycle)],
      ['INVALID_OPTION', () => client.publish('a', 1, { headers: { a: 1 } as never })],
      ['INVALID_OPTION', () => client.publish('a', 1, { ttl: 5 } as never)],
      ['INVALID_PATTERN', () => client.subscribe('a.**.b')],
      ['INVALID_PATTERN', () => client.subscribe('a*')],
      ['INVALID_PATTERN', () => client.subscribe(/a/ as never)],
      ['INVALID_PATTERN', () => client.unsubscribe('a..b')],
      ['INVALID_OPTION', () => client.subscribe('a', { buffer: 0 })],
      ['INVALID_OPTION', () => client.subscribe('a', { limit: { messages: -1 } })],
      ['INVALID_OPTION', () => client.flush({ timeoutMs: -1 })],
      ['INVALID_OPTION', () => client.drain({ timeoutMs: 'x' as never })],
    ]
    for (const [code, call] of refusals) expect([code, (await failure(call())).code]).toEqual([code, code])
    const subscription = await client.subscribe('a')
    await client.publish('a', 'works')
    expect(await takeData(subscription, 1)).toEqual(['works'])
    expect(place.stats().refused).toBe(0)
  })

  it('what a subscription, a client and a broker hold returns to where it was', async () => {
    await using place = await open()
    const client = await place.client()
    await client.flush()
    const [before, own] = [place.stats(), client.stats()]
    const others = await Promise.all([place.client(), place.client()])
    for (const one of [client, ...others]) {
      for (const pattern of ['a', 'a.*', '**']) await one.subscribe(pattern)
      await one.publish('a', 1)
    }
    await Promise.all(others.map((one) => one.flush()))
    expect(place.stats().subscriptions).toBe(before.subscriptions + 9)
    await others[0]?.drain({ timeoutMs: 50 })
    await others[1]?.close()
    for (const pattern of ['a', 'a.*', '**']) await client.unsubscribe(pattern)
    await place.counts({ subscriptions: before.subscriptions, held: 0, paced: 0 })
    expect(client.stats()).toEqual(own)
    const { server } = before
    if (server) {
      const isBack = () => {
        const { links, channels, streams } = place.stats().server ?? {}
        return links === server.links && channels === server.channels && streams === server.streams
      }
      await expect.poll(isBack, { timeout: 10_000 }).toBe(true)
    }
  })
})

describe('a broker', () => {
  it('publishes and subscribes by itself, as a client called broker', async () => {
    await using broker = await Broker.listen()
    const subscription = await broker.subscribe('t')
    await broker.publish('t', 1)
    await broker.flush()
    const [message] = await take(subscription, 1)
    expect([message?.data, message?.sender]).toEqual([1, 'broker'])
    await broker.unsubscribe('t')
    expect(broker.stats().subscriptions).toBe(0)
  })

  it('that is attached under a name has clients with names and limits of their own', async () => {
    await using server = await Server.listen({ graceMs: 100 })
    await using broker = await Broker.attach(server.url, { name: 'hub', maxMessageBytes: 100_000 })
    const client = broker.client()
    const subscription = await client.subscribe('t')
    await client.publish('t', 'nameless')
    await broker.client({ name: 'named' }).publish('t', 'named')
    const senders = (await take(subscription, 2)).map(({ sender, data }) => [sender, data])
    expect(Object.fromEntries(senders)).toEqual({ '': 'nameless', named: 'named' })
    expect((await failure(client.publish('t', new Uint8Array(100_000)))).code).toBe('MESSAGE_TOO_LARGE')
    expect(broker.stats().refused).toBe(0)
  })

  it('is alone on its channel of a server: a second one is refused with CHANNEL_CONFLICT', async () => {
    await using broker = await Broker.listen()
    const error = await failure(Broker.attach(broker.url))
    expect(error).toMatchObject({ code: 'CHANNEL_CONFLICT', retryable: true })
    expect(broker.stats().server?.links).toBe(1)
  })
})
