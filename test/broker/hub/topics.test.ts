/** The topics of a broker: made on first use, with the settings of the most specific pattern, and let go. */
import { beforeEach, describe, expect, it } from 'vitest'
import { encodeText } from '../../../base/bytes.ts'
import { MemoryBudget } from '../../../base/memory-budget.ts'
import type { TopicOptions } from '../../../broker/hub/options.ts'
import type { Topic } from '../../../broker/hub/topic.ts'
import { Topics, type TopicsSettings } from '../../../broker/hub/topics.ts'
import { ManualClock } from '../../socket/tools/manual-clock.ts'

const epoch = 7
const plenty = new MemoryBudget(1e9)
const idleMs = 60_000
let clock: ManualClock
let wanted: Set<string>

beforeEach(() => {
  clock = new ManualClock()
  wanted = new Set()
})

function tableOf(topics: Record<string, TopicOptions> = {}, more: Partial<TopicsSettings> = {}): Topics {
  const settings = { topics, maxTopics: 100, maxHistoryBytes: 1_000, pacing: { share: 0.1 }, topicIdleMs: idleMs }
  return new Topics({ ...settings, ...more }, epoch, clock, (name) => wanted.has(name), plenty)
}

function open(table: Topics, name: string): Topic {
  const bytes = encodeText(name)
  return table.open(bytes, 0, bytes.length)
}

/** A message of that topic, at that position. */
function use(table: Topics, name: string, position = 1): Topic {
  const topic = open(table, name)
  topic.lastPosition = position
  table.touch(topic, clock.monotonic())
  return topic
}

function found(table: Topics, pattern: string): string[] {
  const names: string[] = []
  table.each(
    pattern,
    () => false,
    ({ name }) => names.push(name),
  )
  return names
}

describe('the topics of a broker', () => {
  const historyOf = (table: Topics, name: string) => open(table, name).keep?.messages ?? 0

  it('take the settings of the most specific pattern that has them, in whatever order they were given', () => {
    const settings = { '**': { history: 1 }, 'a.**': { history: 2 }, 'a.*': { history: 3 }, 'a.b': { history: 4 } }
    for (const entries of [Object.entries(settings), Object.entries(settings).reverse()]) {
      const table = tableOf(Object.fromEntries(entries))
      const names = ['a.b', 'a.c', 'a.c.d', 'b', 'a/b']
      expect(names.map((name) => historyOf(table, name))).toEqual([4, 3, 2, 1, 1])
    }
  })

  it('look further where the more specific pattern says nothing, for each setting by itself', () => {
    const table = tableOf({ 'a.*': { pacing: { share: 1 } }, '**': { history: 2 } })
    expect(open(table, 'a.b').policy).toEqual({ keep: { messages: 2, bytes: 1_000 }, share: 1 })
    expect(open(table, 'b').policy).toEqual({ keep: { messages: 2, bytes: 1_000 }, share: 0.1 })
    expect(open(table, 'a.c').policy).toBe(open(table, 'a.b').policy)
  })

  it('keep nothing where history is 0 or nowhere set', () => {
    expect(historyOf(tableOf({ 'a.b': { history: 0 }, '**': { history: 5 } }), 'a.b')).toBe(0)
    expect(historyOf(tableOf({}), 'a.b')).toBe(0)
  })

  it('are the same every time they are opened', () => {
    const table = tableOf()
    expect(open(table, 'a')).toBe(open(table, 'a'))
    expect(table.size).toBe(1)
  })

  it('are refused under a name that is none, and then leave nothing', () => {
    const table = tableOf()
    for (const name of ['a..b', 'a.*', 'x'.repeat(300)]) {
      expect(() => open(table, name)).toThrow(expect.objectContaining({ code: 'INVALID_TOPIC' }))
    }
    expect(table.size).toBe(0)
  })

  it('are found by name, and by pattern the most recently used first', () => {
    const table = tableOf()
    for (const name of ['a.b', 'a.c', 'b', '$sys.x', 'a.b']) use(table, name)
    expect([found(table, 'a.b'), found(table, 'a.*'), found(table, '**'), found(table, 'nobody')]).toEqual([
      ['a.b'],
      ['a.b', 'a.c'],
      ['a.b', 'b', 'a.c'],
      [],
    ])
  })

  it('are not all gone through for a pattern: a thousand, unless more are asked for', () => {
    const table = tableOf({}, { maxTopics: 5_000 })
    for (let i = 1; i <= 3_000; i++) use(table, `t.${i}`, i)
    let steps = 0
    const isAll = table.each(
      't.*',
      () => false,
      () => steps++,
    )
    expect([isAll, steps]).toEqual([false, 1_000])
    const names = new Set<string>()
    table.each(
      't.*',
      ({ lastPosition }) => lastPosition > 1_500,
      ({ name }) => names.add(name),
    )
    expect(names.size).toBe(1_500)
  })
})

