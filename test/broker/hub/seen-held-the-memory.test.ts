/**
 * What broke: a subscription that comes back and does not read kept all topics that it named, which may be 50,000, and
 * counted none of them. Forty of them ended a broker with a heap of 256 MiB.
 */
import { Broker } from 'signalbox'
import { describe, expect, it } from 'vitest'
import { until } from '../../socket/tools/until.ts'
import { RawClient } from '../tools/raw-client.ts'

const mib = 1024 * 1024
const topics = 100
const name = (i: number) => `kept.${i}`

async function stage(maxMemoryBytes: number) {
  const broker = await Broker.listen({ maxMemoryBytes, topics: { 'kept.**': { history: 1 } } })
  const client = await RawClient.connect(broker.url)
  for (let i = 0; i < topics; i++) await client.publish(name(i), { entries: [{ value: new Uint8Array(3_000) }] })
  await client.ask({ op: 'flush' })
  const { epoch } = await client.ask<{ epoch: number }>({ op: 'hello' })
  const { reply } = await client.subscribe<{ seen: [string, number, number][] }>('kept.**')
  const life = reply.seen[0]?.[2] ?? 0
  const used = () => broker.stats().memory.used
  const resume = async (names: readonly string[]) => {
    const before = used()
    const seen = names.map((topic) => [topic, 0, life])
    const { provider } = await client.subscribe('kept.**', { resume: { epoch, position: 0, seen } })
    return { provider, took: used() - before }
  }
  const end = async () => {
    await client[Symbol.asyncDispose]()
    await broker.close()
  }
  return { broker, used, resume, [Symbol.asyncDispose]: end }
}

describe('what a subscription that comes back has seen', () => {
  it('is counted as long as it is needed, and kept only of topics of which something is to be read', async () => {
    await using there = await stage(64 * mib)
    const before = there.used()
    const bare = await there.resume([])
    const others = await there.resume(Array.from({ length: 5_000 }, (_, i) => `other.${i}`))
    const known = await there.resume(Array.from({ length: topics }, (_, i) => name(i)))
    expect(there.broker.stats().catchingUp).toBe(3)
    expect(others.took - bare.took).toBeLessThan(topics * 100)
    expect(known.took - bare.took).toBeGreaterThan(topics * 100)
    for (const { provider } of [bare, others, known]) await provider.close()
    await until('all is given back', () => there.used() <= before)
  })

  it('ends those that know most where there is no room', async () => {
    await using there = await stage(2 * mib)
    const names = Array.from({ length: topics }, (_, i) => name(i))
    let most = 0
    for (let i = 0; i < 100; i++) {
      await there.resume(names)
      most = Math.max(most, there.used())
    }
    // A quarter for those, and what is kept.
    expect(most).toBeLessThan(mib)
    expect(there.broker.stats().subscriptions).toBeLessThan(90)
  })
})
