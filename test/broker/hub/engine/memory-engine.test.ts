/** The memory engine keeps the contract of engines, and the sum of what it keeps within its part of the budget. */
import { describe, expect, it } from 'vitest'
import { MemoryBudget } from '../../../../base/memory-budget.ts'
import { MemoryEngine } from '../../../../broker/hub/engine/memory-engine.ts'
import { Topic } from '../../../../broker/hub/topic.ts'
import { BatchHeader } from '../../../../broker/shared/batch.ts'
import { ManualClock } from '../../../socket/tools/manual-clock.ts'
import { numbered } from '../../shared/batches.ts'
import { engineSuite } from './engine.suite.ts'

engineSuite({ name: 'memory', make: async (clock) => new MemoryEngine(clock, new MemoryBudget(100_000_000)) })

const host = { committed() {}, settled() {}, trimmed() {}, changed() {} }

describe('what the memory engine keeps', () => {
  it('is half of the budget at most: the oldest of all topics goes first, and is told', async () => {
    const memory = new MemoryBudget(20_000)
    const engine = new MemoryEngine(new ManualClock(), memory)
    const gone: string[] = []
    await engine.open({ ...host, trimmed: ({ name }) => gone.push(name) })
    const keep = { messages: 1_000, bytes: 1_000_000 }
    const topics = Array.from({ length: 5 }, (_, i) => new Topic(`t.${i}`, 7, { keep, share: 0 }))
    for (let round = 0; round < 20; round++) {
      for (const topic of topics) engine.append(new BatchHeader(numbered(topic.name, 1, 10)), topic)
      expect(memory.used).toBeLessThanOrEqual(10_000)
    }
    expect(gone.slice(0, 6)).toEqual(['t.0', 't.1', 't.2', 't.3', 't.4', 't.0'])
    const { batches } = await engine.read({ pattern: '**', from: { position: 1 }, maxBytes: 1_000_000 })
    expect(batches.at(-1)?.seq).toBe(191)
    await engine.close()
    expect(memory.used).toBe(0)
  })

  it('gives way when others need the budget', async () => {
    const memory = new MemoryBudget(20_000)
    const engine = new MemoryEngine(new ManualClock(), memory)
    await engine.open(host)
    const topic = new Topic('t', 7, { keep: { messages: 1_000, bytes: 1_000_000 }, share: 0 })
    for (let i = 0; i < 10; i++) engine.append(new BatchHeader(numbered('t', 1, 10)), topic)
    memory.add(20_000)
    engine.append(new BatchHeader(numbered('t', 1, 10)), topic)
    expect([memory.used, topic.floorSeq, topic.seq]).toEqual([20_000, 110, 110])
  })

  it('is a copy, not the large buffer that a batch came in', async () => {
    const engine = new MemoryEngine(new ManualClock(), new MemoryBudget(1_000_000))
    await engine.open(host)
    const large = new Uint8Array(100_000)
    const batch = numbered('t', 1, 3)
    large.set(batch, 500)
    const topic = new Topic('t', 7, { keep: { messages: 10, bytes: 1_000_000 }, share: 0 })
    engine.append(new BatchHeader(large, 500), topic)
    large.fill(0)
    const { batches } = await engine.read({ pattern: 't', from: { position: 1 }, maxBytes: 1_000_000 })
    const [kept] = batches
    expect([kept?.bytes.length, kept?.bytes.buffer.byteLength]).toEqual([batch.length, batch.length])
  })
})
