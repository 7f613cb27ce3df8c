/** What every engine must do. An implementation's test calls it with a way to make one. */
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { SignalboxError } from '../../../../base/errors.ts'
import type { Engine, EngineHost, Place, Stamp, TopicRef } from '../../../../broker/hub/engine/engine.ts'
import { Topic } from '../../../../broker/hub/topic.ts'
import { BatchHeader } from '../../../../broker/shared/batch.ts'
import { ManualClock } from '../../../socket/tools/manual-clock.ts'
import { numbered } from '../../shared/batches.ts'

export interface EngineMaker {
  readonly name: string
  readonly make: (clock: ManualClock) => Promise<Engine>
}

/** A host that keeps what it is told. */
class Told implements EngineHost {
  readonly batches: string[] = []
  readonly tickets = new Map<object, Stamp | SignalboxError>()
  readonly trims: string[] = []
  readonly states: unknown[] = []

  committed(bytes: Uint8Array): void {
    this.batches.push(textOf(new BatchHeader(bytes)))
  }

  settled(ticket: object, outcome: Stamp | SignalboxError): void {
    this.tickets.set(ticket, outcome)
  }

  trimmed(topic: TopicRef, first: number, last: number, position: number): void {
    this.trims.push(`${topic.name} ${first}-${last} @${position}`)
  }

  changed(state: unknown): void {
    this.states.push(state)
  }
}

const textOf = ({ topic, seq, count, position }: BatchHeader) => `${topic} ${seq}-${seq + count - 1} @${position}`

