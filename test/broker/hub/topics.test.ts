/** The topics of a broker: made on first use, with the settings of the most specific pattern. */
import { describe, expect, it } from 'vitest'
import type { TopicOptions } from '../../../broker/hub/options.ts'
import { Topics } from '../../../broker/hub/topics.ts'
import { BatchHeader } from '../../../broker/shared/batch.ts'
import { numbered } from '../shared/batches.ts'

const tableOf = (topics: Record<string, TopicOptions>, maxTopics = 100) =>
  new Topics({ topics, maxTopics, maxHistoryBytes: 1_000_000 })

/** How many messages a topic of that name keeps. */
function historyOf(table: Topics, name: string): number {
  const topic = table.open(name)
  for (let i = 0; i < 10; i++) {
    topic.append(new BatchHeader(numbered(name, topic.seq + 1, 1)), topic.seq + 1, 0)
  }
  return topic.replay('all').reduce((sum, { count }) => sum + count, 0)
}

describe('the topics of a broker', () => {
  it('take the settings of the most specific pattern that has them, in whatever order they were given', () => {
    const settings = { '**': { history: 1 }, 'a.**': { history: 2 }, 'a.*': { history: 3 }, 'a.b': { history: 4 } }
    for (const entries of [Object.entries(settings), Object.entries(settings).reverse()]) {
      const table = tableOf(Object.fromEntries(entries))
      const names = ['a.b', 'a.c', 'a.c.d', 'b', 'a/b']
      expect(names.map((name) => historyOf(table, name))).toEqual([4, 3, 2, 1, 1])
    }
  })

  it('look further where the more specific pattern says nothing', () => {
    const table = tableOf({ 'a.*': {}, '**': { history: 2 } })
    expect(historyOf(table, 'a.b')).toBe(2)
  })

  it('keep nothing where history is 0 or nowhere set', () => {
    expect(historyOf(tableOf({ 'a.b': { history: 0 }, '**': { history: 5 } }), 'a.b')).toBe(0)
    expect(historyOf(tableOf({}), 'a.b')).toBe(0)
  })

  it('are the same every time they are opened', () => {
    const table = tableOf({})
    expect(table.open('a')).toBe(table.open('a'))
    expect(table.size).toBe(1)
  })

  it('are refused beyond maxTopics, and those that exist go on', () => {
    const table = tableOf({}, 2)
    table.open('a')
    table.open('b')
    expect(() => table.open('c')).toThrow(expect.objectContaining({ code: 'TOO_MANY_TOPICS', details: { limit: 2 } }))
    expect(table.open('a').name).toBe('a')
  })

  it('are refused under a name that is none', () => {
    expect(() => tableOf({}).open('a..b')).toThrow(expect.objectContaining({ code: 'INVALID_TOPIC' }))
    expect(() => tableOf({}).open('a.*')).toThrow(expect.objectContaining({ code: 'INVALID_TOPIC' }))
  })

  it('are found by name and by pattern', () => {
    const table = tableOf({})
    for (const name of ['a.b', 'a.c', 'b', '$sys.x']) table.open(name)
    const found = (pattern: string) => table.matching(pattern).map(({ name }) => name)
    expect([found('a.b'), found('a.*'), found('**'), found('$sys.*'), found('nobody')]).toEqual([
      ['a.b'],
      ['a.b', 'a.c'],
      ['a.b', 'a.c', 'b'],
      ['$sys.x'],
      [],
    ])
  })
})
