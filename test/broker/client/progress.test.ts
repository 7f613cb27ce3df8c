/** What a subscription has seen: where it goes on, and which hole in a sequence is a loss. */
import { describe, expect, it } from 'vitest'
import { Progress } from '../../../broker/client/progress.ts'

function begun(seen: readonly (readonly [string, number])[] = [], position = 10, epoch = 7): Progress {
  const made = new Progress()
  made.begin({ epoch, position, recovered: true, gaps: [], seen })
  return made
}

describe('what a subscription has seen', () => {
  it('begins with what the broker says [BROKER 4.6]', () => {
    expect(begun([['a', 3]]).resume()).toEqual({ epoch: 7, position: 10, seen: [['a', 3]] })
  })

  it('goes on with every batch, topic by topic [BROKER 4.7]', () => {
    const seen = begun()
    seen.saw('a', 1, 5, 15)
    seen.saw('b', 1, 1, 16)
    seen.saw('a', 6, 7, 18)
    expect(seen.resume()).toEqual({
      ...{ epoch: 7, position: 18 },
      seen: [
        ['a', 7],
        ['b', 1],
      ],
    })
  })

  it('finds a hole in the sequence of a topic that it knows', () => {
    const seen = begun([['a', 3]])
    expect(seen.saw('a', 4, 5, 12)).toBeUndefined()
    expect(seen.saw('a', 8, 9, 14)).toEqual({ topic: 'a', first: 6, last: 7 })
    expect(seen.saw('b', 100, 100, 15)).toBeUndefined()
    expect(seen.saw('b', 102, 102, 16)).toEqual({ topic: 'b', first: 101, last: 101 })
  })

  it('finds no hole where a gap was told', () => {
    const seen = begun([['a', 3]])
    seen.missed('a', 9)
    expect(seen.saw('a', 10, 10, 20)).toBeUndefined()
  })

  it('forgets everything in another epoch [BROKER 4.8]', () => {
    const seen = begun([['a', 3]])
    seen.begin({ epoch: 8, position: 2, recovered: false, gaps: [], seen: [['b', 1]] })
    expect(seen.resume()).toEqual({ epoch: 8, position: 2, seen: [['b', 1]] })
  })

  it('keeps what it knows when the same broker goes on', () => {
    const seen = begun([['a', 3]])
    seen.begin({ epoch: 7, position: 12, recovered: true, gaps: [], seen: [['b', 1]] })
    expect(seen.resume().seen).toEqual([
      ['a', 3],
      ['b', 1],
    ])
  })

  it('holds ten thousand topics, and lets the oldest go', () => {
    const seen = begun()
    for (let i = 0; i < 10_001; i++) seen.saw(`t.${i}`, 1, 1, i)
    const topics = seen.resume().seen.map(([topic]) => topic)
    expect([topics.length, topics[0], topics.at(-1)]).toEqual([10_000, 't.1', 't.10000'])
  })
})
