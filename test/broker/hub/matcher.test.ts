/** The matcher: the same answers as asking every pattern, lists that stay the same array, and nothing left behind. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Matcher } from '../../../broker/hub/matcher.ts'
import { compareSpecificity, matches } from '../../../broker/shared/topic-name.ts'

const separator = fc.constantFrom('.', '/')
const segments = (...of: string[]) => fc.array(fc.tuple(separator, fc.constantFrom(...of)), { maxLength: 3 })
const topic = fc
  .tuple(fc.constantFrom('a', 'b', '$a', '@b'), segments('a', 'b', 'ab'))
  .map(([first, rest]) => first + rest.flat().join(''))
const pattern = fc.oneof(
  fc.constantFrom('*', '**'),
  fc
    .tuple(fc.constantFrom('a', 'b', '*', '$a', '@b'), segments('a', 'b', 'ab', '*'), fc.constantFrom('', '.**', '/**'))
    .map(([first, rest, tail]) => first + rest.flat().join('') + tail),
)
/** Drawn among few, so that the same pattern comes again with other values. */
const familiar = fc.oneof(pattern, fc.constantFrom('a.b', 'a.*', 'a.**', 'a/*', '*.b.**'))
const value = fc.integer({ min: 0, max: 3 })
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('add' as const), pattern: familiar, value }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), pattern: familiar, value }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('match' as const), topic }) },
)

/** The same by asking every pattern. */
class Naive {
  readonly pairs = new Map<string, Set<number>>()

  get size(): number {
    return [...this.pairs.values()].reduce((sum, values) => sum + values.size, 0)
  }

  add(text: string, number: number): void {
    this.pairs.set(text, (this.pairs.get(text) ?? new Set()).add(number))
  }

  delete(text: string, number: number): boolean {
    const values = this.pairs.get(text)
    const deleted = values?.delete(number) ?? false
    if (values?.size === 0) this.pairs.delete(text)
    return deleted
  }

  match(name: string): number[] {
    const found = [...this.pairs.keys()].filter((text) => matches(text, name)).sort(compareSpecificity)
    return found.flatMap((text) => [...(this.pairs.get(text) ?? [])])
  }
}

