/** Very many channel ends, streams and links: whoever has them makes nobody look at all of them again and again. */
import { expect, it, vi } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { MemoryBudget } from '../../../base/memory-budget.ts'
import { Switchboard } from '../../../socket/server/switchboard.ts'
import { Waiting } from '../../../socket/server/waiting.ts'
import { openOf, StubLine } from '../tools/stub-line.ts'

const MiB = 1024 * 1024

it('[SOCK 4.3] a Provider that is refused for too many Consumers, and tries again, has them looked at when some have gone', () => {
  const board = new Switchboard(8 * MiB, new MemoryBudget(64 * MiB))
  const channelId = newId()
  const crowds = [new StubLine(), new StubLine()]
  const provider = new StubLine(1_500)
  for (let number = 1; number <= 1_000; number++) {
    for (const crowd of crowds) board.open(crowd, number, openOf('consumer', channelId))
  }
  const looks = vi.spyOn(Map.prototype, 'get')
  for (let number = 1; number <= 100; number++) {
    expect(board.open(provider, number, openOf('provider', channelId))).toBe('TOO_MANY_CHANNELS')
  }
  const { length } = looks.mock.calls
  looks.mockRestore()
  expect(length).toBeLessThan(5_000)
  // Of the first only few are left, and of the second twice as many as that are too many.
  for (const end of crowds[0]?.ends.values().slice(10) ?? []) board.shut(end)
  for (let number = 1_001; number <= 1_800; number++)
    board.open(crowds[1] as StubLine, number, openOf('consumer', channelId))
  expect(board.open(provider, 101, openOf('provider', channelId))).toBe(undefined)
  expect([board.streams, crowds.map(({ closed }) => closed.length)]).toEqual([1_500, [0, 310]])
})

it('[SOCK 7.4] what very many links have sent to one that does not read is not looked at with every frame', () => {
  const waiting = new Waiting(new MemoryBudget(64 * MiB))
  waiting.hold(10 * MiB)
  for (let linkId = 0; linkId < 1_000; linkId++) waiting.count(linkId, 5_000 + linkId)
  let looks = 0
  waiting.barred = Object.assign(new Set<number>(), { has: () => ++looks === 0 })
  for (let i = 0; i < 1_000; i++) {
    waiting.count(i, 32)
    expect(waiting.bar()).toBe(undefined)
  }
  expect(looks).toBeLessThan(50_000)
})

it('[SOCK 4.3] a Provider where a full link waits with very many Consumers does not look at its streams for each', () => {
  const board = new Switchboard(8 * MiB, new MemoryBudget(64 * MiB))
  const [filled, crowded] = [newId(), newId()]
  const [full, other, provider] = [new StubLine(1_000), new StubLine(1_000), new StubLine()]
  board.open(full, 1, openOf('provider', filled))
  for (let number = 1; number <= 1_000; number++) board.open(other, number, openOf('consumer', filled))
  for (let number = 2; number <= 1_000; number++) board.open(full, number, openOf('consumer', crowded))
  expect([full.sides.size, full.ends.size]).toEqual([1_000, 1_000])
  const { looked } = full.sides
  expect(board.open(provider, 1, openOf('provider', crowded))).toBe(undefined)
  expect([full.closed.length, full.sides.size, board.streams]).toEqual([999, 1_000, 1_000])
  expect(full.sides.looked - looked).toBeLessThanOrEqual(1_000)
})
