/**
 * Clients that send what nobody should: the broker, in a process of its own where an error that nobody handles is its
 * end, refuses and counts it, and everybody else goes on.
 */
import { randomBytes } from 'node:crypto'
import { connect as connectSocket } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { Broker, type BrokerStats } from '../../../broker/broker.ts'
import type { Client } from '../../../broker/client/client.ts'
import { connect } from '../../../broker/client/connect.ts'
import { brokerChannel } from '../../../broker/shared/broker-channel.ts'
import { encodeValue } from '../../../broker/shared/codec.ts'
import { encodeRequest } from '../../../broker/shared/requests.ts'
import { Link } from '../../../socket/client/link.ts'
import { turns, until } from '../../socket/tools/until.ts'
import { batchOf, join, lying, numbered } from '../shared/batches.ts'
import { Child } from '../tools/child.ts'
import { Detour } from '../tools/detour.ts'
import { failure, Told, take, takeData } from '../tools/reading.ts'

let broker: Child
let url: string
let honest: Client

beforeAll(async () => {
  const started = await Child.start<{ url: string }>('broker', { topics: { 'h.*': { history: 5 } } })
  broker = started.child
  url = started.url
  honest = await connect(url)
})

afterAll(async () => {
  await honest.close()
  expect(broker.complaints).toBe('')
  await broker.kill()
})

const stats = () => broker.ask<BrokerStats & { rss: number }>('stats')

let refusedBefore = 0
beforeEach(async () => {
  refusedBefore = (await stats()).refused
})

/** Resolves once that many more have been refused, and the honest client is served as before. */
async function expectRefused(count: number): Promise<void> {
  await until(`${count} are refused`, async () => (await stats()).refused - refusedBefore >= count)
  expect((await stats()).refused - refusedBefore).toBe(count)
  await expectHonest()
}

async function expectHonest(): Promise<void> {
  const topic = `honest.${newId()}`
  const subscription = await honest.subscribe(topic)
  await honest.publish(topic, 'fine')
  expect(await takeData(subscription, 1)).toEqual(['fine'])
  await subscription.close()
}

async function hostile() {
  const link = await Link.connect(url, { name: 'mallory' })
  const consumer = await link.consumer(brokerChannel)
  const ask = (request: unknown) => consumer.send(join([new Uint8Array([2]), encodeValue(request)]))
  return {
    ...{ link, consumer, ask },
    async [Symbol.asyncDispose]() {
      await link.close()
    },
  }
}

const from = (topic: string, ...values: unknown[]) =>
  batchOf({ topic, sender: 'mallory', entries: values.map((value) => ({ value })) })

describe('a client that publishes', () => {
  it('garbage is refused, and counted [BROKER 3.2] [BROKER 5.2]', async () => {
    await using mallory = await hostile()
    const garbage = [
      new Uint8Array(0),
      new Uint8Array([0]),
      new Uint8Array([9, 9, 9]),
      randomBytes(1_000).fill(7, 0, 1),
    ]
    for (const bytes of garbage) await mallory.consumer.post(bytes)
    await mallory.consumer.post(new Uint8Array([1]))
    await expectRefused(5)
  })

  it('under the name of another is refused [BROKER 3.3]', async () => {
    await using mallory = await hostile()
    const subscription = await honest.subscribe('forged')
    const forge = (sender: string) => batchOf({ topic: 'forged', sender, entries: [{ value: 1 }] })
    for (const sender of ['', 'alice', 'broker', 'mallor', 'mallory ']) await mallory.consumer.post(forge(sender))
    await mallory.consumer.post(from('forged', 'own'))
    await expectRefused(5)
    const [message] = await take(subscription, 1)
    expect([message?.data, message?.sender, message?.seq]).toEqual(['own', 'mallory', 1])
    await subscription.close()
  })

  it('batches that lie about their lengths, counts or topics is refused [BROKER 2.3]', async () => {
    await using mallory = await hostile()
    const change = (at: number, ...bytes: number[]) => {
      const bad = from('lies', 1, 2, 3)
      bad.set(bytes, at)
      return bad
    }
    const bad = [change(2, 0, 0), change(2, 0xff, 0xff), change(8, 0xff, 0xff, 0xff, 0xff), change(8, 0, 0, 0, 0)]
    bad.push(change(12, 0xff, 0xff, 0, 0), change(12, 0, 0, 0, 0), change(6, 0xff, 0xff))
    for (const topic of ['a..b', 'a.*', '**', '.', '\u0000', '\ufeffa', 'x'.repeat(256)]) bad.push(from(topic, 1))
    for (const bytes of bad) await mallory.consumer.post(bytes)
    await expectRefused(bad.length)
  })

  it('a parcel that is good at first and then is not has its first part delivered', async () => {
    await using mallory = await hostile()
    const subscription = await honest.subscribe('mixed.*')
    const parts = [from('mixed.a', 1), from('a..b', 2), from('mixed.b', 3), new Uint8Array([1, 2, 3])]
    await mallory.consumer.post(join(parts))
    expect(await takeData(subscription, 2)).toEqual([1, 3])
    await expectRefused(2)
    await subscription.close()
  })

  it('as a request is answered, with the error when it is refused', async () => {
    await using mallory = await hostile()
    expect(await mallory.consumer.send(from('requested', 1))).toHaveLength(0)
    expect(await failure(mallory.consumer.send(from('a..b', 1)))).toMatchObject({ code: 'INVALID_TOPIC' })
    await expectRefused(1)
  })

  it('more than the limit of a message is refused, and counted', async () => {
    const link = await Link.connect(url, { name: 'mallory', maxMessageBytes: 64 * 1024 * 1024 })
    const consumer = await link.consumer(brokerChannel)
    await consumer.post(new Uint8Array(20 * 1024 * 1024).fill(1))
    await expectRefused(1)
    await link.close()
  })
})

