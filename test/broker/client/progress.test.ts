/** What a subscription has seen: where it goes on, and which hole in a sequence is a loss. */
import { describe, expect, it } from 'vitest'
import { Progress } from '../../../broker/client/progress.ts'

type Begin = Parameters<Progress['begin']>[0]
const enough = 1_000_000

function begun(seen: Begin['seen'] = [], position = 10, epoch = 7): Progress {
  const made = new Progress()
  made.begin({ epoch, position, seen })
  return made
}

describe('what a subscription has seen', () => {
  it('begins with what the broker says [BROKER 4.6]', () => {
    expect(begun([['a', 3, 5]]).resume(enough)).toEqual({ epoch: 7, position: 10, seen: [['a', 3, 5]] })
  })

  it('goes on with every batch, topic by topic; the latest is named first [BROKER 4.7]', () => {
    const seen = begun()
    seen.saw('a', 1, 5, 15, 1)
    seen.saw('b', 1, 1, 16, 2)
    seen.saw('a', 6, 7, 18, 1)
    expect(seen.resume(enough)).toEqual({
      ...{ epoch: 7, position: 18 },
      seen: [
        ['a', 7, 1],
        ['b', 1, 2],
      ],
    })
  })

  it('finds a hole in the sequence of a topic that it knows', () => {
    const seen = begun([['a', 3, 1]])
    expect(seen.saw('a', 4, 5, 12, 1)).toBeUndefined()
    expect(seen.saw('a', 8, 9, 14, 1)).toEqual({ topic: 'a', first: 6, last: 7, epoch: 1 })
    expect(seen.saw('b', 100, 100, 15, 1)).toBeUndefined()
    expect(seen.saw('b', 102, 102, 16, 1)).toEqual({ topic: 'b', first: 101, last: 101, epoch: 1 })
  })

  it('finds no hole where a gap was told', () => {
    const seen = begun([['a', 3, 1]])
    seen.missed({ topic: 'a', first: 4, last: 9, epoch: 1 })
    expect(seen.saw('a', 10, 10, 20, 1)).toBeUndefined()
  })

  it('tells a new life of a topic once, and never as a gap [BROKER 4.8]', () => {
    const seen = begun([['a', 3, 1]])
    expect(seen.saw('a', 9, 9, 11, 2)).toBe('epoch')
    expect(seen.saw('a', 10, 10, 12, 2)).toBeUndefined()
  })

  it('does not track what is not counted: batches of epoch 0', () => {
    const seen = begun()
    expect(seen.saw('$inbox.x', 1, 1, 11, 0)).toBeUndefined()
    expect(seen.saw('$inbox.x', 9, 9, 12, 0)).toBeUndefined()
    expect(seen.resume(enough)).toEqual({ epoch: 7, position: 12, seen: [] })
  })

  it('forgets everything in another epoch of the broker, and says so [BROKER 4.8]', () => {
    const seen = begun([['a', 3, 1]])
    expect(seen.begin({ epoch: 8, position: 2, seen: [['b', 1, 1]] })).toBe(8)
    expect(seen.resume(enough)).toEqual({ epoch: 8, position: 2, seen: [['b', 1, 1]] })
  })

  it('keeps what it knows when the same broker goes on', () => {
    const seen = begun([['a', 3, 1]])
    expect(seen.begin({ epoch: 7, position: 12, seen: [['b', 1, 1]] })).toBeUndefined()
    expect(seen.resume(enough).seen).toEqual([
      ['b', 1, 1],
      ['a', 3, 1],
    ])
  })

  it('says so when a topic began again in the interruption', () => {
    const seen = begun([['a', 3, 1]])
    expect(seen.begin({ epoch: 7, position: 12, seen: [['a', 1, 2]] })).toBe(2)
  })

  it('holds ten thousand topics at most; those that go on coming stay, the others go', () => {
    const seen = begun()
    for (let i = 0; i < 40_000; i++) {
      seen.saw(`t.${i}`, 1, 1, i, 1)
      if (i % 1_000 === 0) seen.saw('often', i + 1, i + 1, i, 1)
    }
    const topics = seen.resume(enough).seen.map(([topic]) => topic)
    expect(topics.length).toBeLessThanOrEqual(10_000)
    expect([topics[0], topics.includes('often'), topics.includes('t.0')]).toEqual(['t.39999', true, false])
  })

  it('names in a short resume the topics that came last', () => {
    const seen = begun()
    for (let i = 0; i < 100; i++) seen.saw(`topic.${i}`, 1, 1, i, 1)
    const topics = seen.resume(100).seen.map(([topic]) => topic)
    expect(topics).toEqual(['topic.99', 'topic.98', 'topic.97'])
    expect(seen.resume(-5).seen).toEqual([])
  })
})
