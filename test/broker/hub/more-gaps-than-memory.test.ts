/**
 * What broke: a gap is kept for each topic, and nothing bounded all of them. A few subscriptions that nobody read, and ever
 * new topics, filled the memory for good: every history was dropped to make room, in vain.
 */
import { Broker, connect } from 'signalbox'
import { describe, expect, it } from 'vitest'
import { turns, until } from '../../socket/tools/until.ts'
import { RawClient } from '../tools/raw-client.ts'

const mib = 1024 * 1024
const budget = 2 * mib

describe('subscriptions that miss messages of more topics than there is memory to tell of', () => {
  it.each(['flood', '_INBOX'])('end, and cost no history anything: %s', async (prefix) => {
    const options = { maxMemoryBytes: budget, topics: { kept: { history: 10 } }, pacing: { share: 0 } }
    await using broker = await Broker.listen(options)
    await using writer = await RawClient.connect(broker.url)
    for (let i = 0; i < 10; i++) await writer.publish('kept')
    await using stuck = await RawClient.connect(broker.url)
    const limit = { limitMessages: 1, limitBytes: 200 }
    for (let i = 0; i < 8; i++) await stuck.subscribe(`${prefix}.**`, limit)
    let largest = 0
    for (let i = 0; i < 6_000; i++) {
      await writer.publish(`${prefix}.${i}`)
      largest = Math.max(largest, broker.stats().memory.used)
    }
    await writer.ask({ op: 'flush' })
    // A quarter of the memory for what one client did not read, another for topics, and what links hold.
    expect(largest).toBeLessThan((budget * 3) / 4)
    await until('some of them have ended', () => broker.stats().subscriptions < 8)
    const { reply } = await writer.subscribe<{ seen: [string, number][] }>('kept', { from: 'all' })
    // The first of its messages is there.
    expect(reply.seen.map(([topic, seq]) => [topic, seq])).toEqual([['kept', 0]])
  })

  it('are resumed by their clients, which are told of all that they missed [BROKER 4.9]', async () => {
    await using broker = await Broker.listen({ maxMemoryBytes: budget, pacing: { share: 0 } })
    await using reader = await connect(broker.url, { windowBytes: 64 * 1024 })
    const limit = { messages: 1, bytes: 200 }
    const subscriptions = await Promise.all(Array.from({ length: 8 }, () => reader.subscribe('flood.**', { limit })))
    await using writer = await RawClient.connect(broker.url)
    const sent = 1_400
    for (let i = 0; i < sent; i++) await writer.publish(`flood.${i}`)
    await writer.ask({ op: 'flush' })
    await until('some have ended', () => broker.stats().subscriptions < 8)
    for (const subscription of subscriptions) void subscription.run(() => {})
    await until('they are resumed', () => broker.stats().subscriptions === 8)
    const told = () => subscriptions.map(({ received, dropped }) => received + dropped)
    await until('all has come or been told', () => told().every((count) => count === sent))
    await turns(5)
    expect(told()).toEqual(subscriptions.map(() => sent))
  })
})
