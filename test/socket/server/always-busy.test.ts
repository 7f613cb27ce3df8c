/** A link that is always busy: something waits for it at any time, and less than what would be too much. */
import { expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { MemoryBudget } from '../../../base/memory-budget.ts'
import { Switchboard } from '../../../socket/server/switchboard.ts'
import { openOf, StubLine } from '../tools/stub-line.ts'

const MiB = 1024 * 1024

it('[SOCK 7.4] streams that had to wait for a link begin when it has read most of what waited, also if it is never done', () => {
  const memory = new MemoryBudget(64 * MiB)
  const board = new Switchboard(8 * MiB, memory)
  const channelId = newId()
  const [busy, sender, other] = [new StubLine(), new StubLine(), new StubLine()]
  board.open(busy, 1, openOf('provider', channelId))
  board.open(sender, 1, openOf('consumer', channelId))
  /** So much waits when `from` has sent something more. */
  const sends = (from: StubLine, bytes: number, waits: number): void => {
    busy.waits = waits
    board.congestion.grew(busy, from, bytes)
  }
  sends(sender, 5 * MiB, 5 * MiB)
  expect(board.streams).toBe(0)
  board.open(sender, 2, openOf('consumer', channelId))
  sends(other, 3 * MiB, 3 * MiB)
  board.open(other, 1, openOf('consumer', channelId))
  expect(board.streams).toBe(0)
  sends(other, 1_000, MiB / 2)
  expect([board.streams, memory.used]).toEqual([3, MiB / 2])
  busy.waits = 0
  board.congestion.drained(busy)
  expect([board.streams, memory.used]).toEqual([3, 0])
})
