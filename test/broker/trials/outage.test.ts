/** Outages: the client restores what it has, says what it lost, and goes on, whatever was cut and when. */
import { describe, expect, it } from 'vitest'
import { Broker } from '../../../broker/broker.ts'
import type { Client } from '../../../broker/client/client.ts'
import { connect } from '../../../broker/client/connect.ts'
import type { ClientOptions } from '../../../broker/client/options.ts'
import { Server } from '../../../socket/server/server.ts'
import { turns, until } from '../../socket/tools/until.ts'
import { Child } from '../tools/child.ts'
import { Detour } from '../tools/detour.ts'
import { all, failure, Told, take, takeData } from '../tools/reading.ts'

const quick = { reconnect: { minMs: 1, maxMs: 20 } }
const history = { topics: { 'h.**': { history: 1_000 } } }

/** A broker, a client that reaches it through a detour, and one that is not disturbed. */
async function scene(options: ClientOptions = {}) {
  const broker = await Broker.listen(history)
  const detour = await Detour.to(broker.url)
  const client = await connect(detour.url, { ...quick, ...options })
  const other = await connect(broker.url)
  return {
    ...{ broker, detour, client, other },
    async [Symbol.asyncDispose]() {
      await Promise.all([client.close(), other.close()])
      await detour[Symbol.asyncDispose]()
      await broker.close()
    },
  }
}

async function publish(client: Client, topic: string, from: number, to: number): Promise<void> {
  for (let i = from; i <= to; i++) void client.publish(topic, i)
  await client.flush()
}

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

