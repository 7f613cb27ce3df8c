/**
 * What broke: a notice that waits counted as its bytes, and the gaps that it is made of as nothing. Fifty subscriptions that
 * came back from before 58,000 topics, and did not read, ended a broker with a heap of 256 MiB: they took eight times what
 * was counted.
 */
import { expect, it } from 'vitest'
import { MemoryBudget } from '../../../../base/memory-budget.ts'
import { Holdings } from '../../../../broker/hub/delivery/holdings.ts'
import { Outbox } from '../../../../broker/hub/delivery/outbox.ts'
import { FakeConsumer } from './fake-consumer.ts'

it('gaps in notices that wait count as gaps do', () => {
  const memory = new MemoryBudget(1e9)
  const limit = { messages: 1_000, bytes: 1e9, messageBytes: 1e6 }
  const outbox = new Outbox(new FakeConsumer().consumer, limit, new Holdings(memory).join(1), () => {})
  outbox.miss(Array.from({ length: 10_000 }, (_, i) => ({ topic: `t.${i}`, first: 1, last: 1, epoch: 1 })))
  expect(memory.used).toBeGreaterThan(10_000 * 100)
  outbox.close()
  expect(memory.used).toBe(0)
})