describe('a topic that nobody needs', () => {
  it('is forgotten after a while without traffic, and comes back in another life', () => {
    const table = tableOf()
    expect(use(table, 'a').epoch).toBe(epoch)
    clock.advance(idleMs - 1)
    table.sweep()
    expect(table.size).toBe(1)
    clock.advance(1)
    table.sweep()
    expect(table.size).toBe(0)
    const again = open(table, 'a')
    expect([again.epoch, again.seq]).toEqual([epoch + 1, 0])
  })

  it('is kept as long as it has a subscription, a history or traffic', () => {
    wanted.add('wanted')
    const table = tableOf({ kept: { history: 1 } })
    for (const name of ['wanted', 'kept', 'busy', 'idle']) use(table, name)
    clock.advance(idleMs / 2)
    use(table, 'busy')
    clock.advance(idleMs / 2)
    table.sweep()
    expect(found(table, '**')).toEqual(['busy', 'kept', 'wanted'])
  })

  it('is found though a thousand that are needed are older', () => {
    const table = tableOf({ 'kept.*': { history: 1 } }, { maxTopics: 5_000 })
    for (let i = 0; i < 2_500; i++) use(table, `kept.${i}`)
    use(table, 'idle')
    clock.advance(idleMs)
    for (let i = 0; i < 3; i++) table.sweep()
    expect([table.size, found(table, 'idle')]).toEqual([2_500, []])
  })

  it('makes room at once when there are as many topics as there may be, the oldest first', () => {
    wanted.add('a')
    const table = tableOf({}, { maxTopics: 3 })
    for (const name of ['a', 'b', 'c', 'd']) use(table, name)
    expect(found(table, '**')).toEqual(['d', 'c', 'a'])
    wanted.add('c').add('d')
    expect(() => open(table, 'e')).toThrow(expect.objectContaining({ code: 'TOO_MANY_TOPICS', details: { limit: 3 } }))
    expect(open(table, 'a').seq).toBe(0)
  })

  it('never comes back with an epoch that it had, nor with 0', () => {
    const settings = { topics: {}, maxTopics: 1, maxHistoryBytes: 0, pacing: { share: 0 }, topicIdleMs: idleMs }
    const table = new Topics(settings, 0xffff_fffe, clock, () => false, plenty)
    const epochs = ['a', 'b', 'a', 'b', 'a'].map((name) => use(table, name).epoch)
    expect(epochs).toEqual([0xffff_fffe, 0xffff_ffff, 1, 2, 3])
  })

  it('is remembered for those that come back from before it was forgotten', () => {
    const table = tableOf({}, { maxTopics: 1 })
    use(table, 'a.x', 10)
    use(table, 'b', 11)
    const forgotten = (pattern: string, position: number) => table.hasForgotten(pattern, position)
    expect([forgotten('a.*', 9), forgotten('a.*', 10), forgotten('b', 0), forgotten('**', 9)]).toEqual([
      true,
      false,
      false,
      true,
    ])
    for (let i = 0; i < 5_000; i++) use(table, `c.${i}`, 12 + i)
    expect([forgotten('a.x', 9), forgotten('nothing', 10), forgotten('nothing', 5_100)]).toEqual([true, true, false])
  })
})
