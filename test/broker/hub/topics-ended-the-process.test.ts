/**
 * What broke: topics were counted in no budget. One client that published to ever new names ended a broker whose heap was
 * 256 MiB with the 460,000th, long before `maxTopics`.
 */
import { Broker, connect } from 'signalbox'
import { describe, expect, it } from 'vitest'
import { Told } from '../tools/reading.ts'

const count = 5_000
const options = { maxMemoryBytes: 1024 * 1024 }
const name = (i: number) => `${i}.${'x'.repeat(100)}`

describe('topics of ever new names', () => {
  it('take a quarter of the memory at most: the oldest make room, and all messages are taken', async () => {
    await using broker = await Broker.listen(options)
    await using client = await connect(broker.url)
    for (let i = 0; i < count; i++) await client.publish(name(i), 1)
    await client.flush()
    const { published, topics, memory } = broker.stats()
    expect([published, topics < 750, topics > 500]).toEqual([count, true, true])
    expect(memory.used).toBeLessThan(memory.limit * 0.35)
    const again = await broker.subscribe(name(0))
    await client.publish(name(0), 'again')
    expect((await again.take(1))[0]?.data).toBe('again')
  })

  it('are refused where all of them are needed, which is told', async () => {
    await using broker = await Broker.listen({ ...options, topics: { '**': { history: 1 } } })
    await using client = await connect(broker.url)
    const told = new Told(client)
    for (let i = 0; i < count; i++) await client.publish(name(i), 1)
    await expect(client.flush()).rejects.toMatchObject({ code: 'TOO_MANY_TOPICS' })
    expect((await told.first('refused')).code).toBe('TOO_MANY_TOPICS')
    const { memory } = broker.stats()
    expect(memory.used).toBeLessThanOrEqual(memory.limit)
  })

  it('give their memory back when the broker closes', async () => {
    const broker = await Broker.listen(options)
    for (let i = 0; i < 100; i++) await broker.publish(name(i), 1)
    await broker.flush()
    expect(broker.stats().memory.used).toBeGreaterThan(100 * 400)
    await broker.close()
    expect(broker.stats().memory.used).toBe(0)
  })
})
