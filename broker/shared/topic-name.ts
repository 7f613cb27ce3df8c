/**
 * Topic names and patterns: what is one, which pattern matches which name, and which pattern is the more specific.
 *
 * Floor 1. Pure. Invariants:
 * - The separator before a segment is part of the name: 'a.b' is not 'a/b', and a pattern has to use the same one.
 * - `matches` and the trie in `matcher.ts` give the same answers; the trie judges its tails with `matchesFrom`.
 * - Names are compared code unit by code unit. There is no Unicode normalisation and no case folding: two spellings of
 *   one accented letter are two names.
 */
import type { SignalboxError } from '#base/errors'
import { type BrokerErrorCode, brokerError } from './errors.ts'

/** The longest topic name or pattern, in bytes of UTF-8. */
export const maxTopicBytes = 255
/** The most segments a topic name or pattern may have; it bounds the depth of every walk over them. */
export const maxTopicSegments = 32

const dot = 0x2e
const slash = 0x2f
const star = 0x2a
/** How much of a refused name an error repeats; it may be of any length, and end up in a log. */
const quotedLength = 64

// Control characters spoil logs; lone surrogates become U+FFFD in UTF-8, so the name would come out as another one; and
// a TextDecoder swallows a leading U+FEFF, with the same result.
const forbidden = /[\p{Cc}\p{Cs}\uFEFF]/u
/** Wildcards of other brokers. As a whole segment of a pattern, each is a mistake that would match next to nothing. */
const foreign = /^[>#+]$/

/**
 * Returns `name` if it is a topic name: 1 to `maxTopicBytes` bytes of UTF-8 in at most `maxTopicSegments` segments
 * separated by '.' or '/', none of them empty or all white space, with no '*', control character, U+FEFF or lone
 * surrogate. Spaces inside a segment are allowed. System names ('$...') and direct ones ('@...') are topic names too:
 * who may use them is for authorisation to say.
 *
 * Throws INVALID_TOPIC.
 */
export function checkTopic(name: unknown): string {
  return checkName('INVALID_TOPIC', 'Topic', name, false)
}

/**
 * Returns `pattern` if it is one: a topic name in which any segment may be '*' (exactly one segment) and the last may
 * be '**' (any number of them, also none). A topic name is a pattern that matches itself alone.
 *
 * Throws INVALID_PATTERN; also for a RegExp, which this version does not take, and for '>', '#' or '+' as a segment, the
 * wildcards of other brokers.
 */
export function checkPattern(pattern: unknown): string {
  if (pattern instanceof RegExp) {
    throw brokerError('INVALID_PATTERN', 'Regular expressions are not available in this version.')
  }
  return checkName('INVALID_PATTERN', 'Pattern', pattern, true)
}

/** Whether a checked pattern has a wildcard; if not, it is an exact name. */
export function isPattern(pattern: string): boolean {
  return pattern.includes('*')
}

/**
 * Whether wildcards in first place pass this name by: '$...' belongs to the system and '@...' to one identity. Only a
 * pattern that writes the first segment out ('$sys.**') matches such a name.
 */
export function isReserved(topic: string): boolean {
  const first = topic.charCodeAt(0)
  return first === 0x24 || first === 0x40
}

/**
 * Whether a checked pattern matches a checked topic. 'orders.**' matches 'orders', 'orders.a' and 'orders.a/b', but not
 * 'orders/a': what follows 'orders' has to begin with the separator written before '**'; later ones are free.
 */
export function matches(pattern: string, topic: string): boolean {
  const patternEnd = segmentEnd(pattern, 0)
  const topicEnd = segmentEnd(topic, 0)
  if (pattern.charCodeAt(0) === star) {
    if (isReserved(topic)) return false
    if (pattern === '**') return true
  } else if (pattern.substring(0, patternEnd) !== topic.substring(0, topicEnd)) {
    return false
  }
  return matchesFrom(pattern, patternEnd, topic, topicEnd)
}

/**
 * Whether what is left of a pattern matches what is left of a topic, after their first segments: each offset is at a
 * separator or at the end. Allocates nothing.
 */
export function matchesFrom(pattern: string, patternAt: number, topic: string, topicAt: number): boolean {
  let p = patternAt
  let t = topicAt
  while (p < pattern.length) {
    const same = pattern.charCodeAt(p++) === topic.charCodeAt(t++)
    if (pattern.charCodeAt(p) === star && pattern.charCodeAt(p + 1) === star) return same || t > topic.length
    if (!same) return false
    if (pattern.charCodeAt(p) === star) {
      p++
      t = segmentEnd(topic, t)
    } else {
      // That the topic's segment goes on is noticed next, where a separator or the end has to be.
      const end = segmentEnd(pattern, p)
      while (p < end) if (pattern.charCodeAt(p++) !== topic.charCodeAt(t++)) return false
    }
  }
  return t === topic.length
}

/** Where the segment that begins at `from` ends: the index of the next separator, or the length. */
export function segmentEnd(name: string, from: number): number {
  let end = from
  while (end < name.length && !isSeparator(name.charCodeAt(end))) end++
  return end
}

/**
 * Orders checked patterns, the most specific first, for `sort` and for "most specific wins": exact names before
 * patterns; then segment by segment from the left, a literal before '*' before the end before '**'; then as text, so
 * that only equal patterns give 0.
 */
export function compareSpecificity(a: string, b: string): number {
  const exact = Number(isPattern(a)) - Number(isPattern(b))
  if (exact !== 0) return exact
  const left = a.split(/[./]/)
  const right = b.split(/[./]/)
  for (let i = 0; i < left.length || i < right.length; i++) {
    const difference = rank(left[i]) - rank(right[i])
    if (difference !== 0) return difference
  }
  return a < b ? -1 : a > b ? 1 : 0
}

function rank(segment: string | undefined): number {
  if (segment === undefined) return 2
  return segment === '**' ? 3 : segment === '*' ? 1 : 0
}

function isSeparator(code: number): boolean {
  return code === dot || code === slash
}

function checkName(code: BrokerErrorCode, what: string, name: unknown, wildcards: boolean): string {
  if (typeof name !== 'string') {
    const given = name === null ? 'null' : Array.isArray(name) ? 'an array' : `of type ${typeof name}`
    throw brokerError(code, `${what} is ${given}, not a string.`)
  }
  // The code units are counted first, so that the cost of refusing a huge name does not grow with it.
  const bytes = name.length > maxTopicBytes ? name.length : utf8Length(name)
  if (bytes > maxTopicBytes) {
    const actual = bytes === name.length ? `at least ${bytes}` : `${bytes}`
    const says = `is ${actual} bytes of UTF-8; maxTopicBytes is ${maxTopicBytes}`
    throw refuse(code, what, name, says, { limit: maxTopicBytes, actual: bytes })
  }
  if (name === '') throw refuse(code, what, name, 'is empty')
  if (forbidden.test(name)) {
    throw refuse(code, what, name, 'has a control character, U+FEFF or a lone surrogate')
  }
  const segments = name.split(/[./]/)
  if (segments.length > maxTopicSegments) {
    const says = `has ${segments.length} segments; at most ${maxTopicSegments} are allowed`
    throw refuse(code, what, name, says, { limit: maxTopicSegments, actual: segments.length })
  }
  for (const [i, segment] of segments.entries()) {
    if (segment.trim() === '') throw refuse(code, what, name, `has nothing in segment ${i + 1}`)
    if (wildcards && foreign.test(segment)) throw refuse(code, what, name, translation(name, segment))
    if (!segment.includes('*')) continue
    if (!wildcards) throw refuse(code, what, name, "has a '*', which only a pattern may have")
    if (segment === '**' && i < segments.length - 1) throw refuse(code, what, name, "has a '**' that is not its end")
    if (segment !== '*' && segment !== '**') throw refuse(code, what, name, "has a '*' that is not a whole segment")
  }
  return name
}

/** Says how a wildcard of NATS, MQTT or AMQP is written here. */
function translation(name: string, segment: string): string {
  const ours = name.replace(/(^|[./])[>#]$/, '$1**').replace(/(?<=^|[./])[+>#](?=$|[./])/g, '*')
  return `has a '${segment}', which is no wildcard here: Signalbox writes this \`${ours}\``
}

function refuse(
  code: BrokerErrorCode,
  what: string,
  name: string,
  says: string,
  details?: { limit: number; actual: number },
): SignalboxError {
  // JSON makes control characters and lone surrogates visible.
  const quoted = JSON.stringify(name.length > quotedLength ? `${name.slice(0, quotedLength)}...` : name)
  return brokerError(code, `${what} ${quoted} ${says}.`, { details })
}

/** Counted here because the client half also runs where there is no Buffer. */
export function utf8Length(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    // Either half of a surrogate pair stands for two of its four bytes.
    if (code >= 0x80) bytes += code < 0x800 || (code >= 0xd800 && code <= 0xdfff) ? 1 : 2
  }
  return bytes
}
