/**
 * What the broker holds for a subscription without credit: bounded, the oldest go, and every gap comes before what is
 * later.
 */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { MemoryBudget } from '../../../../base/memory-budget.ts'
import { Holdings } from '../../../../broker/hub/delivery/holdings.ts'
import { Outbox } from '../../../../broker/hub/delivery/outbox.ts'
import { Parcel } from '../../../../broker/hub/delivery/parcel.ts'
import type { OutboxLimit } from '../../../../broker/hub/delivery/pending.ts'
import { BatchHeader } from '../../../../broker/shared/batch.ts'
import { decodeGaps, WireKind } from '../../../../broker/shared/gap.ts'
import { turns } from '../../../socket/tools/until.ts'
import { batchOf, lying, numbered } from '../../shared/batches.ts'
import { FakeConsumer } from './fake-consumer.ts'

const plenty = { messages: 1_000_000, bytes: 1_000_000_000, messageBytes: 1_000_000_000 }
const budget = () => new MemoryBudget(4_000_000_000)
const outboxOf = (fake: FakeConsumer, limit: OutboxLimit, memory = budget()) =>
  new Outbox(fake.consumer, limit, new Holdings(memory).join(1), () => {})
const parcelOf = (topic: string, seq: number, count: number) => new Parcel(numbered(topic, seq, count), count)

/** What was posted, as texts: 'a 1-3' is a batch, 'gap a 1-3' a gap. */
function told(fake: FakeConsumer): string[] {
  return fake.posted.flatMap((bytes) => {
    if (bytes[0] === WireKind.GAPS) {
      return decodeGaps(bytes).map(({ topic, first, last }) => `gap ${topic} ${first}-${last}`)
    }
    const found: string[] = []
    for (let at = 0; at < bytes.length; ) {
      const { topic, seq, count, end } = new BatchHeader(bytes, at)
      found.push(`${topic} ${seq}-${seq + count - 1}`)
      at = end
    }
    return found
  })
}

describe('an outbox with credit', () => {
  it('forwards at once and holds nothing', () => {
    const fake = new FakeConsumer(1_000)
    const outbox = outboxOf(fake, plenty)
    outbox.offer(parcelOf('a', 1, 3))
    expect([told(fake), outbox.length, outbox.forwarded, outbox.isPressed]).toEqual([['a 1-3'], 0, 3, false])
  })
})

describe('an outbox of a subscriber that takes small messages only', () => {
  it('tells every gap, in notices that are small enough [BROKER 3.7, 4.3]', async () => {
    const fake = new FakeConsumer()
    const outbox = outboxOf(fake, { messages: 1, bytes: 1_000_000, messageBytes: 1_000 })
    const long = 'x'.repeat(250)
    for (let i = 0; i < 20; i++) outbox.offer(parcelOf(`${long}${i}`, 1, 1))
    outbox.miss(Array.from({ length: 20 }, (_, i) => ({ topic: `${long}.${i}`, first: 1, last: 2, epoch: 7 })))
    fake.grant(1_000_000)
    await turns(2)
    expect(told(fake).length).toBe(40)
    expect(Math.max(...fake.posted.map(({ length }) => length))).toBeLessThanOrEqual(1_000)
  })
})

