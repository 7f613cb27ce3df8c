/** Replays over several topics: in the order of positions, and honest about what is missing. */
import { describe, expect, it } from 'vitest'
import { replayFor } from '../../../broker/hub/replay.ts'
import { Topics } from '../../../broker/hub/topics.ts'
import { BatchHeader } from '../../../broker/shared/batch.ts'
import type { From, Resume } from '../../../broker/shared/requests.ts'
import { numbered } from '../shared/batches.ts'

const epoch = 7

/** Topics a, b and c with messages in turn, two each time, until `position`. Only 'h.**' has a history, of four. */
function table(position: number, ...names: string[]): Topics {
  const topics = new Topics({ topics: { 'h.**': { history: 4 } }, maxTopics: 100, maxHistoryBytes: 1_000_000 })
  for (let at = 1, turn = 0; at < position; at += 2, turn++) {
    const topic = topics.open(names[turn % names.length] as string)
    topic.append(new BatchHeader(numbered(topic.name, topic.seq + 1, 2, at)), at, at)
  }
  return topics
}

function replay(topics: Topics, position: number, from: From, resume: Resume | null = null, pattern = '**') {
  const limits = { limitMessages: 1, limitBytes: 1 }
  const request = { op: 'subscribe', channel: '', pattern, noEcho: false, ...limits, from, resume } as const
  const { reply, batches } = replayFor(request, topics.matching(pattern), epoch, position)
  return { ...reply, batches: batches.map((batch) => [batch.position, batch.count]) }
}

describe('a replay of several topics', () => {
  it('is in the order of positions [BROKER 4.2]', () => {
    const topics = table(12, 'h.a', 'h.b')
    expect(replay(topics, 12, 'all').batches).toEqual([
      [5, 2],
      [7, 2],
      [9, 2],
      [11, 2],
    ])
  })

  it('says which message it follows on: of all, and of each topic [BROKER 4.6]', () => {
    const { position, seen, recovered, gaps } = replay(table(12, 'h.a', 'h.b', 'x'), 12, 'all')
    expect({ position, recovered, gaps }).toEqual({ position: 0, recovered: true, gaps: [] })
    expect(seen).toEqual([
      ['h.a', 0],
      ['h.b', 0],
      ['x', 4],
    ])
  })

  it('begins at the latest position where nothing is replayed', () => {
    expect(replay(table(12, 'x', 'y'), 12, 'new')).toMatchObject({ position: 12, recovered: true, batches: [] })
  })

  it('has only topics that match', () => {
    const { batches, seen } = replay(table(12, 'h.a', 'h.b'), 12, 'all', null, 'h.b')
    expect(batches).toEqual([
      [7, 2],
      [11, 2],
    ])
    expect(seen).toEqual([['h.b', 2]])
  })

  it('names no more than a thousand topics', () => {
    const names = Array.from({ length: 1_100 }, (_, i) => `x.${i}`)
    const topics = new Topics({ topics: {}, maxTopics: 2_000, maxHistoryBytes: 0 })
    for (const name of names) topics.open(name)
    expect(replay(topics, 0, 'new').seen).toHaveLength(1_000)
  })
})

describe('a replay after an interruption', () => {
  const seen = (...pairs: (readonly [string, number])[]) => pairs

  it('is whole as long as the history goes back far enough [BROKER 4.7]', () => {
    const topics = table(12, 'h.a', 'h.b')
    const resume = { epoch, position: 6, seen: seen(['h.a', 4], ['h.b', 2]) }
    const { recovered, gaps, batches, position } = replay(topics, 12, 'new', resume)
    expect({ recovered, gaps, position }).toEqual({ recovered: true, gaps: [], position: 6 })
    expect(batches).toEqual([
      [7, 2],
      [9, 2],
      [11, 2],
    ])
  })

  it('names the exact gap of every topic that has one', () => {
    const topics = table(12, 'h.a', 'x')
    const resume = { epoch, position: 4, seen: seen(['h.a', 2], ['x', 2]) }
    const { recovered, gaps, batches } = replay(topics, 12, 'new', resume)
    expect({ recovered, gaps }).toEqual({ recovered: false, gaps: [{ topic: 'x', first: 3, last: 6 }] })
    expect(batches).toEqual([
      [5, 2],
      [9, 2],
    ])
  })

  it('does not take a sequence of another epoch for one of this [BROKER 4.8]', () => {
    const topics = table(12, 'h.a', 'x')
    const resume = { epoch: epoch + 1, position: 1_000, seen: seen(['h.a', 500], ['x', 500]) }
    const { recovered, gaps, batches, seen: begins } = replay(topics, 12, 'new', resume)
    expect(recovered).toBe(false)
    expect(gaps).toEqual([
      { topic: 'h.a', first: 1, last: 2 },
      { topic: 'x', first: 1, last: 6 },
    ])
    expect(batches).toEqual([
      [5, 2],
      [9, 2],
    ])
    expect(begins).toEqual([
      ['h.a', 2],
      ['x', 6],
    ])
  })
})
