/**
 * What broke: a parcel with more topics than the table takes let the first of them go before they were numbered. Their
 * messages were numbered in a life that was over, and the order of use was torn.
 */
import fc from 'fast-check'
import type { Request } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { MemoryBudget } from '../../../base/memory-budget.ts'
import type { Target } from '../../../broker/hub/delivery/target.ts'
import { MemoryEngine } from '../../../broker/hub/engine/memory-engine.ts'
import { Inlet } from '../../../broker/hub/inlet.ts'
import { Intake } from '../../../broker/hub/intake.ts'
import { Matcher } from '../../../broker/hub/matcher.ts'
import { Refusals } from '../../../broker/hub/refusals.ts'
import { Topics } from '../../../broker/hub/topics.ts'
import { BatchHeader } from '../../../broker/shared/batch.ts'
import { brokerError } from '../../../broker/shared/errors.ts'
import { ManualClock } from '../../socket/tools/manual-clock.ts'
import { batchOf, join } from '../shared/batches.ts'

const topicIdleMs = 100

class Stage {
  readonly clock = new ManualClock()
  readonly wanted = new Set<string>()
  readonly topics: Topics
  readonly engine = new MemoryEngine(this.clock, new MemoryBudget(1e9))
  readonly intake: Intake
  readonly inlet = new Inlet({ linkId: 1, name: 's', identity: {} } as never)
  /** What was forwarded, by topic and epoch. */
  readonly forwarded: { topic: string; epoch: number; seq: number; count: number }[] = []

  constructor(maxTopics: number) {
    const settings = { topics: {}, maxTopics, maxHistoryBytes: 0, pacing: { share: 0 }, topicIdleMs }
    this.topics = new Topics(settings, 7, this.clock, (name) => this.wanted.has(name), new MemoryBudget(1e9))
    const matcher = new Matcher<Target>()
    matcher.add('**', {
      wants: () => true,
      offer: ({ bytes }) => {
        for (let at = 0; at < bytes.length; ) {
          const { topic, epoch, seq, count, end } = new BatchHeader(bytes, at)
          this.forwarded.push({ topic, epoch, seq, count })
          at = end
        }
        return undefined
      },
    })
    const { clock, engine, topics } = this
    const refusals = new Refusals(clock, 1_000_000)
    this.intake = new Intake({
      clock,
      engine,
      topics,
      matcher,
      refusals,
      memory: new MemoryBudget(1e9),
      maxMessageBytes: 1e6,
    })
  }

  take(names: readonly string[]): void {
    const parcel = join(names.map((topic) => batchOf({ topic, entries: [{ value: 1 }] })))
    this.intake.take(parcel, this.inlet, { isOneWay: true } as Request)
  }

  /** The table as it is gone through. */
  get found(): string[] {
    const names: string[] = []
    this.topics.each(
      '**',
      () => true,
      ({ name }) => names.push(name),
    )
    return names
  }
}

const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ parcel: fc.array(name, { minLength: 1, maxLength: 8 }) }) },
  { weight: 1, arbitrary: fc.record({ ms: fc.integer({ min: 0, max: 150 }) }) },
  { weight: 1, arbitrary: fc.record({ want: name }) },
  { weight: 1, arbitrary: fc.record({ leave: name }) },
)

describe('a parcel of more topics than the table takes', () => {
  it('is numbered without a hole in each life of a topic, and leaves the table whole [BROKER 3.3, 4.8]', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 30 }), (maxTopics, steps) => {
        const stage = new Stage(maxTopics)
        const published = new Map<string, number>()
        for (const each of steps) {
          if ('want' in each) stage.wanted.add(each.want)
          else if ('leave' in each) stage.wanted.delete(each.leave)
          else if ('ms' in each) {
            stage.clock.pass(each.ms)
            stage.topics.sweep()
          } else {
            try {
              stage.take(each.parcel)
            } catch (error) {
              expect(error).toMatchObject({ code: 'TOO_MANY_TOPICS' })
            }
          }
          expect(stage.topics.size).toBeLessThanOrEqual(maxTopics)
          const { found } = stage
          expect([found.length, new Set(found).size]).toEqual([stage.topics.size, stage.topics.size])
          for (const each of found) expect(stage.topics.get(each)?.isForgotten).toBe(false)
        }
        const lives = new Map<string, number>()
        for (const { topic, epoch, seq, count } of stage.forwarded) {
          const life = `${topic} ${epoch}`
          expect([life, seq]).toEqual([life, (lives.get(life) ?? 0) + 1])
          lives.set(life, seq + count - 1)
          // A life that is over does not come back.
          expect(epoch).toBeGreaterThanOrEqual(published.get(topic) ?? 0)
          published.set(topic, epoch)
        }
        expect(stage.forwarded.length).toBe(stage.intake.published)
        // A topic that is there goes on where its messages ended.
        for (const each of stage.found) {
          const topic = stage.topics.get(each)
          expect(topic?.seq).toBe(lives.get(`${each} ${topic?.epoch}`) ?? 0)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('a batch that the engine does not take', () => {
  it('is refused, and the others of its parcel are numbered and forwarded', () => {
    const stage = new Stage(10)
    const { engine } = stage
    const append = engine.append.bind(engine)
    engine.append = (batch, topic, ticket) => {
      if (topic.name === 'b') throw brokerError('CONFLICT')
      return append(batch, topic, ticket)
    }
    expect(() => stage.take(['a', 'b', 'c'])).toThrow(expect.objectContaining({ code: 'CONFLICT' }))
    expect(stage.forwarded.map(({ topic, seq }) => [topic, seq])).toEqual([
      ['a', 1],
      ['c', 1],
    ])
    const { intake, inlet } = stage
    expect([intake.published, intake.refused, inlet.taken, inlet.refused]).toEqual([2, 1, 2, 1])
  })
})

describe('a clock on the wall that is set', () => {
  it('lets no topic go that was used lately, and keeps none that was not', () => {
    const stage = new Stage(10)
    stage.take(['a'])
    stage.clock.set(3_600_000)
    stage.topics.sweep()
    expect(stage.topics.size).toBe(1)
    stage.clock.set(-7_200_000)
    stage.clock.pass(topicIdleMs + 1)
    stage.topics.sweep()
    expect(stage.topics.size).toBe(0)
  })
})
