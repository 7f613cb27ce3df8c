/** What broke: a subscriber that takes less than a parcel lost the small messages in it, all of them together. */
import { Broker, connect } from 'signalbox'
import { describe, expect, it } from 'vitest'
import { divide } from '../../../broker/hub/delivery/divide.ts'
import { Parcel } from '../../../broker/hub/delivery/parcel.ts'
import { BatchHeader } from '../../../broker/shared/batch.ts'
import { until } from '../../socket/tools/until.ts'
import { batchOf, join, lying, numbered } from '../shared/batches.ts'

const small = new Uint8Array(60)
const large = new Uint8Array(3_000)

/** 'a 1-3' is a batch, 'gap a 1-3' a gap; those of one parcel are joined. */
const told = (bytes: Uint8Array, limit: number) =>
  [...divide(bytes, limit)].map((part) => {
    if (!(part instanceof Parcel)) return `gap ${part.topic} ${part.first}-${part.last}`
    expect(part.bytes.length).toBeLessThanOrEqual(limit)
    const found: string[] = []
    let count = 0
    for (let at = 0; at < part.bytes.length; ) {
      const header = new BatchHeader(part.bytes, at)
      expect([header.position, header.producerSeq]).toEqual([header.seq, header.seq - 1])
      found.push(`${header.topic} ${header.seq}-${header.seq + header.count - 1}`)
      at = header.end
      count += header.count
    }
    expect(part.count).toBe(count)
    return found.join()
  })

describe('a subscriber that takes less than what travels together [BROKER 3.7]', () => {
  it.each(['new', 'all'] as const)('gets all that fits by itself, from %s', async (from) => {
    await using broker = await Broker.listen({ port: 0, topics: { t: { history: 10_000 } } })
    await using client = await connect(broker.url, { maxMessageBytes: 10_000 })
    const options = { from, limit: { messages: 5_000, bytes: 10_000_000 } }
    const early = from === 'new' ? await client.subscribe('t', options) : undefined
    const published = Array.from({ length: 2_000 }, () => broker.publish('t', small))
    published.push(broker.publish('t', new Uint8Array(20_000)), broker.publish('t', small))
    await Promise.all(published)
    await broker.flush()
    const subscription = early ?? (await client.subscribe('t', options))
    let got = 0
    void subscription.run(() => {
      got++
    })
    await until('all have come', () => got === 2_001)
    expect(subscription.gaps).toBe(1)
  })

  it('gets what is read as its credit allows, however little is held for it [BROKER 4.4]', async () => {
    await using broker = await Broker.listen({ port: 0, topics: { t: { history: 10_000 } } })
    await using client = await connect(broker.url, { maxMessageBytes: 10_000 })
    await Promise.all(Array.from({ length: 5_000 }, () => broker.publish('t', small)))
    await broker.flush()
    const limit = { messages: 1, bytes: 100 }
    const subscription = await client.subscribe('t', { from: 'all', limit })
    let got = 0
    for await (const _ of subscription) if (++got === 5_000) break
    expect(subscription.gaps).toBe(0)
  })
})

describe('a parcel that is divided', () => {
  it('is parts as large as may be, and gaps of what is too large alone', () => {
    const entries = [small, small, large, large, small].map((value) => ({ value }))
    const mixed = batchOf({ topic: 'm', entries, seq: 1, producerSeq: 0 })
    const first = batchOf({ topic: 'a', entries: [{ value: small }], seq: 1, producerSeq: 0 })
    expect(told(join([first, mixed, first]), 400)).toEqual(['a 1-1,m 1-2', 'gap m 3-4', 'm 5-5,a 1-1'])
  })

  it('loses a batch whose records lie, and no other [BROKER 2.5]', () => {
    const lies = lying(numbered('l', 1, 100), 50)
    const one = batchOf({ topic: 'a', entries: [{ value: 1 }], seq: 1, producerSeq: 0 })
    expect(told(join([one, lies, one]), 200)).toEqual(['a 1-1', 'gap l 1-100', 'a 1-1'])
  })

  it('is not copied without a bound for the sake of a long heading', () => {
    const entries = Array.from({ length: 1_000 }, () => ({ value: 1 }))
    const bytes = batchOf({ topic: 't', producerId: 'p'.repeat(60_000), entries })
    expect(told(bytes, 60_080)).toEqual(['gap t 1-1000'])
  })
})