describe('Matcher', () => {
  it('finds what asking every pattern finds, most specific first, through any adds and deletes', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60, size: 'max' }),
        fc.array(topic, { minLength: 1, maxLength: 10 }),
        fc.constantFrom(0, 1, 3, 100),
        (steps, topics, cacheTopics) => {
          const matcher = new Matcher<number>({ cacheTopics })
          const naive = new Naive()
          for (const one of steps) {
            if (one.do === 'match') {
              expect(matcher.match(one.topic)).toEqual(naive.match(one.topic))
            } else if (one.do === 'add') {
              matcher.add(one.pattern, one.value)
              naive.add(one.pattern, one.value)
            } else {
              expect(matcher.delete(one.pattern, one.value)).toBe(naive.delete(one.pattern, one.value))
            }
          }
          for (const name of topics) {
            expect(matcher.match(name)).toEqual(naive.match(name))
            expect(matcher.matchUncached(name)).toEqual(naive.match(name))
          }
          expect(matcher.size).toBe(naive.size)
          expect(matcher.cachedTopics).toBeLessThanOrEqual(cacheTopics)
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it('has the same nodes after any adds and deletes as if only what is left had been added', () => {
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 40 }), fc.array(pattern, { maxLength: 40 }), (kept, gone) => {
        const matcher = new Matcher<string>()
        const fresh = new Matcher<string>()
        for (const text of [...kept, ...gone]) matcher.add(text, 'x')
        for (const text of gone) matcher.delete(text, 'x')
        for (const text of kept) if (!gone.includes(text)) fresh.add(text, 'x')
        expect(matcher.nodes).toBe(fresh.nodes)
        expect(matcher.size).toBe(fresh.size)
        for (const text of kept) matcher.delete(text, 'x')
        expect(matcher.nodes).toBe(0)
        expect(matcher.size).toBe(0)
      }),
    )
  })

  it('holds a pair of pattern and value once', () => {
    const matcher = new Matcher<string>()
    for (const text of ['a.*', 'a.b']) {
      matcher.add(text, 'x')
      matcher.add(text, 'y')
      matcher.add(text, 'x')
    }
    expect(matcher.size).toBe(4)
    expect(matcher.match('a.b')).toEqual(['x', 'y', 'x', 'y'])
    expect(matcher.delete('a.*', 'x')).toBe(true)
    expect(matcher.delete('a.*', 'x')).toBe(false)
    expect(matcher.match('a.b')).toEqual(['x', 'y', 'y'])
  })

  it('keeps the other values of a pattern, in the order they were added', () => {
    const matcher = new Matcher<string>()
    for (const text of ['a.*', 'a.b']) {
      for (const letter of ['w', 'x', 'y', 'z']) matcher.add(text, letter)
      matcher.delete(text, 'x')
    }
    expect(matcher.match('a.b')).toEqual(['w', 'y', 'z', 'w', 'y', 'z'])
    for (const letter of ['w', 'y', 'z']) expect(matcher.delete('a.*', letter)).toBe(true)
    expect(matcher.match('a.b')).toEqual(['w', 'y', 'z'])
    expect(matcher.nodes).toBe(0)
  })

  it('says false for what was never added', () => {
    const matcher = new Matcher<string>()
    matcher.add('a.*.c', 'x')
    matcher.add('a.b', 'x')
    for (const text of ['a.*', 'a.*.c.**', 'a.*.d', '*', 'a', 'a.b.c']) expect(matcher.delete(text, 'x')).toBe(false)
    expect(matcher.delete('a.*.c', 'y')).toBe(false)
    expect(matcher.size).toBe(2)
  })

  it('takes values that are sets and lists for what they are', () => {
    const [set, list] = [new Set([1, 2]), [3, 4]]
    const matcher = new Matcher<object>()
    matcher.add('a.*', set)
    expect(matcher.match('a.b')).toEqual([set])
    matcher.add('a.*', list)
    expect(matcher.match('a.b')).toEqual([set, list])
  })

  it('needs one node for a pattern whatever its length, and two more where a pair parts one segment further down', () => {
    const matcher = new Matcher<string>()
    matcher.add('a.b.c.*.d.**', 'x')
    expect(matcher.nodes).toBe(1)
    matcher.add('a.c.*', 'x')
    expect(matcher.nodes).toBe(3)
    matcher.add('exact.name', 'x')
    expect(matcher.nodes).toBe(3)
    matcher.delete('a.b.c.*.d.**', 'x')
    expect(matcher.nodes).toBe(1)
  })
})

