/** What broke: names that are used once filled the table of topics, which nothing left. */
import { Broker } from 'signalbox'
import { describe, expect, it } from 'vitest'
import type { SubscribeReply } from '../../../broker/shared/replies.ts'
import { until } from '../../socket/tools/until.ts'
import { RawClient, received } from '../tools/raw-client.ts'

describe('ephemeral names', () => {
  it('are routed, and never entered in the table of topics [BROKER 2.9]', async () => {
    await using broker = await Broker.listen({ maxTopics: 1, topics: { '**': { history: 10 } } })
    await using raw = await RawClient.connect(broker.url)
    const { provider } = await raw.subscribe('_INBOX.*')
    const other = await raw.subscribe('$inbox.me')
    for (const name of ['_INBOX.1', '_INBOX.2', '$inbox.me', '$inbox.nobody']) await raw.publish(name)
    expect(await raw.ask({ op: 'flush' })).toEqual({ taken: 4, refused: 0 })
    expect([await received(provider), await received(provider), await received(other.provider)]).toEqual([
      ['_INBOX.1 1-1'],
      ['_INBOX.2 1-1'],
      ['$inbox.me 1-1'],
    ])
    expect(broker.stats().topics).toBe(0)
    await expect(raw.consumer.send(raw.batch('_INBOX.a..b'))).rejects.toMatchObject({ code: 'INVALID_TOPIC' })
  })
})

describe('a topic that nobody needs', () => {
  it('is let go, and a subscription that comes back is not told that it missed nothing [BROKER 4.8]', async () => {
    await using broker = await Broker.listen({ topicIdleMs: 50 })
    await using raw = await RawClient.connect(broker.url)
    const { epoch } = await raw.ask<{ epoch: number }>({ op: 'hello' })
    for (let i = 0; i < 5; i++) await raw.publish('a')
    await raw.ask({ op: 'flush' })
    const resume = { epoch, position: 2, seen: [['a', 2, epoch]] }
    await until('it is let go', () => broker.stats().topics === 0)
    const { reply } = await raw.subscribe<SubscribeReply>('a', { resume })
    expect(reply.recovered).toBe(false)
    const later = await raw.subscribe<SubscribeReply>('b', { resume })
    expect(later.reply.recovered).toBe(true)
    await raw.publish('a')
    const again = await raw.subscribe<SubscribeReply>('a')
    expect(again.reply.seen).toEqual([['a', 1, epoch === 0xffff_ffff ? 1 : epoch + 1]])
  })
})
