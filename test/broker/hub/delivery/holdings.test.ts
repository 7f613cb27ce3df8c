/** The sum of what outboxes hold: counted once, bounded, and divided fairly. */
import { describe, expect, it } from 'vitest'
import { MemoryBudget } from '../../../../base/memory-budget.ts'
import { Holdings } from '../../../../broker/hub/delivery/holdings.ts'
import { Outbox } from '../../../../broker/hub/delivery/outbox.ts'
import { Parcel } from '../../../../broker/hub/delivery/parcel.ts'
import { batchOf, numbered } from '../../shared/batches.ts'
import { FakeConsumer } from './fake-consumer.ts'

const MiB = 1024 * 1024
const plenty = { messages: 1_000_000, bytes: 1024 * MiB, messageBytes: MiB }

function stage(bytes: number) {
  const memory = new MemoryBudget(bytes)
  const holdings = new Holdings(memory)
  const outboxOf = (linkId: number) => new Outbox(new FakeConsumer().consumer, plenty, holdings.join(linkId), () => {})
  return { memory, outboxOf }
}

const large = (seq: number) => new Parcel(batchOf({ topic: 'a', seq, entries: [{ value: new Uint8Array(10_000) }] }), 1)

describe('what outboxes hold together', () => {
  it('is counted once, however many hold it', () => {
    const { memory, outboxOf } = stage(100 * MiB)
    const outboxes = [1, 2, 3].map(outboxOf)
    const parcel = large(1)
    for (const outbox of outboxes) outbox.offer(parcel)
    expect(memory.used).toBe(parcel.size)
    for (const outbox of outboxes) outbox.clear()
    expect(memory.used).toBe(0)
  })

  it('is a quarter of the whole at most for the subscriptions of one client, and those that hold most give first', () => {
    const { memory, outboxOf } = stage(40 * MiB)
    const mine = Array.from({ length: 100 }, () => outboxOf(1))
    const others = outboxOf(2)
    others.offer(large(1))
    for (let seq = 1; seq <= 50; seq++) for (const outbox of mine) outbox.offer(large(seq))
    for (let seq = 51; seq <= 500; seq++) mine[0]?.offer(large(seq))
    expect(memory.used).toBeLessThan(11 * MiB)
    expect([others.length, others.dropped]).toEqual([1, 0])
    expect(mine.every(({ length }) => length > 0)).toBe(true)
  })

  it('is a quarter for them also when each of very many holds little', () => {
    const { memory, outboxOf } = stage(8 * MiB)
    const mine = Array.from({ length: 100 }, () => outboxOf(1))
    let most = 0
    for (let seq = 1; seq <= 10; seq++) {
      for (const outbox of mine) outbox.offer(large(seq))
      most = Math.max(most, memory.used)
    }
    expect(most).toBeLessThanOrEqual(2 * MiB + 10_000 + 100 * 100)
  })

  it('never passes the whole by more than a parcel, whoever holds it', () => {
    const { memory, outboxOf } = stage(4 * MiB)
    const outboxes = Array.from({ length: 50 }, (_, linkId) => outboxOf(linkId))
    for (let seq = 1; seq <= 100; seq++) {
      for (const outbox of outboxes) outbox.offer(large(seq))
      expect(memory.used).toBeLessThanOrEqual(4 * MiB + 50 * 200)
    }
    const total = outboxes.reduce((sum, { length, dropped }) => sum + length + dropped, 0)
    expect(total).toBe(5_000)
  })

  it('counts what is told as missing, too', () => {
    const { memory, outboxOf } = stage(100 * MiB)
    const outbox = new Outbox(
      new FakeConsumer().consumer,
      { ...plenty, messages: 1 },
      new Holdings(memory).join(9),
      () => {},
    )
    for (let i = 0; i <= 1_000; i++) outbox.offer(new Parcel(numbered(`t.${i}`, 1, 1), 1))
    expect(memory.used).toBeGreaterThan(1_000 * 100)
    outbox.clear()
    expect([memory.used, outboxOf(1).length]).toEqual([0, 0])
  })
})