describe('a client that asks', () => {
  it.each([
    ['an unknown thing', { op: 'shutdown' }],
    ['nothing', {}],
    ['with a text', 'hello'],
    ['to subscribe without a channel', { op: 'subscribe', pattern: 'a' }],
    ['to unsubscribe from a number', { op: 'unsubscribe', channel: 7 }],
  ])('%s is refused with INVALID_REQUEST [BROKER 3.4]', async (_name, request) => {
    await using mallory = await hostile()
    expect(await failure(mallory.ask(request))).toMatchObject({ code: 'INVALID_REQUEST', retryable: false })
    await expectRefused(1)
  })

  it('in what is no msgpack, or claims to be huge, is refused and costs the broker no memory', async () => {
    await using mallory = await hostile()
    const { rss } = await stats()
    const repeated = (...bytes: number[]) => Array.from({ length: 5_000 }, () => bytes).flat()
    const bodies = [[0xc1], repeated(0xdd, 1, 0xe0, 0, 0), repeated(0xdc, 0xff, 0xff), repeated(0x91)]
    for (const body of bodies) {
      const error = await failure(mallory.consumer.send(new Uint8Array([2, ...body])))
      expect(error.code).toBe('INVALID_DATA')
    }
    await expectRefused(4)
    expect((await stats()).rss - rss).toBeLessThan(100)
  })

  const subscribe = {
    ...{ op: 'subscribe', pattern: 'a.*', noEcho: false, from: 'new', resume: null },
    ...{ limitMessages: 1, limitBytes: 1, maxMessageBytes: 1_000_000 },
  }

  it('to be forwarded to where nobody provides, to the broker itself, or to what is no channel is refused [BROKER 3.7]', async () => {
    await using mallory = await hostile()
    const before = await stats()
    for (const channel of [newId(), brokerChannel, brokerChannel.toUpperCase()]) {
      expect(await failure(mallory.ask({ ...subscribe, channel }))).toMatchObject({ code: 'INVALID_REQUEST' })
    }
    expect(await failure(mallory.ask({ ...subscribe, channel: 'no channel' }))).toMatchObject({
      code: 'INVALID_OPTION',
    })
    expect(await failure(mallory.ask({ ...subscribe, channel: newId(), pattern: 'a..b' }))).toMatchObject({
      code: 'INVALID_PATTERN',
    })
    await until('nothing is left of it', async () => (await stats()).server?.channels === before.server?.channels)
    expect((await stats()).subscriptions).toBe(before.subscriptions)
  })

  it('twice for the same channel has one subscription, and may not end that of another', async () => {
    await using mallory = await hostile()
    await using eve = await hostile()
    const channel = newId()
    const provider = await mallory.link.provider(channel)
    const first = mallory.ask({ ...subscribe, channel })
    const second = failure(mallory.ask({ ...subscribe, channel }))
    await first
    expect((await second).code).toBe('INVALID_REQUEST')
    const before = await stats()
    await eve.ask({ op: 'unsubscribe', channel, drain: false })
    expect((await stats()).subscriptions).toBe(before.subscriptions)
    await mallory.consumer.post(from('a.b', 1))
    expect((await provider.receive())?.payload[0]).toBe(1)
  })

  it('for a large answer, and vanishes while it comes, is no burden', async () => {
    for (let i = 0; i < 5_000; i++) void honest.publish(`many.${i}.${'x'.repeat(100)}`, i)
    await honest.flush()
    const hello = await honest.subscribe('many.0')
    await using detour = await Detour.to(url)
    for (let round = 0; round < 12; round++) {
      const link = await Link.connect(detour.url, { name: 'mallory', reconnect: false })
      const consumer = await link.consumer(brokerChannel)
      const { channelId } = await link.provider(newId())
      // It claims to have seen nothing of five thousand topics.
      const resume = { epoch: 1, position: 0, seen: [] }
      const request = {
        ...subscribe,
        pattern: 'many.**',
        op: 'subscribe',
        from: 'new',
        channel: channelId,
        maxMessageBytes: 1_000_000,
        resume,
      } as const
      const asking = consumer.send(encodeRequest(request)).catch(() => {})
      await turns(1 + (round % 6))
      detour.cut()
      await Promise.race([asking, link.closed])
    }
    await hello.close()
    await until('all are gone', async () => (await stats()).subscriptions === 0)
    await expectHonest()
  })

  it('in bytes that are no frames at all loses its own connection only', async () => {
    const { hostname, port } = new URL(url)
    for (const bytes of [randomBytes(1_000), Buffer.from('GET / HTTP/1.1\r\n\r\n')]) {
      const socket = connectSocket(Number(port), hostname)
      socket.on('error', () => {}).resume()
      socket.write(bytes)
      await until('it is cut', () => socket.closed || socket.readableEnded)
      socket.destroy()
    }
    await expectHonest()
  })
})

