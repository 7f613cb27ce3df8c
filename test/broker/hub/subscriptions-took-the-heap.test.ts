/**
 * What broke: a subscription takes 2 to 4 KB at the broker also when nothing comes for it, and none of that was counted:
 * 61,000 of them filled a heap of 256 MiB, and left no room for anybody else's.
 */
import { Broker } from 'signalbox'
import { expect, it } from 'vitest'
import { until } from '../../socket/tools/until.ts'
import { RawClient } from '../tools/raw-client.ts'
import { failure } from '../tools/reading.ts'

it('subscriptions count in memory, and one client leaves room for those of others', async () => {
  const budget = 1024 * 1024
  await using broker = await Broker.listen({ maxMemoryBytes: budget })
  await using greedy = await RawClient.connect(broker.url)
  const before = broker.stats().memory.used
  const patterns = Array.from({ length: 120 }, (_, i) => `${i}.*`)
  const taken: string[] = []
  let refusal: Promise<unknown> | undefined
  for (const pattern of patterns) {
    refusal = greedy.subscribe(pattern)
    if (await refusal.then(() => taken.push(pattern)).catch(() => undefined)) continue
    break
  }
  expect((await failure(refusal as Promise<unknown>)).code).toBe('TOO_MANY_SUBSCRIPTIONS')
  // Half of half of it.
  expect(broker.stats().memory.used - before).toBeGreaterThan(taken.length * 2_500)
  expect(broker.stats().memory.used - before).toBeLessThan(budget / 4 + 64 * 1024)
  await using modest = await RawClient.connect(broker.url)
  for (let i = 0; i < 20; i++) await modest.subscribe(`modest.${i}`)
  // What is refused or fails takes no place.
  await failure(modest.ask({ op: 'subscribe', channel: crypto.randomUUID(), pattern: 'x', limitMessages: 1 }))
  await greedy[Symbol.asyncDispose]()
  await modest[Symbol.asyncDispose]()
  await until('they are gone', () => broker.stats().subscriptions === 0)
  await until('all is given back', () => broker.stats().memory.used === before)
})
