/** Where subscriptions begin, and what is said to be missing: new ones and those that come back. */
import { describe, expect, it } from 'vitest'
import { encodeText } from '../../../base/bytes.ts'
import { MemoryBudget } from '../../../base/memory-budget.ts'
import { resumeOf, type Start, startOf } from '../../../broker/hub/starts.ts'
import type { Topic } from '../../../broker/hub/topic.ts'
import { Topics } from '../../../broker/hub/topics.ts'
import type { From, SeenTopic } from '../../../broker/shared/requests.ts'
import { ManualClock } from '../../socket/tools/manual-clock.ts'

const epoch = 7
const plenty = new MemoryBudget(1e9)
const clock = new ManualClock()

/** Topics with messages in turn, two each time, until `position`. 'h.**' has a history, of four messages. */
function table(position: number, ...names: string[]): Topics {
  const settings = { maxTopics: 100, maxHistoryBytes: 1_000_000, pacing: { share: 0 }, topicIdleMs: 1_000 }
  const topics = new Topics({ ...settings, topics: { 'h.**': { history: 4 } } }, epoch, clock, () => false, plenty)
  for (let at = 1, turn = 0; at < position; at += 2, turn++) {
    const bytes = encodeText(names[turn % names.length] as string)
    count(topics.open(bytes, 0, bytes.length), at)
    topics.touch(topics.open(bytes, 0, bytes.length), turn)
  }
  return topics
}

/** Two more messages, as an engine counts them. */
function count(topic: Topic, position: number): void {
  const turns = (position - topic.lastPosition - 1) / 2
  if (topic.seq === 0) topic.firstPosition = position
  topic.seq += 2
  if (topic.keep && topic.seq > 4) {
    topic.floorSeq = topic.seq - 4
    topic.floorPosition = topic.lastPosition - 2 * turns - 2
  }
  topic.lastPosition = position + 1
}

const told = ({ place, recovered, gaps, seen }: Start) => ({
  ...{ place, recovered },
  gaps: gaps.map(({ topic, first, last, epoch }) => `${topic} ${first}-${last} ${epoch}`),
  seen: Object.fromEntries(seen.map(([topic, seq, epoch]) => [topic, `${seq} ${epoch}`])),
})

describe('a new subscription [BROKER 4.5]', () => {
  // h.a has 3-6 of 1-6 at positions 1-2, 5-6, 9-10; x has 1-6, and none of them is kept.
  const topics = table(12, 'h.a', 'x')
  const start = (from: From, pattern = '**') => told(startOf(pattern, from, topics, 12))
  const whole = { recovered: true, gaps: [] }

  it('begins with what is published next, or with all that is kept', () => {
    const x = '6 7'
    expect(start('new')).toEqual({ place: undefined, ...whole, seen: { 'h.a': '6 7', x } })
    expect(start('all')).toEqual({ place: { position: 1 }, ...whole, seen: { 'h.a': '2 7', x } })
  })

  it('begins with a sequence, and is told what of that is not there any more', () => {
    expect(start({ seq: 4 }, 'h.a')).toMatchObject({ ...whole, seen: { 'h.a': '3 7' } })
    expect(start({ seq: 2 }, 'h.a')).toMatchObject({ recovered: true, gaps: ['h.a 2-2 7'], seen: { 'h.a': '2 7' } })
    expect(start({ seq: 4 }, 'x')).toMatchObject({ recovered: true, gaps: ['x 4-6 7'], seen: { x: '6 7' } })
    expect(start({ seq: 7 }, 'h.a')).toMatchObject({ ...whole, seen: { 'h.a': '6 7' } })
  })

  it('says that a place is not there in a topic that there is not', () => {
    const recovered = (from: From, pattern: string) => start(from, pattern).recovered
    expect([recovered({ seq: 13 }, 'gone'), recovered({ seq: 13 }, 'gone.*')]).toEqual([false, false])
    expect(recovered({ after: { seq: 12, epoch: 7 } }, 'gone')).toBe(false)
    expect([recovered({ seq: 1 }, 'gone'), recovered({ last: 3 }, 'gone')]).toEqual([true, true])
  })

  it('is told that a sequence beyond the end is not there', () => {
    expect(start({ seq: 8 }, 'h.a')).toMatchObject({ recovered: false, gaps: [], seen: { 'h.a': '6 7' } })
    expect(start({ after: { seq: 7, epoch } }, 'h.a')).toMatchObject({ recovered: false, gaps: [] })
    expect(start({ position: 14 })).toMatchObject({ recovered: false })
  })

  it('begins after a message of this life of the topic, and of another with all that there is', () => {
    expect(start({ after: { seq: 4, epoch } }, 'h.a')).toMatchObject({ ...whole, seen: { 'h.a': '4 7' } })
    const other = { recovered: false, gaps: ['h.a 1-2 7'], seen: { 'h.a': '2 7' } }
    expect(start({ after: { seq: 4, epoch: 6 } }, 'h.a')).toMatchObject(other)
  })

  it('begins with the last few', () => {
    expect(start({ last: 3 }, 'h.a')).toEqual({ place: { seq: 4 }, ...whole, seen: { 'h.a': '3 7' } })
    expect(start({ last: 100 }, 'h.a')).toEqual({ place: { seq: 3 }, ...whole, seen: { 'h.a': '2 7' } })
    expect(start({ last: 0 }, 'h.a')).toMatchObject({ place: undefined, seen: { 'h.a': '6 7' } })
  })

  it('begins with a position or a time', () => {
    expect(start({ position: 6 }).place).toEqual({ position: 6 })
    expect(start({ time: 5 }).place).toEqual({ time: 5 })
  })

  it('wants of what came later everything, whatever its number', () => {
    const { wantedFrom } = startOf('**', { seq: 4 }, topics, 12)
    expect([wantedFrom({ name: 'h.a' } as Topic, 5), wantedFrom({ name: 'h.new' } as Topic, 13)]).toEqual([4, 0])
  })

  it('is told of a thousand topics at most', () => {
    const settings = { topics: {}, maxTopics: 2_000, maxHistoryBytes: 0, pacing: { share: 0 }, topicIdleMs: 1_000 }
    const many = new Topics(settings, epoch, clock, () => false, plenty)
    for (let i = 0; i < 1_100; i++) {
      const bytes = encodeText(`x.${i}`)
      many.open(bytes, 0, bytes.length)
    }
    expect(startOf('**', 'new', many, 0).seen).toHaveLength(1_000)
  })
})

