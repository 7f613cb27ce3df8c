/**
 * Where a subscription begins: what it gets of what is kept, and what of that is missing, new or after an interruption.
 *
 * Floor 9, pure. Answers are given from the table of topics as it is now; nothing is read.
 */
import type { TopicGap } from '../shared/gap.ts'
import type { From, Resume, SeenTopic } from '../shared/requests.ts'
import { isPattern } from '../shared/topic-name.ts'
import { costOf } from './delivery/holdings.ts'
import type { Place, TopicRef } from './engine/engine.ts'
import type { Topic } from './topic.ts'
import type { Topics } from './topics.ts'

export interface Start {
  /** Where reading begins; nowhere if it begins with what is published next. */
  readonly place: Place | undefined
  /** The first sequence that is wanted of a topic, if not all that is read of it. */
  readonly wantedFrom: (topic: TopicRef, position: number) => number
  /** What knowing that takes, in bytes. */
  readonly bytes: number
  readonly recovered: boolean
  readonly gaps: readonly TopicGap[]
  readonly seen: readonly SeenTopic[]
}

/** Topics named in the answer at most: enough for most subscriptions, and little where a pattern matches very many. */
const maxSeen = 1_000
/** Of another life of the broker, so many topics are gone through to tell what is missing. */
const maxToldAnew = 10_000

/** What is wanted of one topic. */
interface Wanted {
  readonly gap?: TopicGap | undefined
  /** The sequence that the first message which comes follows on, if it is known. */
  readonly before: number | undefined
  /** What was asked for is there. */
  readonly isThere: boolean
}

class Starts {
  readonly gaps: TopicGap[] = []
  readonly seen: SeenTopic[] = []
  isThere = true

  add({ name, epoch }: Topic, { gap, before, isThere }: Wanted): void {
    if (gap) this.gaps.push(gap)
    if (!isThere) this.isThere = false
    if (before !== undefined && this.seen.length < maxSeen) this.seen.push([name, before, epoch])
  }

  start(place: Place | undefined, recovered: boolean, wantedFrom = everything, firsts = nothing): Start {
    let bytes = 0
    for (const name of firsts.keys()) bytes += costOf(name)
    return { place, wantedFrom, bytes, recovered, gaps: this.gaps, seen: this.seen }
  }
}

const everything: Start['wantedFrom'] = () => 0
const nothing: ReadonlyMap<string, number> = new Map()

/** `position` is that of the latest message. */
export function startOf(pattern: string, from: From, topics: Topics, position: number): Start {
  const starts = new Starts()
  const firsts = new Map<string, number>()
  let isKnown = false
  const isOnlyRecent = topics.each(pattern, never, (topic) => {
    isKnown = true
    const wanted = wantedOf(topic, from, position)
    starts.add(topic, wanted)
    if (typeof from === 'object' && 'last' in from) firsts.set(topic.name, (wanted.before ?? 0) + 1)
  })
  if (from === 'new') return starts.start(undefined, true)
  if (from === 'all') return starts.start({ position: 1 }, true)
  // What is published from now on is wanted whatever its position.
  if ('position' in from) {
    const next = position + 1
    return starts.start({ position: Math.min(from.position, next) }, from.position <= next)
  }
  if ('time' in from) return starts.start({ time: from.time }, true)
  if ('last' in from && from.last === 0) return starts.start(undefined, true)
  // What is not kept any more is a gap; what never was, or was in another life, cannot be told as one.
  const isBegun = isKnown || ('seq' in from && from.seq <= 1)
  const isWhole = 'last' in from || (starts.isThere && isOnlyRecent && isBegun)
  const wantedFrom = firstWanted(from, firsts, position)
  const [first] = firsts.values()
  const isOne = !isPattern(pattern)
  if (isOne && first !== undefined) return starts.start({ seq: first }, isWhole, wantedFrom, firsts)
  return starts.start({ position: 1 }, isWhole, wantedFrom, firsts)
}