describe('a subscriber', () => {
  it('that gets a batch whose records lie goes on: what can be read is read, the rest is a gap [BROKER 2.5]', async () => {
    await using mallory = await hostile()
    const told = new Told(honest)
    const subscription = await honest.subscribe('lying')
    const sent = batchOf({ topic: 'lying', sender: 'mallory', entries: [1, 2, 3, 4].map((value) => ({ value })) })
    await mallory.consumer.post(lying(sent, 2))
    await mallory.consumer.post(from('lying', 5))
    expect(await takeData(subscription, 3)).toEqual([1, 2, 5])
    const gap = { topic: 'lying', first: 3, last: 4 }
    expect(await told.first('gap')).toMatchObject({ pattern: 'lying', gap, error: { code: 'INVALID_BATCH' } })
    expect([subscription.gaps, subscription.dropped, subscription.received]).toEqual([1, 2, 5])
    await subscription.close()
  })

  it('that gets a payload which is no msgpack finds out when it looks at it, and goes on', async () => {
    await using mallory = await hostile()
    const subscription = await honest.subscribe('odd')
    const odd = from('odd', 'text')
    odd.fill(0xdd, odd.length - 5)
    await mallory.consumer.post(join([odd, from('odd', 'next')]))
    const [first, second] = await take(subscription, 2)
    expect(() => first?.data).toThrow(expect.objectContaining({ code: 'INVALID_DATA' }))
    expect([first?.payload.length, second?.data]).toEqual([5, 'next'])
    await subscription.close()
  })

  it('that does not read, and others that do, survive batches whose records lie', async () => {
    await using mallory = await hostile()
    await using sleepy = await connect(url)
    const told = new Told(sleepy)
    const slow = await sleepy.subscribe('poison', { limit: { messages: 10 } })
    const reader = await honest.subscribe('poison')
    const bad = batchOf({
      topic: 'poison',
      sender: 'mallory',
      entries: Array.from({ length: 8 }, () => ({ value: new Uint8Array(9_000) })),
    })
    let seq = 0
    for (let i = 0; i < 12; i++) {
      await mallory.consumer.post(lying(bad, 0))
      await mallory.consumer.post(from('poison', i))
      seq += 9
    }
    expect(await takeData(reader, 12)).toEqual(Array.from({ length: 12 }, (_, i) => i))
    expect([reader.dropped, reader.gaps]).toEqual([96, 12])
    const found = new Set<number>()
    await until('all is accounted for', async () => {
      for (const message of await take(slow, Math.min(1, slow.pending))) found.add(message.seq)
      return found.size + slow.dropped === seq && told.types.filter((type) => type === 'gap').length === slow.gaps
    })
    await reader.close()
    await expectHonest()
  })

  it('of a history in which records lie gets the rest of it', async () => {
    await using mallory = await hostile()
    const bad = batchOf({ topic: 'h.lies', sender: 'mallory', entries: [1, 2, 3, 4].map((value) => ({ value })) })
    await mallory.consumer.post(lying(bad, 0))
    await mallory.consumer.post(from('h.lies', 5, 6, 7))
    await mallory.consumer.send(encodeRequest({ op: 'flush' }))
    const subscription = await honest.subscribe('h.lies', { from: 'all' })
    expect(await takeData(subscription, 3)).toEqual([5, 6, 7])
    await subscription.close()
  })

  it('is sent garbage on its channel by somebody who knows it, and goes on', async () => {
    const channels: string[] = []
    // The id of its channel is nobody's business, but a server knows it.
    const observe = ({ type, role, channelId }: { type: string; role?: string; channelId?: string }) => {
      if (type === 'end-open' && role === 'provider' && channelId) channels.push(channelId)
    }
    await using own = await Broker.listen({ observe, graceMs: 100 })
    await using client = await connect(own.url)
    await using link = await Link.connect(own.url, { name: 'mallory' })
    const told = new Told(client)
    const subscription = await client.subscribe('mine')
    const consumer = await link.consumer(channels.at(-1) as string)
    const garbage = [new Uint8Array(0), new Uint8Array([1]), new Uint8Array([3, 0xc1]), new Uint8Array([9, 1])]
    for (const bytes of [...garbage, join([numbered('mine', 1, 1), new Uint8Array(3)])]) await consumer.post(bytes)
    await until('it tells of what it could not read', () => told.types.filter((type) => type === 'error').length === 3)
    expect((await take(subscription, 1))[0]?.sender).toBe('s')
    await client.publish('mine', 'real')
    expect(await takeData(subscription, 1)).toEqual(['real'])
  })
})
