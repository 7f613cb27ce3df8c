/** Very many channel ends of one link that have to be closed at once: each costs what it has, and not what its link has. */
import { expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { MemoryBudget } from '../../../base/memory-budget.ts'
import { Switchboard } from '../../../socket/server/switchboard.ts'
import { openOf, StubLine } from '../tools/stub-line.ts'

const MiB = 1024 * 1024
const many = 1_000

it('[SOCK 4.3] a Provider where a full link waits with very many Consumers does not look at its streams for each', () => {
  const board = new Switchboard(8 * MiB, new MemoryBudget(64 * MiB))
  const [filled, crowded] = [newId(), newId()]
  const [full, other, provider] = [new StubLine(many), new StubLine(many), new StubLine()]
  board.open(full, 1, openOf('provider', filled))
  for (let number = 1; number <= many; number++) board.open(other, number, openOf('consumer', filled))
  for (let number = 2; number <= many; number++) board.open(full, number, openOf('consumer', crowded))
  expect([full.sides.size, full.ends.size]).toEqual([many, many])
  const { looked } = full.sides
  expect(board.open(provider, 1, openOf('provider', crowded))).toBe(undefined)
  expect([full.closed.length, full.sides.size, board.streams]).toEqual([many - 1, many, many])
  expect(full.sides.looked - looked).toBeLessThanOrEqual(many)
})