describe('an outbox without credit', () => {
  it('holds what comes, and forwards it in order when there is credit', async () => {
    const fake = new FakeConsumer()
    const outbox = outboxOf(fake, plenty)
    for (let seq = 1; seq <= 4; seq++) outbox.offer(parcelOf('a', seq, 1))
    expect([told(fake), outbox.length]).toEqual([[], 4])
    fake.grant(numbered('a', 1, 1).length + 1)
    await turns(2)
    expect([told(fake), outbox.length]).toEqual([['a 1-1', 'a 2-2'], 2])
    fake.grant(10_000)
    await turns(2)
    expect([told(fake), outbox.length, outbox.forwarded]).toEqual([['a 1-1', 'a 2-2', 'a 3-3', 'a 4-4'], 0, 4])
  })

  it('drops the oldest messages, exactly down to its limit, and tells the gap first [BROKER 4.3] [BROKER 4.4]', async () => {
    const fake = new FakeConsumer()
    const outbox = outboxOf(fake, { ...plenty, messages: 5 })
    outbox.offer(parcelOf('a', 1, 4))
    outbox.offer(parcelOf('b', 1, 2))
    outbox.offer(parcelOf('a', 5, 1))
    expect([outbox.length, outbox.dropped]).toEqual([5, 2])
    outbox.offer(parcelOf('a', 6, 3))
    expect([outbox.length, outbox.dropped]).toEqual([5, 5])
    fake.grant(10_000)
    await turns(2)
    expect(told(fake)).toEqual(['gap a 1-4', 'gap b 1-1', 'b 2-2', 'a 5-5', 'a 6-8'])
    expect([outbox.length, outbox.forwarded, outbox.dropped]).toEqual([0, 5, 5])
  })

  it('drops whole parcels down to its limit in bytes', async () => {
    const one = numbered('a', 1, 3).length
    const fake = new FakeConsumer()
    const outbox = outboxOf(fake, { ...plenty, bytes: 2 * one })
    for (let seq = 1; seq <= 10; seq += 3) outbox.offer(parcelOf('a', seq, 3))
    expect([outbox.length, outbox.dropped]).toEqual([6, 6])
    fake.grant(10_000)
    await turns(2)
    expect(told(fake)).toEqual(['gap a 1-6', 'a 7-9', 'a 10-12'])
  })

  it('drops even a single parcel that is over the limit, and says so', async () => {
    const fake = new FakeConsumer()
    const outbox = outboxOf(fake, { ...plenty, bytes: 10 })
    outbox.offer(parcelOf('a', 1, 3))
    expect([outbox.length, outbox.dropped]).toEqual([0, 3])
    fake.grant(10_000)
    await turns(2)
    expect(told(fake)).toEqual(['gap a 1-3'])
  })

  it('tells a gap before what came later, also when credit comes in between', async () => {
    const fake = new FakeConsumer()
    const outbox = outboxOf(fake, { ...plenty, messages: 2 })
    for (let seq = 1; seq <= 4; seq++) outbox.offer(parcelOf('a', seq, 1))
    fake.grant(1)
    await turns(2)
    expect(told(fake)).toEqual(['gap a 1-2'])
    for (let seq = 5; seq <= 6; seq++) outbox.offer(parcelOf('a', seq, 1))
    fake.grant(10_000)
    await turns(2)
    expect(told(fake)).toEqual(['gap a 1-2', 'gap a 3-4', 'a 5-5', 'a 6-6'])
  })

  it('survives a batch whose records lie, and counts it right', async () => {
    const fake = new FakeConsumer()
    const outbox = outboxOf(fake, { ...plenty, messages: 5 })
    outbox.offer(new Parcel(lying(numbered('a', 1, 4), 0), 4))
    outbox.offer(parcelOf('a', 5, 3))
    expect([outbox.length, outbox.dropped]).toEqual([5, 2])
    fake.grant(10_000)
    await turns(2)
    // Only when it is cut to be sent it turns out that nothing is left of it.
    expect(told(fake)).toEqual(['gap a 1-2', 'gap a 3-4', 'a 5-7'])
    expect([outbox.forwarded, outbox.dropped]).toEqual([3, 4])
  })

  it('cuts a parcel once, when it is sent, however many messages of it were dropped one by one', async () => {
    const cut = vi.spyOn(Parcel.prototype, 'cut')
    const fake = new FakeConsumer()
    const outbox = outboxOf(fake, { ...plenty, messages: 480 })
    outbox.offer(parcelOf('a', 1, 480))
    for (let seq = 481; seq <= 680; seq++) outbox.offer(parcelOf('a', seq, 1))
    expect([outbox.length, outbox.dropped, cut.mock.calls.length]).toEqual([480, 200, 0])
    fake.grant(1_000_000)
    await turns(2)
    expect(told(fake).slice(0, 3)).toEqual(['gap a 1-200', 'a 201-480', 'a 481-481'])
    expect(cut).toHaveBeenCalledTimes(1)
    cut.mockRestore()
  })

  it('tells more gaps than fit into one notice in several', async () => {
    const fake = new FakeConsumer()
    const outbox = outboxOf(fake, { ...plenty, messages: 1 })
    for (let i = 0; i <= 201; i++) outbox.offer(parcelOf(`t.${i}`, 1, 1))
    fake.grant(10_000_000)
    await turns(2)
    expect(fake.posted.map((bytes) => (bytes[0] === WireKind.GAPS ? decodeGaps(bytes).length : 'batch'))).toEqual([
      200,
      1,
      'batch',
    ])
  })

  it('tells what it is told to be missing, though nothing is offered', async () => {
    const fake = new FakeConsumer(1_000)
    const outbox = outboxOf(fake, plenty)
    outbox.miss([{ topic: 'a', first: 2, last: 9, epoch: 7 }])
    outbox.offer(parcelOf('a', 10, 1))
    await turns(2)
    expect(told(fake)).toEqual(['gap a 2-9', 'a 10-10'])
    outbox.miss([{ topic: 'a', first: 11, last: 12, epoch: 7 }])
    await turns(2)
    expect(told(fake).at(-1)).toBe('gap a 11-12')
  })
})

