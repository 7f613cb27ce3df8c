/** What broke: a history longer than what the broker holds for a subscription was pushed at once, and lost at its limit. */
import { Broker, connect } from 'signalbox'
import { describe, expect, it } from 'vitest'

const total = 1_000_000

async function filled(): Promise<Broker> {
  const broker = await Broker.listen({ topics: { h: { history: total } } })
  const payload = new Uint8Array(8)
  for (let i = 1; i <= total; i++) {
    const published = broker.publish('h', payload)
    if (i % 5_000 === 0) await published
  }
  await broker.flush()
  return broker
}

describe('a history of a million messages', () => {
  it('comes whole to one that reads, with what is published meanwhile after it [BROKER 4.5]', async () => {
    await using broker = await filled()
    await using client = await connect(broker.url)
    const subscription = await client.subscribe('h', { from: 'all' })
    expect(broker.stats().catchingUp).toBe(1)
    let next = 1
    for await (const batch of subscription.batches()) {
      for (const { seq } of batch) if (seq !== next++) throw new Error(`message ${seq} came in place of ${next - 1}`)
      if (next === 500_001) for (let i = 0; i < 100; i++) void broker.publish('h', i)
      if (next > total) break
    }
    expect([subscription.gaps, subscription.dropped]).toEqual([0, 0])
  })
})
