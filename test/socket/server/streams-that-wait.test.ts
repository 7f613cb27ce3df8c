/** Streams that cannot begin before a link has read what waits for it: they have their place, and nobody knows of them. */
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { MemoryBudget } from '../../../base/memory-budget.ts'
import { Switchboard } from '../../../socket/server/switchboard.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { openOf, StubLine } from '../tools/stub-line.ts'

const MiB = 1024 * 1024

/** A Provider for which much waits that `sender` has sent: further ends of that one are joined later. */
function scene(maxStreams: number) {
  const board = new Switchboard(8 * MiB, new MemoryBudget(64 * MiB))
  const channelId = newId()
  const [busy, sender] = [new StubLine(maxStreams), new StubLine(maxStreams)]
  board.open(busy, 1, openOf('provider', channelId))
  busy.waits = 3 * MiB
  board.congestion.grew(busy, sender, 3 * MiB)
  const open = (number: number) => board.open(sender, number, openOf('consumer', channelId))
  const read = (): void => {
    busy.waits = 0
    board.congestion.drained(busy)
  }
  return { board, channelId, busy, sender, open, read }
}

const count = ({ told }: StubLine, wanted: number): number => told.filter(({ kind }) => kind === wanted).length

describe('[SOCK 7.4] streams that begin when a link has read', () => {
  it('are there then for every channel end that was taken: no more are taken than have room', () => {
    const { board, busy, sender, open, read } = scene(3)
    const answers = [1, 2, 3, 4, 5].map(open)
    expect(answers).toEqual([undefined, undefined, undefined, 'TOO_MANY_CHANNELS', 'TOO_MANY_CHANNELS'])
    expect([board.streams, count(sender, Kind.ATTACH)]).toEqual([0, 0])
    read()
    expect([board.streams, count(busy, Kind.ATTACH), count(sender, Kind.ATTACH)]).toEqual([3, 3, 3])
  })

  it('are as many as a link may have, however many ends wait on both sides', () => {
    const { board, channelId, busy, sender, open, read } = scene(100)
    for (let number = 2; number <= 60; number++) board.open(busy, number, openOf('provider', channelId))
    expect([open(1), open(2)]).toEqual([undefined, 'TOO_MANY_CHANNELS'])
    read()
    expect([board.streams, sender.sides.size]).toEqual([60, 60])
  })

  it('carry nothing before, not from one who guesses their numbers', () => {
    const { board, busy, sender, open } = scene(3)
    open(1)
    const told = [...busy.told]
    board.route(sender, Kind.DATA, 0, 1, 0, new Uint8Array(4), 0, 4, false)
    board.route(sender, Kind.RESET, 0, 1, 0, new Uint8Array(0), 0, 0, false)
    expect([busy.told, board.lateFrames, sender.sides.size]).toEqual([told, 2, 1])
  })

  it('go without a word with the channel end, or with the link', () => {
    const { board, busy, sender, open, read } = scene(3)
    open(1)
    open(2)
    const told = [...busy.told]
    const [first] = sender.ends.values()
    if (first !== undefined) board.shut(first)
    expect([sender.sides.size, busy.sides.size]).toEqual([1, 1])
    board.drop(sender)
    expect([sender.sides.size, busy.sides.size, board.channels]).toEqual([0, 0, 1])
    read()
    expect([busy.told, board.streams]).toEqual([told, 0])
  })

  it('are one between two ends also where both are of one link', () => {
    const board = new Switchboard(8 * MiB, new MemoryBudget(64 * MiB))
    const channelId = newId()
    const both = new StubLine()
    board.open(both, 1, openOf('provider', channelId))
    board.open(both, 2, openOf('consumer', channelId))
    both.waits = 5 * MiB
    board.congestion.grew(both, both, 5 * MiB)
    expect([board.streams, count(both, Kind.RESET)]).toEqual([0, 2])
    both.waits = 0
    board.congestion.drained(both)
    expect([board.streams, count(both, Kind.ATTACH), both.sides.size]).toEqual([1, 4, 2])
  })
})

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