describe('an outbox that is to be emptied', () => {
  it('is empty at once when it holds nothing', async () => {
    await outboxOf(new FakeConsumer(), plenty).whenEmpty()
  })

  it('is empty when the last message has been forwarded', async () => {
    const fake = new FakeConsumer()
    const outbox = outboxOf(fake, plenty)
    outbox.offer(parcelOf('a', 1, 1))
    let isEmpty = false
    const emptied = outbox.whenEmpty().then(() => {
      isEmpty = true
    })
    await turns(3)
    expect(isEmpty).toBe(false)
    fake.grant(10_000)
    await emptied
    expect(told(fake)).toEqual(['a 1-1'])
  })

  it('waits for a large message that is still leaving', async () => {
    const fake = new FakeConsumer(1_000)
    const outbox = outboxOf(fake, plenty)
    outbox.offer(new Parcel(batchOf({ entries: [{ value: new Uint8Array(100_000) }] }), 1))
    let isEmpty = false
    const emptied = outbox.whenEmpty().then(() => {
      isEmpty = true
    })
    await turns(3)
    expect([outbox.length, isEmpty]).toEqual([0, false])
    fake.left()
    await emptied
  })

  it('is empty after clear, whatever it held', async () => {
    const fake = new FakeConsumer()
    const outbox = outboxOf(fake, plenty)
    outbox.offer(parcelOf('a', 1, 1))
    const emptied = outbox.whenEmpty()
    outbox.clear()
    await emptied
    expect(outbox.length).toBe(0)
    fake.close()
    await turns(2)
  })
})

describe('an outbox under pressure', () => {
  it('is relieved also when what pressed it was dropped', async () => {
    const fake = new FakeConsumer()
    const outbox = outboxOf(fake, { ...plenty, bytes: 1_000 })
    let relieved = 0
    outbox.relieved = () => relieved++
    outbox.offer(parcelOf('a', 1, 3))
    expect(outbox.isPressed).toBe(true)
    const large = numbered('b', 1, 200)
    expect(large.length).toBeGreaterThan(1_000)
    outbox.offer(new Parcel(large, 200))
    expect([outbox.length, outbox.isPressed, relieved]).toEqual([0, false, 0])
    fake.grant(1_000_000)
    await outbox.whenEmpty()
    expect([told(fake), relieved]).toEqual([['gap a 1-3', 'gap b 1-200'], 1])
  })

  it('is pressed above a sixteenth of its limit, and says when it is relieved', async () => {
    const fake = new FakeConsumer()
    const outbox = outboxOf(fake, { ...plenty, messages: 160 })
    let relieved = 0
    outbox.relieved = () => relieved++
    outbox.offer(parcelOf('a', 1, 10))
    expect(outbox.isPressed).toBe(false)
    outbox.offer(parcelOf('a', 11, 1))
    expect(outbox.isPressed).toBe(true)
    fake.grant(1)
    await turns(2)
    expect([outbox.isPressed, relieved]).toEqual([false, 1])
  })
})

describe('whatever happens to an outbox', () => {
  const step = fc.oneof(
    fc.record({
      do: fc.constant('offer' as const),
      topic: fc.constantFrom('a', 'b'),
      count: fc.integer({ min: 1, max: 5 }),
    }),
    fc.record({ do: fc.constant('grant' as const), bytes: fc.integer({ min: 1, max: 300 }) }),
  )

  it('every message of every topic is forwarded or told as a gap, once and in order', async () => {
    const limit = fc.record({
      messages: fc.integer({ min: 1, max: 12 }),
      bytes: fc.integer({ min: 50, max: 2_000 }),
      messageBytes: fc.integer({ min: 90, max: 1_000 }),
    })
    await fc.assert(
      fc.asyncProperty(limit, fc.array(step, { maxLength: 30 }), async (bounds, steps) => {
        const fake = new FakeConsumer()
        const memory = budget()
        const outbox = outboxOf(fake, bounds, memory)
        const seqs = new Map<string, number>()
        for (const each of steps) {
          if (each.do === 'grant') {
            fake.grant(each.bytes)
            for (let i = 0; i < 4; i++) await Promise.resolve()
            continue
          }
          const seq = (seqs.get(each.topic) ?? 0) + 1
          seqs.set(each.topic, seq + each.count - 1)
          outbox.offer(parcelOf(each.topic, seq, each.count))
          expect(outbox.length).toBeLessThanOrEqual(bounds.messages)
        }
        fake.grant(1_000_000)
        await outbox.whenEmpty()
        for (const [topic, last] of seqs) {
          let next = 1
          for (const text of told(fake)) {
            const [, name, first, end] = /(?:gap )?(\S+) (\d+)-(\d+)/.exec(text) as unknown as [
              string,
              string,
              string,
              string,
            ]
            if (name !== topic) continue
            expect(Number(first)).toBe(next)
            next = Number(end) + 1
          }
          expect(next).toBe(last + 1)
        }
        const total = [...seqs.values()].reduce((sum, seq) => sum + seq, 0)
        expect([outbox.forwarded + outbox.dropped, memory.used]).toEqual([total, 0])
      }),
    )
  })
})
