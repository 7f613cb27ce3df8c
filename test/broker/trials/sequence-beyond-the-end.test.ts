/**
 * What broke: whoever asked for a sequence that was far beyond the end, as after a restart of the broker, was told a
 * position just as far. What came while its link was down was before that, so it was lost, and `recovered` was true.
 */
import { Broker, connect } from 'signalbox'
import { describe, expect, it } from 'vitest'
import { until } from '../../socket/tools/until.ts'
import { Detour } from '../tools/detour.ts'
import { RawClient } from '../tools/raw-client.ts'

const topics = { '**': { history: 10 } }

describe('a subscription from a sequence beyond the end', () => {
  it('gets what was published while its link was down [BROKER 4.7]', async () => {
    await using broker = await Broker.listen({ topics })
    await broker.publish('t', 'before')
    await broker.flush()
    await using detour = await Detour.to(broker.url)
    await using client = await connect(detour.url, { reconnect: { minMs: 1, maxMs: 10 } })
    const subscription = await client.subscribe('t', { from: { seq: 1_000 } })
    expect(subscription.recovered).toBe(false)
    detour.close()
    await until('it is gone', () => broker.stats().subscriptions === 0)
    for (let i = 0; i < 5; i++) await broker.publish('t', i)
    await broker.flush()
    detour.open()
    expect((await subscription.take(5)).map(({ data }) => data)).toEqual([0, 1, 2, 3, 4])
    expect(subscription.gaps).toBe(0)
  })

  it('goes on no later than with the first message that it wants, whatever other topics are at [BROKER 4.6]', async () => {
    await using broker = await Broker.listen({ topics: { a: { history: 10 }, b: { history: 2 } } })
    await using raw = await RawClient.connect(broker.url)
    for (let i = 0; i < 3; i++) await raw.publish('b')
    await raw.publish('a')
    for (let i = 0; i < 3; i++) await raw.publish('b')
    await raw.ask({ op: 'flush' })
    // The sixth of b is at position 7; the first of a at 4.
    const { reply } = await raw.subscribe<{ position: number }>('*', { from: { seq: 6 } })
    expect(reply.position).toBe(6)
    const beyond = await raw.subscribe<{ position: number }>('*', { from: { seq: 2 ** 40 } })
    expect(beyond.reply.position).toBe(7)
  })
})