describe('a client whose link is lost', () => {
  it('gets what it missed from the history, and says that it recovered [BROKER 4.7]', async () => {
    await using stage = await scene()
    const { broker, detour, client, other } = stage
    const subscription = await client.subscribe<number>('h.*')
    const told = new Told(client)
    await publish(other, 'h.a', 1, 10)
    expect(await takeData(subscription, 10)).toEqual(numbers(1, 10))
    detour.close()
    await until('the broker knows', () => broker.stats().subscriptions === 0)
    await publish(other, 'h.a', 11, 300)
    detour.open()
    await told.first('recovered')
    await publish(other, 'h.a', 301, 310)
    expect(await takeData(subscription, 300)).toEqual(numbers(11, 310))
    expect([subscription.recovered, subscription.gaps, subscription.dropped]).toEqual([true, 0, 0])
  })

  it('is told exactly what it missed where there is no history', async () => {
    await using stage = await scene()
    const { broker, detour, client, other } = stage
    const subscription = await client.subscribe<number>('t')
    const told = new Told(client)
    await publish(other, 't', 1, 10)
    await takeData(subscription, 10)
    detour.close()
    await until('the broker knows', () => broker.stats().subscriptions === 0)
    await publish(other, 't', 11, 30)
    detour.open()
    expect(await told.first('gap')).toMatchObject({ pattern: 't', gap: { topic: 't', first: 11, last: 30 } })
    await publish(other, 't', 31, 32)
    expect(await takeData(subscription, 2)).toEqual([31, 32])
    expect([subscription.recovered, subscription.gaps, subscription.dropped]).toEqual([false, 1, 20])
  })

  it('is told exactly also of topics from which it never got anything', async () => {
    await using stage = await scene()
    const { broker, detour, client, other } = stage
    await publish(other, 't.old', 1, 100)
    const subscription = await client.subscribe('t.*')
    const told = new Told(client)
    detour.close()
    await until('the broker knows', () => broker.stats().subscriptions === 0)
    await publish(other, 't.old', 101, 105)
    await publish(other, 't.new', 1, 3)
    detour.open()
    await until('it is restored', () => broker.stats().subscriptions === 1 && subscription.gaps === 2)
    expect([...told.gaps].sort((a, b) => a.last - b.last)).toEqual([
      { topic: 't.new', first: 1, last: 3 },
      { topic: 't.old', first: 101, last: 105 },
    ])
  })

  it('recovers without a gap when nothing was missed', async () => {
    await using stage = await scene()
    const { detour, client, other } = stage
    const subscription = await client.subscribe('t')
    const told = new Told(client)
    await publish(other, 't', 1, 3)
    await until('they have come', () => subscription.received === 3)
    detour.cut()
    await told.first('recovered')
    await publish(other, 't', 4, 4)
    expect(await takeData(subscription, 4)).toEqual([1, 2, 3, 4])
    expect([subscription.recovered, subscription.gaps]).toEqual([true, 0])
  })

  it('gets the rest of a history that is longer than the broker keeps, and the gap before it', async () => {
    await using stage = await scene()
    const { broker, detour, client, other } = stage
    const subscription = await client.subscribe<number>('h.a')
    await publish(other, 'h.a', 1, 5)
    await takeData(subscription, 5)
    detour.close()
    await until('the broker knows', () => broker.stats().subscriptions === 0)
    await publish(other, 'h.a', 6, 1_505)
    detour.open()
    expect(await takeData(subscription, 1_000)).toEqual(numbers(506, 1_505))
    expect([subscription.recovered, subscription.lastGap]).toEqual([false, { topic: 'h.a', first: 6, last: 505 }])
  })

  it('tells what happens in order: disconnected, reconnecting, connected, recovered', async () => {
    await using stage = await scene()
    const { detour, client } = stage
    await client.subscribe('t')
    const told = new Told(client)
    detour.close()
    await until('it has tried twice', () => told.types.filter((type) => type === 'reconnecting').length >= 2)
    detour.open()
    await told.first('recovered')
    const tries = told.types.filter((type) => type === 'reconnecting').length
    const retries = Array.from({ length: tries }, () => 'reconnecting')
    expect(told.types).toEqual(['disconnected', ...retries, 'connected', 'recovered'])
    expect((await told.first('disconnected')).error).toBeInstanceOf(Error)
    expect(told.events[2]).toMatchObject({ attempt: 2 })
    await client.close()
    expect((await told.first('closed')).error).toBeUndefined()
  })

  it('publishes in the outage what arrives afterwards, in order, and a flush waits for it', async () => {
    await using stage = await scene()
    const { broker, detour, client, other } = stage
    const subscription = await other.subscribe<number>('t')
    detour.close()
    await until('the broker knows', () => broker.stats().server?.links === 2)
    const published = numbers(1, 500).map((i) => client.publish('t', i))
    let isFlushed = false
    const flushed = client.flush().then(() => {
      isFlushed = true
    })
    await turns(20)
    expect([isFlushed, client.stats().bufferedBytes > 0]).toEqual([false, true])
    detour.open()
    await Promise.all([flushed, ...published])
    expect(await takeData(subscription, 500)).toEqual(numbers(1, 500))
  })

  it('publishes in the outage what its own subscriptions get afterwards', async () => {
    await using stage = await scene()
    const { detour, client } = stage
    const subscription = await client.subscribe<number>('t')
    detour.close()
    await until('it knows', () => client.stats().streams === 0)
    const published = numbers(1, 50).map((i) => client.publish('t', i))
    detour.open()
    await Promise.all(published)
    expect(await takeData(subscription, 50)).toEqual(numbers(1, 50))
    expect([subscription.recovered, subscription.gaps]).toEqual([true, 0])
  })

  it('stops waiting for a publish in the outage when its time or its signal says so; it arrives all the same', async () => {
    await using stage = await scene()
    const { broker, detour, client, other } = stage
    const subscription = await other.subscribe<number>('t')
    detour.close()
    await until('the broker knows', () => broker.stats().server?.links === 2)
    const stop = new AbortController()
    await client.publish('t', 1)
    await turns(2)
    const timed = failure(client.publish('t', 2, { timeoutMs: 10 }))
    const aborted = failure(client.publish('t', 3, { signal: stop.signal }))
    stop.abort('enough')
    expect([(await timed).code, await aborted]).toMatchObject(['TIMEOUT', { code: 'ABORTED', cause: 'enough' }])
    detour.open()
    expect(await takeData(subscription, 3)).toEqual([1, 2, 3])
  })

  it('may subscribe in the outage, and has the subscription when it is back', async () => {
    await using stage = await scene()
    const { broker, detour, client, other } = stage
    detour.close()
    await until('the broker knows', () => broker.stats().server?.links === 2)
    const subscribing = client.subscribe('t')
    const stop = new AbortController()
    const aborted = failure(client.subscribe('t', { signal: stop.signal }))
    stop.abort()
    expect((await aborted).code).toBe('ABORTED')
    detour.open()
    const subscription = await subscribing
    await publish(other, 't', 1, 1)
    expect(await takeData(subscription, 1)).toEqual([1])
    await until('nothing else is left', () => client.stats().channels === 2)
    expect(broker.stats().subscriptions).toBe(1)
  })

  it('gives up a flush in the outage when its time is over, and can be closed', async () => {
    await using stage = await scene()
    const { detour, client } = stage
    const subscription = await client.subscribe('t')
    detour.close()
    await until('it knows', () => client.stats().streams === 0)
    expect((await failure(client.flush({ timeoutMs: 20 }))).code).toBe('TIMEOUT')
    const looping = all(subscription)
    const waiting = failure(client.flush({ timeoutMs: 10_000 }))
    await client.close()
    expect([await looping, (await waiting).code]).toEqual([[], 'CLOSED'])
  })

  it('may close and unsubscribe in the outage; nothing comes back', async () => {
    await using stage = await scene()
    const { broker, detour, client } = stage
    const [one] = [await client.subscribe('a'), await client.subscribe('b'), await client.subscribe('c')]
    detour.close()
    await until('it knows', () => client.stats().streams === 0)
    await one?.close()
    await client.unsubscribe('b')
    detour.open()
    await until('it is back', () => broker.stats().subscriptions === 1)
    await turns(20)
    expect([broker.stats().subscriptions, client.stats().subscriptions]).toEqual([1, 1])
  })

  it('finds a connection that is dead but not closed by its silence, and loses nothing of a history', async () => {
    await using stage = await scene({ heartbeatMs: 40 })
    const { detour, client, other } = stage
    const subscription = await client.subscribe<number>('h.a')
    const told = new Told(client)
    await publish(other, 'h.a', 1, 5)
    detour.freeze()
    await publish(other, 'h.a', 6, 10)
    expect(await told.first('disconnected')).toMatchObject({ error: { code: 'HEARTBEAT_LOST' } })
    detour.thaw()
    await told.first('recovered')
    expect(await takeData(subscription, 10)).toEqual(numbers(1, 10))
  })

  it('restores everything though it is cut again anywhere while restoring', async () => {
    await using stage = await scene()
    const { broker, detour, client, other } = stage
    const patterns = ['h.a', 'h.*', 'h.**', 'h.b']
    const subscriptions = await Promise.all(patterns.map((pattern) => client.subscribe<number>(pattern)))
    let last = 0
    for (let bytes = 1; bytes < 2_400; bytes += 53) {
      const { connections } = detour
      detour.cutAfter = bytes
      detour.cut()
      await publish(other, 'h.a', last + 1, last + 3)
      last += 3
      await until('it was cut again, or is restored', () => {
        const isRestored = detour.connections > connections && broker.stats().subscriptions === 4
        return isRestored || detour.connections > connections + 1
      })
    }
    await publish(other, 'h.a', last + 1, last + 1)
    await until('all are back', () => broker.stats().subscriptions === 4)
    expect(detour.connections).toBeGreaterThan(40)
    for (const subscription of subscriptions.slice(0, 3)) {
      expect(await takeData(subscription, last + 1)).toEqual(numbers(1, last + 1))
      expect([subscription.gaps, subscription.pending]).toEqual([0, 0])
    }
    await until('the channels of all other tries are closed', () => client.stats().channels === 5)
    expect(client.stats()).toMatchObject({ subscriptions: 4, channels: 5, streams: 5 })
  })
})

