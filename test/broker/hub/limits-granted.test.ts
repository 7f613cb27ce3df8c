/** What broke: a client chose how much memory the broker spends on it, and where the broker sends. */
import { Broker } from 'signalbox'
import { newId, Server } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import type { SubscribeReply } from '../../../broker/shared/replies.ts'
import { until } from '../../socket/tools/until.ts'
import { RawClient, received } from '../tools/raw-client.ts'

describe('what a subscription asks for', () => {
  it('is cut to what the broker allows, and the answer says to what [BROKER 4.4]', async () => {
    await using broker = await Broker.listen({ maxLimit: { messages: 10 } })
    await using raw = await RawClient.connect(broker.url)
    const greedy = { limitMessages: 2 ** 50, limitBytes: 2 ** 50 }
    const { reply } = await raw.subscribe<SubscribeReply>('a', greedy)
    expect([reply.limitMessages, reply.limitBytes]).toEqual([10, 64 * 1024 * 1024])
    const modest = await raw.subscribe<SubscribeReply>('a', { limitMessages: 5, limitBytes: 100 })
    expect([modest.reply.limitMessages, modest.reply.limitBytes]).toEqual([5, 100])
    for (let i = 0; i < 200; i++) await raw.publish('a', { entries: [{ value: new Uint8Array(10_000) }] })
    await raw.ask({ op: 'flush' })
    expect(broker.stats().held).toBeLessThanOrEqual(10)
  })

  it('counts in the memory of the broker, until it is gone', async () => {
    await using broker = await Broker.listen()
    await using reader = await RawClient.connect(broker.url)
    await using raw = await RawClient.connect(broker.url)
    await reader.subscribe('a')
    for (let i = 0; i < 50; i++) await raw.publish('a', { entries: [{ value: new Uint8Array(10_000) }] })
    await raw.ask({ op: 'flush' })
    const { used, limit } = broker.stats().memory
    expect([used > 200_000, limit > used]).toEqual([true, true])
    await reader.link.close()
    await until('it is given back', () => broker.stats().subscriptions === 0 && broker.stats().memory.used < 100_000)
  })

  it('does not bring messages larger than it takes: each is a gap in its place [BROKER 3.7]', async () => {
    await using broker = await Broker.listen({ topics: { 'h.*': { history: 10 } } })
    await using raw = await RawClient.connect(broker.url)
    const large = { entries: [{ value: new Uint8Array(100_000) }] }
    const { provider } = await raw.subscribe('*.a', { maxMessageBytes: 50_000 })
    for (const name of ['t.a', 'h.a']) {
      await raw.publish(name)
      await raw.publish(name, large)
      await raw.publish(name)
    }
    const later = await raw.subscribe('h.a', { maxMessageBytes: 50_000, from: 'all' })
    const told: string[] = []
    while (told.length < 6) told.push(...(await received(provider)))
    expect(told).toEqual(['t.a 1-1', 'gap t.a 2-2', 't.a 3-3', 'h.a 1-1', 'gap h.a 2-2', 'h.a 3-3'])
    while (told.length < 9) told.push(...(await received(later.provider)))
    expect(told.slice(6)).toEqual(['h.a 1-1', 'gap h.a 2-2', 'h.a 3-3'])
  })
})

describe('the channel of a subscription', () => {
  it('must be provided by the client that asks, and by nobody else [BROKER 3.7]', async () => {
    await using server = await Server.listen({ graceMs: 100 })
    await using broker = await Broker.attach(server.url)
    await using victim = await RawClient.connect(server.url, { name: 'victim' })
    await using raw = await RawClient.connect(server.url)
    const heard: number[] = []
    const channel = newId()
    const service = await victim.link.provider(channel, { mode: 'shared' })
    service.serve((request) => void heard.push(request.size))
    const ask = (channel: string) =>
      raw.ask({ op: 'subscribe', channel, pattern: 'a', limitMessages: 1, limitBytes: 1, from: 'new' })
    await expect(ask(channel)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    // Beside its own it may not have another's either, also not later.
    const both = await raw.link.provider(channel, { mode: 'shared' })
    await expect(ask(channel)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    await service.close()
    await until('it is alone there', () =>
      ask(channel).then(
        () => true,
        () => false,
      ),
    )
    const again = await victim.link.provider(channel, { mode: 'shared' })
    again.serve((request) => void heard.push(request.size))
    await until('the subscription has ended', () => broker.stats().subscriptions === 0)
    await raw.publish('a')
    await raw.ask({ op: 'flush' })
    await both.close()
    expect(heard).toEqual([])
  })
})