describe('the cache of a Matcher', () => {
  it('gives the same array until what it says changes', () => {
    const matcher = new Matcher<string>()
    matcher.add('a.*', 'x')
    const list = matcher.match('a.b')
    matcher.add('z.*', 'y')
    matcher.add('z', 'y')
    matcher.add('a.*', 'x')
    expect(matcher.match('a.b')).toBe(list)
    matcher.delete('z.*', 'y')
    expect(matcher.match('a.b')).toBe(list)
    matcher.add('a.b', 'y')
    expect(matcher.match('a.b')).toEqual(['y', 'x'])
    expect(list).toEqual(['x'])
  })

  it('sees exact names and patterns come and go, also for topics that nothing matched', () => {
    const matcher = new Matcher<string>()
    expect(matcher.match('a.b')).toEqual([])
    matcher.add('a.b', 'exact')
    expect(matcher.match('a.b')).toEqual(['exact'])
    matcher.add('a.**', 'wild')
    expect(matcher.match('a.b')).toEqual(['exact', 'wild'])
    matcher.delete('a.b', 'exact')
    expect(matcher.match('a.b')).toEqual(['wild'])
    matcher.delete('a.**', 'wild')
    expect(matcher.match('a.b')).toEqual([])
  })

  it('lets the oldest topic make room', () => {
    const matcher = new Matcher<string>({ cacheTopics: 3 })
    for (const name of ['a', 'b', 'c', 'd']) matcher.add(name, name)
    const lists = ['a', 'b', 'c'].map((name) => matcher.match(name))
    // So that what is not cached is made anew, and not shared with what was made before.
    const isCached = (index: number) => matcher.match(['a', 'b', 'c'][index] as string) === lists[index]
    matcher.match('d')
    matcher.add('x', 'x')
    expect(matcher.cachedTopics).toBe(3)
    expect([isCached(2), isCached(1), isCached(0), isCached(2)]).toEqual([true, true, false, true])
    for (let i = 0; i < 100; i++) matcher.match(`t${i}`)
    expect(matcher.cachedTopics).toBe(3)
  })

  it('shares the list of topics that the same values match, also after others have come and gone', () => {
    const matcher = new Matcher<string>()
    for (let i = 0; i < 5_000; i++) matcher.add('**', `all ${i}`)
    matcher.add('a.*', 'a')
    const lists = new Set(Array.from({ length: 1_000 }, (_, i) => matcher.match(`t.${i}`)))
    expect([lists.size, matcher.match('a.1') === matcher.match('a.2')]).toEqual([1, true])
    matcher.delete('**', 'all 7')
    const later = new Set(Array.from({ length: 1_000 }, (_, i) => matcher.match(`t.${i}`)))
    expect([later.size, [...later][0]?.length]).toEqual([1, 4_999])
  })

  it('begins afresh when all lists together have too many values', () => {
    const matcher = new Matcher<string>({ cacheValues: 25 })
    for (let i = 0; i < 10; i++) matcher.add('**', `all ${i}`)
    for (const name of ['a', 'b', 'c']) matcher.add(name, name)
    for (const name of ['a', 'b']) matcher.match(name)
    expect(matcher.cachedTopics).toBe(2)
    expect(matcher.match('c')).toHaveLength(11)
    expect(matcher.cachedTopics).toBe(1)
  })

  it('keeps nothing at 0', () => {
    const matcher = new Matcher<string>({ cacheTopics: 0 })
    matcher.add('a', 'x')
    expect(matcher.match('a')).toEqual(['x'])
    expect(matcher.cachedTopics).toBe(0)
  })
})

describe('a Matcher with 100 000 wildcard subscriptions', () => {
  const matcher = new Matcher<number>()
  const patternOf = (i: number) => [`dev.${i}.*.temp`, `a.*.${i}.**`, `*/${i}/x`, `dev.${i - 3}.*.*`][i % 4] ?? ''
  for (let i = 0; i < 100_000; i++) matcher.add(patternOf(i), i)

  it('finds each one and nothing else', () => {
    expect(matcher.size).toBe(100_000)
    const wrong: string[] = []
    const check = (topic: string, wanted: readonly number[]) => {
      if (matcher.match(topic).join() !== wanted.join()) wrong.push(topic)
    }
    for (let i = 0; i < 100_000; i += 4) {
      check(`dev.${i}.x.temp`, [i, i + 3])
      check(`dev.${i}.x.hum`, [i + 3])
      check(`a.x.${i + 1}`, [i + 1])
      check(`y/${i + 2}/x`, [i + 2])
      check(`y.${i + 2}.x`, [])
    }
    expect(wrong).toEqual([])
  })

  it('is empty when all have gone', () => {
    for (let i = 0; i < 100_000; i++) if (!matcher.delete(patternOf(i), i)) throw new Error(`${patternOf(i)} is gone`)
    expect(matcher.size).toBe(0)
    expect(matcher.nodes).toBe(0)
    expect(matcher.match('dev.4.x.temp')).toEqual([])
  })
})
