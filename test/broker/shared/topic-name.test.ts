/** Topic names and patterns: what is refused and why, what matches what, and which pattern is the more specific. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  checkPattern,
  checkTopic,
  compareSpecificity,
  isPattern,
  matches,
  matchesFrom,
  maxTopicBytes,
  maxTopicSegments,
} from '../../../broker/shared/topic-name.ts'

const name = fc
  .array(fc.tuple(fc.constantFrom('.', '/'), fc.constantFrom('a', 'b', 'aa')), { minLength: 1, maxLength: 5 })
  .map((segments) => segments.flat().slice(1).join(''))
const pattern = fc
  .tuple(
    fc.array(fc.tuple(fc.constantFrom('.', '/'), fc.constantFrom('a', 'b', 'aa', '*')), { minLength: 1, maxLength: 4 }),
    fc.constantFrom('', '.**', '/**'),
  )
  .map(([segments, tail]) => segments.flat().slice(1).join('') + tail)

/** The rules said once more, as a regular expression. */
function asRegExp(text: string): RegExp {
  if (text === '**') return /^/
  const tail = /([./])\*\*$/.exec(text)
  const head = tail === null ? text : text.slice(0, -3)
  const source = head.replaceAll('.', '\\.').replaceAll('/', '\\/').replaceAll('*', '[^./]+')
  return new RegExp(`^${source}${tail === null ? '' : `(\\${tail[1]}.*)?`}$`)
}

describe('checkTopic', () => {
  it.each([
    'a',
    'orders.created',
    'orders/eu/created',
    'a.b/c',
    '$sys.stats',
    '@alice',
    'new orders.två',
    '日本.🚂',
    `${'s.'.repeat(maxTopicSegments - 1)}s`,
    'x'.repeat(maxTopicBytes),
  ])('returns %j as it is', (topic) => {
    expect(checkTopic(topic)).toBe(topic)
  })

  it.each([
    ['the empty string', '', 'is empty'],
    ['an empty segment', 'a..b', 'nothing in segment 2'],
    ['a leading separator', '/a', 'nothing in segment 1'],
    ['a trailing separator', 'a.', 'nothing in segment 2'],
    ['a segment of spaces', 'a. .b', 'nothing in segment 2'],
    ["a '*'", 'a.*', "'*', which only a pattern may have"],
    ["a '*' inside a segment", 'a*', "'*', which only a pattern may have"],
    ['a control character', 'a\nb', '"a\\nb" has a control character'],
    ['DEL', 'a\u007f', 'control character'],
    ['a C1 control character', 'a\u0085', 'control character'],
    ['a byte order mark', '\ufeffa', 'U+FEFF'],
    ['half a surrogate pair', 'a\ud83d', '"a\\ud83d" has a control character, U+FEFF or a lone surrogate'],
    ['too many segments', `${'s.'.repeat(maxTopicSegments)}s`, 'has 33 segments; at most 32'],
    ['too many bytes', 'x'.repeat(maxTopicBytes + 1), 'maxTopicBytes is 255'],
    ['too many bytes in few characters', 'é'.repeat(128), 'is 256 bytes of UTF-8'],
    ['a number', 7, 'is of type number, not a string'],
    ['null', null, 'is null, not a string'],
    ['undefined', undefined, 'is of type undefined, not a string'],
    ['an array', ['a'], 'is an array, not a string'],
  ])('refuses %s', (_, given, says) => {
    expect(() => checkTopic(given)).toThrow(
      expect.objectContaining({ code: 'INVALID_TOPIC', retryable: false, message: expect.stringContaining(says) }),
    )
  })

  it('counts bytes as UTF-8 has them', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        const fits = Buffer.byteLength(`${text}x`) <= maxTopicBytes
        let tooLong = false
        try {
          checkTopic(`${text}x`)
        } catch (error) {
          tooLong = String(error).includes('maxTopicBytes')
        }
        expect(tooLong).toBe(!fits)
      }),
    )
  })

  it('gives the numbers that explain a refusal, and not the whole of a huge name', () => {
    const huge = 'x'.repeat(1_000_000)
    expect(() => checkTopic(huge)).toThrow(expect.objectContaining({ details: { limit: 255, actual: 1_000_000 } }))
    expect(() => checkTopic(huge)).toThrow(/^.{1,400}$/)
  })
})

