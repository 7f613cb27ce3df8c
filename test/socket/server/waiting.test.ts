/** What waits for a congested link: it is counted once, and whoever fills it is found. */
import { describe, expect, it } from 'vitest'
import { MemoryBudget } from '../../../base/memory-budget.ts'
import { Waiting } from '../../../socket/server/waiting.ts'

describe('what waits for a link', () => {
  it('is counted as it is now, and not twice', () => {
    const memory = new MemoryBudget(1_000)
    const waiting = new Waiting(memory)
    for (const bytes of [300, 500, 200]) {
      waiting.hold(bytes)
      expect([waiting.bytes, memory.used]).toEqual([bytes, bytes])
    }
    waiting.hold(0)
    expect(memory.used).toBe(0)
  })

  it('has one who filled it only if he sent more than twice what the others did on average', () => {
    const filled = (...shares: number[]): number | undefined => {
      const waiting = new Waiting(new MemoryBudget(1e9))
      waiting.hold(shares.reduce((sum, share) => sum + share, 0))
      for (const [linkId, share] of shares.entries()) waiting.count(linkId, share)
      return waiting.bar()
    }
    expect([filled(100), filled(100, 100), filled(199, 100), filled(100, 201)]).toEqual([0, undefined, undefined, 1])
    expect([filled(10, 10, 10, 21), filled(10, 10, 10, 20)]).toEqual([3, undefined])
    expect(filled()).toBe(undefined)
  })

  it('finds the next one only when he too has sent far more than the rest, the first included', () => {
    const waiting = new Waiting(new MemoryBudget(1e9))
    waiting.hold(10_000)
    waiting.count(1, 6_000)
    waiting.count(2, 50)
    expect([waiting.bar(), waiting.bar()]).toEqual([1, undefined])
    expect(waiting.barred).toEqual(new Set([1]))
  })

  it('forgets who sent what went out long ago', () => {
    const waiting = new Waiting(new MemoryBudget(1e9))
    waiting.hold(100_000)
    // A steady sender, whose bytes are read again and again, and then a sudden one.
    for (let i = 0; i < 1_000; i++) waiting.count(1, 1_000)
    for (let i = 0; i < 100; i++) waiting.count(2, 5_000)
    expect(waiting.bar()).toBe(2)
  })
})