export function engineSuite({ name, make }: EngineMaker): void {
  describe(`the ${name} engine`, () => {
    let clock: ManualClock
    let engine: Engine
    let told: Told
    let topics: Map<string, Topic>

    beforeEach(async () => {
      clock = new ManualClock()
      engine = await make(clock)
      told = new Told()
      topics = new Map()
      await engine.open(told)
    })

    afterEach(() => engine.close())

    /** Topics that begin with 'h' keep `history` messages. */
    function topicOf(topic: string, history = 1_000, bytes = 1_000_000): Topic {
      let known = topics.get(topic)
      if (known === undefined) {
        const keep = topic.startsWith('h') ? { messages: history, bytes } : undefined
        known = new Topic(topic, 7, { keep, share: 0 })
        topics.set(topic, known)
      }
      return known
    }

    function append(topic: string, count: number, ticket?: object, history?: number): void {
      const bytes = numbered(topic, 1, count)
      const header = new BatchHeader(bytes)
      if (engine.append(header, topicOf(topic, history), ticket)) told.batches.push(textOf(header))
    }

    async function read(pattern: string, from: Place = { position: 1 }, maxBytes = 1_000_000) {
      const { batches, next, end } = await engine.read({ pattern, from, maxBytes })
      const texts = batches.map((one) => {
        const { topic, seq, count, position, skip } = one
        expect(textOf(new BatchHeader(one.bytes))).toBe(`${topic.name} ${seq}-${seq + count - 1} @${position}`)
        return `${topic.name} ${seq + skip}-${seq + count - 1}`
      })
      return { texts, next, end }
    }

    it('is ready once it is open', () => {
      expect(told.states).toEqual(['ready'])
    })

    it('numbers by topic and over all topics, and keeps only what its topic asks for', async () => {
      append('h.a', 2)
      append('x', 3)
      append('h.b', 1)
      append('h.a', 1)
      await engine.trim(topicOf('h.b'), 0)
      expect(told.batches).toEqual(['h.a 1-2 @1', 'x 1-3 @3', 'h.b 1-1 @6', 'h.a 3-3 @7'])
      expect(engine.position).toBe(7)
      expect(await read('**')).toEqual({ texts: ['h.a 1-2', 'h.b 1-1', 'h.a 3-3'], next: 8, end: true })
      expect(topicOf('h.a')).toMatchObject({ seq: 3, firstPosition: 1, lastPosition: 7, floorSeq: 0 })
    })

    it('settles every ticket with what its batch was stamped with', async () => {
      const ticket = {}
      append('h.a', 2)
      append('h.a', 1, ticket)
      await engine.close()
      expect(told.tickets.get(ticket)).toEqual({ seq: 3, position: 3, time: clock.now() })
    })

    it('never lets the time go back, whatever the clock of the machine does', async () => {
      append('h.a', 1)
      clock.set(-5_000)
      append('h.a', 1)
      clock.set(7_000)
      append('h.a', 1)
      const { batches } = await engine.read({ pattern: 'h.a', from: { position: 1 }, maxBytes: 1_000_000 })
      const [first, second, third] = batches.map(({ time }) => time)
      expect([second, third]).toEqual([first, (first ?? 0) + 2_000])
    })

    it('reads from a position, a time or a sequence on', async () => {
      append('h.a', 3)
      clock.advance(1_000)
      append('h.b', 2)
      append('h.a', 2)
      expect((await read('**', { position: 2 })).texts).toEqual(['h.a 2-3', 'h.b 1-2', 'h.a 4-5'])
      expect((await read('**', { time: clock.now() })).texts).toEqual(['h.b 1-2', 'h.a 4-5'])
      expect((await read('h.a', { seq: 3 })).texts).toEqual(['h.a 3-3', 'h.a 4-5'])
      expect(await read('h.a', { position: 100 })).toEqual({ texts: [], next: 8, end: true })
      expect((await read('h.c')).texts).toEqual([])
    })

    it('reads page by page, and says where the next one begins and whether it was the last', async () => {
      for (let i = 0; i < 10; i++) append(`h.${i % 3}`, 1 + (i % 2))
      const texts: string[] = []
      let pages = 0
      for (let at = 1, end = false; !end; pages++) {
        const page = await read('**', { position: at }, 200)
        texts.push(...page.texts)
        at = page.next
        end = page.end
      }
      expect([texts, pages > 2]).toEqual([(await read('**')).texts, true])
    })

    it('keeps as many messages as its topic says, and tells what goes', async () => {
      append('h.a', 3, undefined, 4)
      append('h.a', 3)
      append('h.a', 1)
      expect((await read('h.a')).texts).toEqual(['h.a 4-6', 'h.a 7-7'])
      expect(told.trims).toEqual(['h.a 1-2 @1', 'h.a 3-3 @3'])
      expect(topicOf('h.a')).toMatchObject({ floorSeq: 3, floorPosition: 3, seq: 7 })
    })

    it('forgets what is before a sequence, and goes on counting', async () => {
      append('h.a', 3)
      append('h.a', 3)
      expect(await engine.trim(topicOf('h.a'), 3)).toBe(2)
      expect((await read('h.a')).texts).toEqual(['h.a 3-3', 'h.a 4-6'])
      expect(await engine.trim(topicOf('h.a'), 100)).toBe(4)
      append('h.a', 1)
      expect((await read('h.a')).texts).toEqual(['h.a 7-7'])
      expect(await engine.trim(topicOf('h.a'), 7)).toBe(0)
    })

    it('tells exactly what it does not give any more, whatever is appended and trimmed', async () => {
      const step = fc.record({
        topic: fc.constantFrom('h.a', 'h.b', 'x'),
        count: fc.integer({ min: 1, max: 5 }),
        trim: fc.option(fc.integer({ min: 0, max: 20 })),
      })
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
          engine = await make(clock)
          told = new Told()
          topics = new Map()
          await engine.open(told)
          for (const { topic, count, trim } of steps) {
            append(topic, count, undefined, 7)
            if (trim !== null) await engine.trim(topicOf(topic), trim)
          }
          for (const topic of [...topics.values()].filter(({ keep }) => keep)) {
            const gone = told.trims.filter((text) => text.startsWith(topic.name))
            const ranges = [...gone, ...(await read(topic.name)).texts].map((text) => text.split(/[ -]/).slice(1, 3))
            let next = 1
            for (const [first, last] of ranges.map((range) => range.map(Number))) {
              expect(first).toBe(next)
              next = (last ?? 0) + 1
            }
            expect(next).toBe(topic.seq + 1)
          }
        }),
      )
    })

    it('keeps records with revisions, and refuses who has not read the latest', async () => {
      const value = new Uint8Array([1])
      const first = await engine.save('cursor', 'a', value, 0)
      value[0] = 9
      const second = await engine.save('cursor', 'a', new Uint8Array([2]), first)
      await engine.save('cursor', 'b', new Uint8Array([3]), 0)
      await engine.save('topic', 'a', new Uint8Array([4]), 0)
      for (const expected of [0, first]) {
        const refused = engine.save('cursor', 'a', new Uint8Array([5]), expected)
        await expect(refused).rejects.toMatchObject({ code: 'CONFLICT', details: { expected, actual: second } })
      }
      const records = await engine.load('cursor')
      expect(records.map(({ key, value }) => [key, value[0]])).toEqual([
        ['a', 2],
        ['b', 3],
      ])
      expect(await engine.load('cursor', 'b')).toHaveLength(1)
      await engine.save('cursor', 'a', null, second)
      expect(await engine.load('cursor', 'a')).toEqual([])
      expect(await engine.save('cursor', 'a', new Uint8Array([6]), 0)).toBeGreaterThan(second)
    })

    it('keeps a record as it was given, also when whoever gave or got it writes to it', async () => {
      const value = Buffer.from([1, 2, 3])
      await engine.save('cursor', 'a', value, 0)
      value.fill(9)
      const [record] = await engine.load('cursor', 'a')
      expect([...(record?.value ?? [])]).toEqual([1, 2, 3])
      record?.value.fill(9)
      const [again] = await engine.load('cursor', 'a')
      expect([...(again?.value ?? [])]).toEqual([1, 2, 3])
    })

    it('closes more than once', async () => {
      await engine.close()
      await engine.close()
    })
  })
}
