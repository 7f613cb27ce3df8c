/** A topic at the broker: what a subscription gets of its history, new or after an interruption. */
import { describe, expect, it } from 'vitest'
import { MemoryLog, type StoredBatch } from '../../../broker/hub/engine/memory.ts'
import { Topic } from '../../../broker/hub/topic.ts'
import { BatchHeader } from '../../../broker/shared/batch.ts'
import { numbered } from '../shared/batches.ts'

/** A topic with batches of three messages; every position is the sequence plus 100. */
function topicOf(batches: number, history: number | undefined): Topic {
  const topic = new Topic('t', history === undefined ? undefined : new MemoryLog(history, 1_000_000))
  for (let i = 0; i < batches; i++) {
    const seq = topic.seq + 1
    topic.append(new BatchHeader(numbered('t', seq, 3, seq + 100)), seq + 100, seq * 1_000)
  }
  return topic
}

const range = (batches: readonly StoredBatch[]): number[] => {
  const [first, last] = [batches[0], batches.at(-1)]
  return first && last ? [first.seq, last.seq + last.count - 1] : []
}
const resume = (position: number) => ({ epoch: 7, position, seen: [] })

describe('what a new subscription gets of a history [BROKER 4.5]', () => {
  const topic = topicOf(3, 5)

  it.each([
    ['new', [], undefined],
    ['all', [5, 9], undefined],
    [{ seq: 7 }, [7, 9], undefined],
    [{ seq: 2 }, [5, 9], { topic: 't', first: 2, last: 4 }],
    [{ seq: 0 }, [5, 9], { topic: 't', first: 1, last: 4 }],
    [{ seq: 10 }, [], undefined],
    [{ position: 108 }, [8, 9], undefined],
    [{ position: 0 }, [5, 9], undefined],
    [{ time: 7_000 }, [7, 9], undefined],
    [{ time: 7_001 }, [], undefined],
    [{ last: 2 }, [8, 9], undefined],
    [{ last: 0 }, [], undefined],
    [{ last: 100 }, [5, 9], undefined],
  ] as const)('from %j', (from, expected, gap) => {
    expect(range(topic.replay(from))).toEqual(expected)
    expect(topic.missingFrom(from)).toEqual(gap)
  })

  it('is nothing where there is no history, and then a sequence asked for is missing', () => {
    const none = topicOf(2, undefined)
    expect([none.replay('all'), none.missingFrom('all')]).toEqual([[], undefined])
    expect([none.replay({ seq: 4 }), none.missingFrom({ seq: 4 })]).toEqual([[], { topic: 't', first: 4, last: 6 }])
  })
})

describe('what an interrupted subscription gets [BROKER 4.7]', () => {
  it('is nothing when nothing has come since', () => {
    for (const topic of [topicOf(3, 5), topicOf(3, undefined)]) {
      expect(topic.resume(resume(109), 9)).toEqual({ batches: [], gap: undefined })
    }
  })

  it('is what it missed, when the history has it', () => {
    const { batches, gap } = topicOf(3, 5).resume(resume(106), 6)
    expect([range(batches), gap]).toEqual([[7, 9], undefined])
  })

  it('is what the history still has, and the gap before that', () => {
    const { batches, gap } = topicOf(3, 5).resume(resume(102), 2)
    expect([range(batches), gap]).toEqual([[5, 9], { topic: 't', first: 3, last: 4 }])
  })

  it('is the exact gap when there is no history', () => {
    expect(topicOf(3, undefined).resume(resume(102), 2)).toEqual({
      batches: [],
      gap: { topic: 't', first: 3, last: 9 },
    })
  })

  it('is nothing of what was told as a gap before the interruption', () => {
    const { batches, gap } = topicOf(3, 9).resume(resume(102), 6)
    expect([range(batches), gap]).toEqual([[7, 9], undefined])
  })

  it('is everything of a topic that is younger than the interruption', () => {
    expect(range(topicOf(1, 5).resume(resume(100), undefined).batches)).toEqual([1, 3])
    expect(topicOf(1, undefined).resume(resume(100), undefined).gap).toEqual({ topic: 't', first: 1, last: 3 })
  })

  it('of a topic that it had not seen: what the history has, and the message before that when it has forgotten some', () => {
    expect(topicOf(3, 5).resume(resume(104), undefined).gap).toBeUndefined()
    expect(topicOf(3, 5).resume(resume(103), undefined).gap).toEqual({ topic: 't', first: 4, last: 4 })
    expect(topicOf(3, undefined).resume(resume(103), undefined).gap).toEqual({ topic: 't', first: 9, last: 9 })
  })
})

describe('a topic', () => {
  it('keeps copies, not the large buffer that a batch came in', () => {
    const log = new MemoryLog(10, 1_000_000)
    const topic = new Topic('t', log)
    const large = new Uint8Array(100_000)
    const batch = numbered('t', 1, 3)
    large.set(batch, 500)
    topic.append(new BatchHeader(large, 500), 1, 1)
    large.fill(0)
    const [kept] = topic.replay('all')
    expect([kept?.bytes, kept?.bytes.buffer.byteLength]).toEqual([batch, batch.length])
  })
})