describe('checkPattern', () => {
  it.each(['a', 'a.b', '*', '**', 'a.*', '*.a', 'a.*.b.**', 'a/*/**', '*.*', '$sys.**', '@alice'])(
    'returns %j',
    (text) => {
      expect(checkPattern(text)).toBe(text)
    },
  )

  it.each([
    ['', 'is empty'],
    ['a*', "'*' that is not a whole segment"],
    ['a.*b.c', "'*' that is not a whole segment"],
    ['a.***', "'*' that is not a whole segment"],
    ['**.a', "'**' that is not its end"],
    ['a.**.b', "'**' that is not its end"],
    ['a..*', 'nothing in segment 2'],
    [42, 'not a string'],
    [/^orders/, 'Regular expressions are not available in this version'],
  ])('refuses %j', (given, says) => {
    expect(() => checkPattern(given)).toThrow(
      expect.objectContaining({ code: 'INVALID_PATTERN', message: expect.stringContaining(says) }),
    )
  })

  it('takes every topic name', () => {
    expect(isPattern('a.b')).toBe(false)
    expect(isPattern('a.*')).toBe(true)
    fc.assert(fc.property(name, (topic) => checkPattern(checkTopic(topic)) === topic && !isPattern(topic)))
  })
})

describe('matches', () => {
  it.each([
    ['a.b', 'a.b'],
    ['orders.*', 'orders.a'],
    ['*.a', 'orders.a'],
    ['*', 'orders'],
    ['a/*/c', 'a/b/c'],
    ['orders.**', 'orders'],
    ['orders.**', 'orders.a'],
    ['orders.**', 'orders.a.b'],
    ['orders.**', 'orders.a/b'],
    ['orders/**', 'orders'],
    ['*.**', 'a'],
    ['**', 'a/b.c'],
    ['$sys.**', '$sys.stats'],
    ['$sys.*', '$sys.stats'],
    ['a.*', 'a.$b'],
    ['@alice', '@alice'],
  ])('%s matches %s', (text, topic) => {
    expect(matches(text, topic)).toBe(true)
  })

  it.each([
    ['a.b', 'a/b'],
    ['a.*', 'a/b'],
    ['orders.**', 'orders/a'],
    ['orders.**', 'orders2'],
    ['orders.**', 'orders2.a'],
    ['orders2.**', 'orders'],
    ['orders.*', 'orders'],
    ['orders.*', 'orders.a.b'],
    ['orders.*', 'orders.a/b'],
    ['*', 'a.b'],
    ['a.b', 'a'],
    ['a', 'a.b'],
    ['a.b.c', 'a.b'],
    ['**', '$sys.stats'],
    ['*.stats', '$sys.stats'],
    ['*.**', '$sys'],
    ['**', '@alice'],
    ['*', '@alice'],
  ])('%s does not match %s', (text, topic) => {
    expect(matches(text, topic)).toBe(false)
  })

  it('agrees with the rules written as a regular expression', () => {
    fc.assert(
      fc.property(pattern, name, (text, topic) => {
        expect(matches(text, topic)).toBe(asRegExp(text).test(topic))
      }),
      { numRuns: 5_000 },
    )
  })

  it('can begin in the middle, at the separators', () => {
    expect(matchesFrom('x.*.b.**', 3, 'dev.7.b.c', 5)).toBe(true)
    expect(matchesFrom('x.*.b.**', 3, 'dev.7.c', 5)).toBe(false)
    expect(matchesFrom('x.*.b', 3, 'dev.7/b', 5)).toBe(false)
    expect(matchesFrom('x.*', 3, 'dev.7', 5)).toBe(true)
  })
})

describe('compareSpecificity', () => {
  it('puts the most specific first', () => {
    const ordered = ['a.b.c', 'a.b', 'z', 'a.b.*', 'a.b.**', 'a.*.c', 'a.*', 'a.*.**', 'a.**', 'a/**', '*.b', '*', '**']
    const shuffled = ordered.toSorted((a, b) => a.length - b.length || (a < b ? 1 : -1))
    expect(shuffled.sort(compareSpecificity)).toEqual(ordered)
  })

  it('is an order in which only equal patterns are level', () => {
    fc.assert(
      fc.property(pattern, pattern, pattern, (a, b, c) => {
        expect(compareSpecificity(a, b) === 0).toBe(a === b)
        expect(Math.sign(compareSpecificity(a, b)) + Math.sign(compareSpecificity(b, a))).toBe(0)
        if (compareSpecificity(a, b) < 0 && compareSpecificity(b, c) < 0)
          expect(compareSpecificity(a, c)).toBeLessThan(0)
      }),
    )
  })
})
