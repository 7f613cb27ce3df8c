/**
 * How a loop ends: normally when it was asked to, with an error when something broke, and always after what the
 * documentation says.
 */
import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { connect } from '../../../broker/client/connect.ts'
import { turns, until } from '../../socket/tools/until.ts'
import { type Place, places } from '../tools/places.ts'
import { all, failure, Told, take, takeData } from '../tools/reading.ts'

/** A subscription to 't' with one message, 1, that has arrived and that nobody has read. */
async function withOneWaiting(place: Place) {
  const client = await place.client()
  const subscription = await client.subscribe('t')
  await client.publish('t', 1)
  await client.flush()
  await until('it is there', () => subscription.pending === 1)
  return { client, subscription }
}

describe.each(places)('with %s', (_name, open) => {
  it('leaving the loop closes the subscription, and the broker knows', async () => {
    await using place = await open()
    const client = await place.client()
    const subscription = await client.subscribe('t')
    for (let i = 0; i < 5; i++) await client.publish('t', i)
    for await (const { data } of subscription) if (data === 2) break
    expect([subscription.isClosed, subscription.pending, client.stats().subscriptions]).toEqual([true, 0, 0])
    await place.counts({ subscriptions: 0 })
  })

  it('an error thrown in the loop closes the subscription too, and comes out', async () => {
    await using place = await open()
    const client = await place.client()
    const subscription = await client.subscribe('t')
    await client.publish('t', 1)
    const looping = (async () => {
      for await (const message of subscription) throw new Error(`cannot use ${message.data}`)
    })()
    await expect(looping).rejects.toThrow('cannot use 1')
    await place.counts({ subscriptions: 0 })
  })

  it('close ends a loop that waits, at once and normally, and drops what is queued', async () => {
    await using place = await open()
    const client = await place.client()
    const [waiting, full] = [await client.subscribe('a'), await client.subscribe('b')]
    const looping = all(waiting)
    await client.publish('b', 1)
    await client.flush()
    await until('it is there', () => full.pending === 1)
    await Promise.all([waiting.close(), full.close(), full.close()])
    expect([await looping, await all(full), full.pending]).toEqual([[], [], 0])
    await place.counts({ subscriptions: 0 })
  })

  it('leaving its block closes it', async () => {
    await using place = await open()
    const client = await place.client()
    {
      await using subscription = await client.subscribe('t')
      expect(place.stats().subscriptions).toBe(1)
      expect(subscription.isClosed).toBe(false)
    }
    await place.counts({ subscriptions: 0 })
  })

  it('its signal closes it, and holds nothing of it afterwards', async () => {
    await using place = await open()
    const client = await place.client()
    const stop = new AbortController()
    const subscription = await client.subscribe('t', { signal: stop.signal })
    const looping = all(subscription)
    stop.abort()
    expect([await looping, subscription.isClosed]).toEqual([[], true])
    await place.counts({ subscriptions: 0 })
    const other = await client.subscribe('t', { signal: new AbortController().signal })
    await other.close()
    expect(getEventListeners(stop.signal, 'abort')).toEqual([])
  })

  it('a signal that was aborted before or while subscribing rejects with ABORTED, and leaves nothing', async () => {
    await using place = await open()
    const client = await place.client()
    const early = AbortSignal.abort('early')
    expect(await failure(client.subscribe('t', { signal: early }))).toMatchObject({ code: 'ABORTED', cause: 'early' })
    const stop = new AbortController()
    const subscribing = failure(client.subscribe('t', { signal: stop.signal }))
    stop.abort()
    expect((await subscribing).code).toBe('ABORTED')
    await place.counts({ subscriptions: 0 })
    await until('its channel is closed', () => client.stats().channels === 1)
    expect(client.stats().subscriptions).toBe(0)
  })

  it('unsubscribe closes every subscription of this client to that pattern, and no other', async () => {
    await using place = await open()
    const [client, other] = [await place.client(), await place.client()]
    const closed = [await client.subscribe('a.*'), await client.subscribe('a.*')]
    const left = [await client.subscribe('a.b'), await other.subscribe('a.*')]
    await client.unsubscribe('a.*')
    await client.publish('a.b', 1)
    for (const one of closed) expect(await all(one)).toEqual([])
    for (const one of left) expect(await takeData(one, 1)).toEqual([1])
    await place.counts({ subscriptions: 2 })
  })

  it('closing the client ends its loops after what is queued, and what comes later is refused with CLOSED', async () => {
    await using place = await open()
    const { client, subscription } = await withOneWaiting(place)
    await client.close()
    expect([await all(subscription), await client.closed]).toEqual([[1], undefined])
    for (const call of [() => client.publish('t', 1), () => client.subscribe('t'), () => client.flush()]) {
      expect((await failure(call())).code).toBe('CLOSED')
    }
    await client.close()
    await client.drain()
    await client.unsubscribe('t')
    void client.publish('t', 'nobody looks')
    await turns(3)
  })

  it('closing the broker ends the loops of its own clients', async () => {
    await using place = await open()
    const client = place.broker.client()
    const subscription = await client.subscribe('t')
    const looping = all(subscription)
    await place.broker.close()
    expect(await looping).toEqual([])
    expect(await place.broker.closed).toBeUndefined()
    expect((await failure(client.publish('t', 1))).code).toBe('CLOSED')
  })

  it('closing the broker forwards what it holds first, large messages too', async () => {
    await using place = await open()
    const [publisher, client] = [await place.client(), await place.client()]
    const subscription = await client.subscribe<Uint8Array>('t')
    for (let i = 0; i < 2_000; i++) await publisher.publish('t', new Uint8Array(100))
    await publisher.publish('t', new Uint8Array(4 * 1024 * 1024))
    await publisher.flush()
    const reading = take(subscription, 2_001)
    await place.broker.close()
    expect((await reading).at(-1)?.data).toHaveLength(4 * 1024 * 1024)
    expect([subscription.received, subscription.gaps]).toEqual([2_001, 0])
  })

  it('drain takes nothing new, and ends when the loop has read all that was there [BROKER 3.8]', async () => {
    await using place = await open()
    const [publisher, client] = [await place.client(), await place.client()]
    const subscription = await client.subscribe('t')
    for (let i = 0; i < 3_000; i++) void publisher.publish('t', new Uint8Array(100))
    await publisher.flush()
    const draining = subscription.drain()
    const again = subscription.drain()
    let count = 0
    for await (const _ of subscription) {
      count++
      if (count % 500 === 0) await turns(1)
    }
    await Promise.all([draining, again])
    await publisher.publish('t', 'late')
    await publisher.flush()
    expect([count, subscription.dropped]).toEqual([3_000, 0])
    await place.counts({ subscriptions: 0 })
  })

  it('drain waits for a large message that is still on its way', async () => {
    await using place = await open()
    const [publisher, client] = [await place.client(), await place.client()]
    const subscription = await client.subscribe('t')
    await publisher.publish('t', new Uint8Array(8 * 1024 * 1024))
    await publisher.publish('t', 'last')
    await publisher.flush()
    const [found] = await Promise.all([all(subscription), subscription.drain()])
    expect(found.map((data) => (data instanceof Uint8Array ? data.length : data))).toEqual([8 * 1024 * 1024, 'last'])
  })

  it('drain gives up after timeoutMs when nobody reads', async () => {
    await using place = await open()
    const { subscription } = await withOneWaiting(place)
    await subscription.drain({ timeoutMs: 20 })
    expect([subscription.isClosed, subscription.pending]).toEqual([true, 0])
  })

  it('a subscription that is draining ends with its client, not later', async () => {
    await using place = await open()
    const { client, subscription } = await withOneWaiting(place)
    const draining = subscription.drain({ timeoutMs: 60_000 })
    await client.close()
    expect(subscription.isClosed).toBe(true)
    await draining
    expect(await all(subscription)).toEqual([1])
  })

  it('unsubscribe closes a subscription that is draining too', async () => {
    await using place = await open()
    const { client, subscription } = await withOneWaiting(place)
    const draining = subscription.drain({ timeoutMs: 60_000 })
    expect(client.stats().subscriptions).toBe(1)
    await client.unsubscribe('t')
    await draining
    expect([subscription.isClosed, client.stats().subscriptions]).toEqual([true, 0])
  })

  it('draining a client waits for a subscription that is draining already', async () => {
    await using place = await open()
    const client = await place.client()
    const subscription = await client.subscribe('t')
    // More than its window: the broker holds most of it.
    for (let i = 0; i < 300; i++) void client.publish('t', new Uint8Array(20_000))
    await client.flush()
    const draining = subscription.drain()
    const found: unknown[] = []
    const reading = subscription.run(async ({ data }) => {
      found.push(data)
      await new Promise((resolve) => setTimeout(resolve, 1))
    })
    await Promise.all([client.drain(), draining, reading])
    expect(found).toHaveLength(300)
  })

  it('draining a client sends what it has published, lets its loops finish, and closes it', async () => {
    await using place = await open()
    const [client, other] = [await place.client(), await place.client()]
    const [own, theirs] = [await client.subscribe('t'), await other.subscribe('t')]
    for (let i = 0; i < 100; i++) void client.publish('t', i)
    const [found] = await Promise.all([all(own), client.drain()])
    expect(found).toHaveLength(100)
    expect(await takeData(theirs, 100)).toHaveLength(100)
    expect(await client.closed).toBeUndefined()
  })

  it('batches give all messages in order, many at a time, and leaving them closes the subscription', async () => {
    await using place = await open()
    const client = await place.client()
    const subscription = await client.subscribe<number>('t')
    for (let i = 0; i < 5_000; i++) void client.publish('t', i)
    await client.flush()
    const found: number[] = []
    let steps = 0
    for await (const messages of subscription.batches()) {
      steps++
      expect(messages.length).toBeGreaterThan(0)
      found.push(...messages.map(({ data }) => data))
      if (found.length === 5_000) break
    }
    expect(found).toEqual(Array.from({ length: 5_000 }, (_, i) => i))
    expect(steps).toBeLessThan(500)
    await place.counts({ subscriptions: 0 })
  })

  it('two loops share the messages of a subscription', async () => {
    await using place = await open()
    const client = await place.client()
    const subscription = await client.subscribe<number>('t')
    const loops = [all(subscription), all(subscription)]
    for (let i = 0; i < 100; i++) await client.publish('t', i)
    await client.flush()
    await until('all are read', () => subscription.received === 100 && subscription.pending === 0)
    await subscription.close()
    const [a, b] = (await Promise.all(loops)) as [number[], number[]]
    expect([...a, ...b].sort((x, y) => x - y)).toEqual(Array.from({ length: 100 }, (_, i) => i))
  })

  it('run calls the handler with every message, as many at once as asked for, until it is closed', async () => {
    await using place = await open()
    const client = await place.client()
    const subscription = await client.subscribe<number>('t')
    const seen: number[] = []
    let [running, most] = [0, 0]
    const ended = subscription.run(
      async ({ data }) => {
        running++
        most = Math.max(most, running)
        await turns(2)
        seen.push(data)
        running--
      },
      { concurrency: 4 },
    )
    for (let i = 0; i < 60; i++) void client.publish('t', i)
    await until('all are handled', () => seen.length === 60)
    expect([most, [...seen].sort((a, b) => a - b)]).toEqual([4, Array.from({ length: 60 }, (_, i) => i)])
    await subscription.close()
    await ended
  })

  it('run keeps the order with one handler, counts those that throw, tells of them, and goes on', async () => {
    await using place = await open()
    const client = await place.client()
    const subscription = await client.subscribe<number>('t')
    const told = new Told(client)
    const seen: number[] = []
    const ended = subscription.run(async ({ data }) => {
      seen.push(data)
      if (data === 1) throw new Error('at once')
      if (data === 2) await Promise.reject(new Error('later'))
    })
    for (let i = 0; i < 10; i++) void client.publish('t', i)
    await until('all are handled', () => seen.length === 10)
    expect([seen, subscription.handlerErrors]).toEqual([[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 2])
    await until('both are told', () => told.types.length === 2)
    expect(told.events).toMatchObject(
      ['at once', 'later'].map((message) => ({ type: 'error', pattern: 't', error: { message } })),
    )
    await subscription.close()
    await ended
    expect((await failure(subscription.run('no function' as never))).code).toBe('INVALID_OPTION')
  })

  it('flush gives up when its signal or its time says so', async () => {
    await using place = await open()
    const client = await place.client()
    const aborted = client.flush({ signal: AbortSignal.abort('why') })
    expect(await failure(aborted)).toMatchObject({ code: 'ABORTED', cause: 'why' })
    await client.flush()
  })
})

describe('a client that does not reconnect', () => {
  it('ends with the error when its broker goes: loops throw it after what was queued, closed tells it', async () => {
    const [[, open]] = places as [(typeof places)[0]]
    await using place = await open()
    const client = await connect(place.broker.url, { reconnect: false })
    const [subscription, empty] = [await client.subscribe('t'), await client.subscribe('u')]
    const waiting = failure(all(empty))
    await client.publish('t', 1)
    await client.flush()
    await until('it is there', () => subscription.pending === 1)
    await place.broker.close()
    const error = await client.closed
    expect(error).toBeInstanceOf(Error)
    expect(await takeData(subscription, 1)).toEqual([1])
    expect(await failure(take(subscription, 1))).toBe(error)
    expect(await waiting).toBe(error)
    expect(await failure(client.publish('t', 1))).toBe(error)
    await client.close()
  })
})