/** A function of its own, for it is kept for long, and whatever else there is where it is made would be with it. */
function firstWanted(
  from: Exclude<From, string>,
  firsts: ReadonlyMap<string, number>,
  position: number,
): Start['wantedFrom'] {
  return (topic, at) => {
    // What was published since is wanted whatever its number.
    if (at > position) return 0
    if ('seq' in from) return from.seq
    if ('last' in from) return firsts.get(topic.name) ?? firstOfLast(topic, from.last, position)
    if ('after' in from && topic.epoch === from.after.epoch) return from.after.seq + 1
    return 0
  }
}

/** After an interruption. `epoch` is that of positions. */
export function resumeOf(pattern: string, resume: Resume, topics: Topics, epoch: number): Start {
  const starts = new Starts()
  if (resume.epoch !== epoch) {
    // Another life of the broker: what was published in it before now is missing, but for what is kept.
    let steps = 0
    topics.each(
      pattern,
      () => steps++ < maxToldAnew,
      (topic) => starts.add(topic, { gap: topic.missingFrom(1), before: topic.before, isThere: true }),
    )
    return starts.start({ position: 1 }, false)
  }
  const { position } = resume
  const seen = new Map(resume.seen.map((one) => [one[0], one]))
  const seenOf = ({ name, epoch }: TopicRef): number | undefined => {
    const known = seen.get(name)
    return known && known[2] === epoch ? known[1] : undefined
  }
  topics.each(
    pattern,
    ({ lastPosition }) => lastPosition > position,
    (topic) => {
      const known = seenOf(topic)
      // It was forgotten and has come back since: of the life that was seen, nobody knows the end.
      const isSameLife = known !== undefined || !seen.has(topic.name)
      const before = topic.beforeAfter(position, known)
      starts.add(topic, { gap: topic.missingAfter(position, known), before, isThere: isSameLife })
    },
  )
  const recovered = starts.isThere && starts.gaps.length === 0 && !topics.hasForgotten(pattern, position)
  const firsts = new Map<string, number>()
  for (const [name, seq, life] of resume.seen) {
    const topic = topics.get(name)
    // Nothing else is read of which it may have been told already; and what a client names is as much as it likes.
    const isRead = topic?.keep !== undefined && topic.lastPosition > position
    if (isRead && topic.epoch === life) firsts.set(topic.name, seq + 1)
  }
  return starts.start({ position: position + 1 }, recovered, firstUnseen(firsts), firsts)
}

function firstUnseen(firsts: ReadonlyMap<string, number>): Start['wantedFrom'] {
  return ({ name }) => firsts.get(name) ?? 0
}

function wantedOf(topic: Topic, from: From, position: number): Wanted {
  const { seq, before, keep, lastPosition } = topic
  if (from === 'new') return { before: seq, isThere: true }
  if (from === 'all') return { before, isThere: true }
  if ('position' in from) {
    const isAfter = keep === undefined || lastPosition < from.position || from.position > position
    return { before: isAfter ? seq : topic.beforeAfter(from.position - 1, undefined), isThere: true }
  }
  if ('time' in from) return { before: keep === undefined || seq === 0 ? seq : undefined, isThere: true }
  if ('last' in from) return { before: Math.max(before, seq - from.last), isThere: true }
  const isThisLife = 'seq' in from || from.after.epoch === topic.epoch
  const first = 'seq' in from ? from.seq : isThisLife ? from.after.seq + 1 : 1
  const gap = topic.missingFrom(first)
  return { gap, before: Math.min(seq, Math.max(before, first - 1)), isThere: isThisLife && first <= seq + 1 }
}

/** Of a topic that was not among those looked at. Where more has been published since, nobody knows, and all comes. */
function firstOfLast({ seq, lastPosition }: TopicRef, last: number, position: number): number {
  return lastPosition > position ? 0 : seq - last + 1
}

function never(): boolean {
  return false
}