describe('a broker that is killed', () => {
  it('is a new one when it comes back on its port: subscriptions go on in another epoch, not recovered [BROKER 4.8]', async () => {
    const first = await Child.start<{ url: string }>('broker', history)
    await using _ = first.child
    await using client = await connect(first.url, quick)
    await using publisher = await connect(first.url, quick)
    const told = new Told(client)
    const subscriptions = [await client.subscribe<number>('h.*'), await client.subscribe<number>('t')]
    for (const topic of ['h.a', 't']) await publish(publisher, topic, 1, 5)
    const before = (await Promise.all(subscriptions.map((one) => take(one, 5)))).map(([message]) => message?.epoch)
    await first.child.kill()
    await told.first('disconnected')
    const second = await Child.start<{ url: string }>('broker', { ...history, port: Number(new URL(first.url).port) })
    await using __ = second.child
    await until('all is restored', async () => {
      const { subscriptions: count } = await second.child.ask<{ subscriptions: number }>('stats')
      return count === 2
    })
    for (const topic of ['h.a', 't']) await publish(publisher, topic, 6, 8)
    for (const [i, subscription] of subscriptions.entries()) {
      const messages = await take(subscription, 3)
      expect(messages.map(({ data, seq }) => [data, seq])).toEqual([
        [6, 1],
        [7, 2],
        [8, 3],
      ])
      expect(messages[0]?.epoch).not.toBe(before[i])
      expect([subscription.recovered, subscription.gaps]).toEqual([false, 0])
    }
    expect(told.types).not.toContain('recovered')
  })

  it('has another take its place on the same server, while server and clients stay', async () => {
    await using server = await Server.listen({ graceMs: 100 })
    const first = await Child.start('broker', { ...history, attach: server.url })
    await using _ = first.child
    await using client = await connect(server.url)
    const told = new Told(client)
    const subscription = await client.subscribe<number>('h.a')
    await publish(client, 'h.a', 1, 3)
    const [one] = await take(subscription, 3)
    await first.child.kill()
    await until('it is gone', () => client.stats().streams === 0)
    const waiting = client.publish('h.a', 4)
    const second = await Child.start('broker', { ...history, attach: server.url })
    await using __ = second.child
    await waiting
    await client.flush()
    const [next] = await take(subscription, 1)
    expect([next?.data, next?.seq, next?.epoch === one?.epoch, subscription.recovered]).toEqual([4, 1, false, false])
    expect(told.types).not.toContain('disconnected')
  })
})