describe('a subscription that comes back [BROKER 4.7]', () => {
  const seenOf = (...seen: (readonly [string, number])[]): SeenTopic[] =>
    seen.map(([topic, seq]) => [topic, seq, epoch])
  const resume = (topics: Topics, position: number, seen: SeenTopic[], pattern = '**') =>
    told(resumeOf(pattern, { epoch, position, seen }, topics, epoch))

  it('misses nothing as long as what is kept goes back far enough', () => {
    const found = resume(table(12, 'h.a', 'h.b'), 6, seenOf(['h.a', 4], ['h.b', 2]))
    expect(found).toMatchObject({ place: { position: 7 }, recovered: true, gaps: [] })
    expect(found.seen).toEqual({ 'h.a': '4 7', 'h.b': '2 7' })
  })

  it('is told the exact gap of every topic that has one', () => {
    const found = resume(table(12, 'h.a', 'x'), 4, seenOf(['h.a', 2], ['x', 2]))
    expect(found).toMatchObject({ recovered: false, gaps: ['x 3-6 7'], seen: { 'h.a': '2 7', x: '6 7' } })
  })

  it('is told everything of a topic that is younger than the interruption', () => {
    expect(resume(table(12, 'h.a', 'x'), 2, seenOf(['h.a', 2])).gaps).toEqual(['x 1-6 7'])
  })

  it('is told the last message of one that it did not know of', () => {
    expect(resume(table(12, 'h.a', 'x'), 4, seenOf(['h.a', 2])).gaps).toEqual(['x 6-6 7'])
  })

  it('is told nothing of what was told as a gap before the interruption', () => {
    const { wantedFrom, gaps } = resumeOf(
      'h.x',
      { epoch, position: 4, seen: seenOf(['h.x', 6]) },
      table(12, 'a', 'h.x'),
      epoch,
    )
    expect([gaps, wantedFrom({ name: 'h.x', epoch } as Topic, 5)]).toEqual([[], 7])
  })

  it('is told what is missing of another life of the broker, and all that is kept comes [BROKER 4.8]', () => {
    const topics = table(12, 'h.a', 'x')
    const found = told(resumeOf('**', { epoch: 8, position: 1_000, seen: seenOf(['h.a', 500]) }, topics, epoch))
    expect(found).toMatchObject({ place: { position: 1 }, recovered: false, seen: { 'h.a': '2 7', x: '6 7' } })
    expect(found.gaps.toSorted()).toEqual(['h.a 1-2 7', 'x 1-6 7'])
  })

  it('does not say that it has recovered when a topic was forgotten since, or is in another life', () => {
    const settings = { topics: {}, maxTopics: 1, maxHistoryBytes: 0, pacing: { share: 0 }, topicIdleMs: 1_000 }
    const topics = new Topics(settings, epoch, clock, () => false, plenty)
    for (const [name, at] of [
      ['a', 1],
      ['b', 3],
      ['a', 5],
    ] as const) {
      const bytes = encodeText(name)
      count(topics.open(bytes, 0, bytes.length), at)
    }
    const seen: SeenTopic[] = [['a', 2, epoch]]
    expect(resume(topics, 2, seen, 'a')).toMatchObject({ recovered: false, gaps: ['a 1-2 9'] })
    expect(resume(topics, 2, [], 'b')).toMatchObject({ recovered: false, gaps: [] })
    expect(resume(topics, 4, [], 'b')).toMatchObject({ recovered: true })
  })
})
