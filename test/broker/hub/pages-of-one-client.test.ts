/**
 * What broke: what subscriptions had read ahead counted for nobody and was never given up. One client with many of them,
 * which read nothing, filled the memory, and the histories of all made room for it.
 */
import { Broker } from 'signalbox'
import { describe, expect, it } from 'vitest'
import { RawClient, received } from '../tools/raw-client.ts'

const mib = 1024 * 1024
const budget = 32 * mib

describe('a client with many subscriptions that read a history and no further', () => {
  it('holds its share of the memory at most, and costs no history anything', async () => {
    const options = { maxMemoryBytes: budget, topics: { '**': { history: 1_000 } }, pacing: { share: 0 } }
    await using broker = await Broker.listen(options)
    await using writer = await RawClient.connect(broker.url)
    const payload = { entries: [{ value: new Uint8Array(20_000) }] }
    for (let i = 0; i < 50; i++) await writer.publish('h', payload)
    await writer.ask({ op: 'flush' })
    const kept = broker.stats().memory.used
    await using stuck = await RawClient.connect(broker.url)
    const subscriptions = []
    for (let i = 0; i < 200; i++) subscriptions.push(await stuck.subscribe('h', { from: 'all' }))
    expect(broker.stats().memory.used - kept).toBeLessThan(budget / 4 + mib)
    for (let i = 0; i < 5; i++) await writer.publish('h', payload)
    await writer.ask({ op: 'flush' })
    // Those that gave their page up read it again.
    const last = subscriptions.at(-1)
    const got: string[] = []
    while (last && got.length < 55) got.push(...(await received(last.provider)))
    expect(got).toEqual(Array.from({ length: 55 }, (_, i) => `h ${i + 1}-${i + 1}`))
  })
})