describe('an attached broker that loses its server', () => {
  it('comes back with all that it knew: subscriptions recover', async () => {
    await using server = await Server.listen({ graceMs: 100 })
    await using detour = await Detour.to(server.url)
    await using broker = await Broker.attach(detour.url, { ...history, ...quick })
    await using client = await connect(server.url)
    const told = new Told(client)
    const subscription = await client.subscribe<number>('h.a')
    await publish(client, 'h.a', 1, 3)
    detour.cut()
    await told.first('recovered')
    await publish(client, 'h.a', 4, 6)
    const messages = await take(subscription, 6)
    expect(messages.map(({ data, seq }) => [data, seq])).toEqual(numbers(1, 6).map((i) => [i, i]))
    expect(new Set(messages.map(({ epoch }) => epoch)).size).toBe(1)
    expect(broker.stats()).toMatchObject({ subscriptions: 1, published: 6 })
  })

  it('is closed with CHANNEL_CONFLICT when another has taken its place meanwhile', async () => {
    await using server = await Server.listen({ graceMs: 100 })
    await using detour = await Detour.to(server.url)
    await using first = await Broker.attach(detour.url, quick)
    detour.close()
    await until('the server knows', () => server.stats().links === 0)
    await using second = await Broker.attach(server.url)
    detour.open()
    expect(await first.closed).toMatchObject({ code: 'CHANNEL_CONFLICT' })
    await using client = await connect(server.url)
    await client.publish('t', 1)
    await client.flush()
    expect([first.stats().published, second.stats().published]).toEqual([0, 1])
  })

  it('says so when it may not reconnect', async () => {
    const server = await Server.listen({ graceMs: 10 })
    await using broker = await Broker.attach(server.url, { reconnect: false })
    await server.close()
    expect(await broker.closed).toMatchObject({ code: 'SERVER_CLOSING' })
  })
})

describe('connecting', () => {
  it('is refused with TIMEOUT where there is a server without a broker, and leaves nothing', async () => {
    await using server = await Server.listen()
    expect((await failure(connect(server.url, { connectTimeoutMs: 500 }))).code).toBe('TIMEOUT')
    await until('the link is gone', () => server.stats().links === 0)
  })

  it('is refused with CONNECT_FAILED where there is nobody', async () => {
    const server = await Server.listen()
    const { url } = server
    await server.close()
    expect(await failure(connect(url))).toMatchObject({ code: 'CONNECT_FAILED', retryable: true })
  })

  it('waits for a broker that comes a little later', async () => {
    await using server = await Server.listen({ graceMs: 100 })
    const connecting = connect(server.url)
    await turns(5)
    await using _ = await Broker.attach(server.url)
    await using client = await connecting
    await client.flush()
  })
})
