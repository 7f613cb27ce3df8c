/**
 * All topics of a broker: made on first use, kept in the order of use, and forgotten when nobody needs them.
 *
 * Floor 8. A topic that keeps nothing, that nobody subscribes to and that had no traffic for a while is forgotten, its
 * sequence with it. A topic that comes back has another epoch: the broker's own plus how often the table has forgotten
 * something, never 0. What was forgotten lately is remembered, so that no resume is told that nothing is missing.
 * There are as many as `maxTopics` says and as a quarter of the memory for others has room for.
 */
import { decodeText, hashOf, isAscii } from '#base/bytes'
import type { Clock } from '#base/clock'
import type { MemoryBudget } from '#base/memory-budget'
import { brokerError } from '../shared/errors.ts'
import { checkTopic, compareSpecificity, isPattern, matches } from '../shared/topic-name.ts'
import type { TopicOptions } from './options.ts'
import { Topic, type TopicPolicy } from './topic.ts'

export interface TopicsSettings {
  readonly topics: Readonly<Record<string, TopicOptions>>
  readonly maxTopics: number
  readonly maxHistoryBytes: number
  readonly pacing: { readonly share: number }
  readonly topicIdleMs: number
}

/** Topics looked at in one go, whatever for. */
const maxSteps = 1_000
/** Milliseconds after a search for room in vain without another: a client may ask for a thousand new topics in a turn. */
const restMs = 10
/** What a topic costs beside its name. */
const topicBytes = 300
/** What of the budget all topics may take. */
const topicsPart = 1 / 4
/** Names found by their bytes without decoding them. */
const maxNames = 10_000
/** Forgotten topics whose names are remembered; of older ones only when. */
const maxForgotten = 1_000

interface Forgotten {
  readonly name: string
  readonly lastPosition: number
}

export class Topics {
  readonly #settings: TopicsSettings
  /** Most specific first. */
  readonly #patterns: ReadonlyArray<readonly [pattern: string, options: TopicOptions]>
  readonly #policies: TopicPolicy[] = []
  readonly #epoch: number
  readonly #clock: Clock
  readonly #isWanted: (name: string) => boolean
  readonly #memory: MemoryBudget
  readonly #topics = new Map<string, Topic>()
  /** What they take. */
  #bytes = 0
  /** One place per hash of the bytes: only names that are topics get in, and nobody can make it slow by choosing them. */
  readonly #names = new Map<number, Topic>()
  #newest: Topic | undefined
  #oldest: Topic | undefined
  /** Where the next search for a topic to forget goes on. */
  #cursor: Topic | undefined
  /** When room was last looked for in vain. */
  #searchedAt = Number.NEGATIVE_INFINITY
  /** How often something was forgotten. */
  #lives = 0
  #forgotten: Forgotten[] = []
  /** The latest position of a forgotten topic whose name is not remembered any more. */
  #forgottenPosition = 0

  /** `isWanted`: whether anybody subscribes to that name. */
  constructor(
    settings: TopicsSettings,
    epoch: number,
    clock: Clock,
    isWanted: (name: string) => boolean,
    memory: MemoryBudget,
  ) {
    this.#epoch = epoch
    this.#memory = memory
    this.#settings = settings
    this.#clock = clock
    this.#isWanted = isWanted
    this.#patterns = Object.entries(settings.topics).sort(([a], [b]) => compareSpecificity(a, b))
  }

  get size(): number {
    return this.#topics.size
  }

  get(name: string): Topic | undefined {
    return this.#topics.get(name)
  }

  /** The topic of the name in `bytes[start, end)`, made if need be. Throws INVALID_TOPIC or TOO_MANY_TOPICS. */
  open(bytes: Uint8Array, start: number, end: number): Topic {
    const hash = hashOf(bytes, start, end)
    const known = this.#names.get(hash)
    if (known && !known.isForgotten && isAscii(known.name, bytes, start, end)) return known
    const name = decodeText(bytes, start, end)
    const topic = this.#topics.get(name) ?? this.#make(name)
    if (this.#names.size >= maxNames) this.#names.clear()
    this.#names.set(hash, topic)
    return topic
  }

  /** It is used now. */
  touch(topic: Topic, now: number): void {
    topic.usedAt = now
    if (topic === this.#newest) return
    this.#takeOut(topic)
    this.#putIn(topic)
  }

  /**
   * Topics that match, the most recently used first, of a thousand that were, and more while `goesOn` says so. True if
   * there are no others.
   */
  each(pattern: string, goesOn: (topic: Topic) => boolean, call: (topic: Topic) => void): boolean {
    if (!isPattern(pattern)) {
      const topic = this.#topics.get(pattern)
      if (topic) call(topic)
      return true
    }
    let topic = this.#newest
    for (let steps = 0; topic && (steps < maxSteps || goesOn(topic)); steps++, topic = topic.older) {
      if (matches(pattern, topic.name)) call(topic)
    }
    return topic === undefined
  }

  /** Whether a topic that matches may have been forgotten with messages after that position. */
  hasForgotten(pattern: string, position: number): boolean {
    if (this.#forgottenPosition > position) return true
    return this.#forgotten.some(({ name, lastPosition }) => lastPosition > position && matches(pattern, name))
  }

  /** Forgets what was idle for long enough, of a thousand topics at most. */
  sweep(): void {
    const before = this.#clock.monotonic() - this.#settings.topicIdleMs
    let hasForgotten = false
    this.#search((topic) => {
      if (topic.usedAt > before) return true
      if (this.#canForget(topic)) {
        this.#forget(topic)
        hasForgotten = true
      }
      return false
    })
    if (hasForgotten) this.#lives++
  }

  /** The broker is closed: what they take is given back. */
  close(): void {
    this.#charge(-this.#bytes)
  }

  #make(name: string): Topic {
    checkTopic(name)
    const cost = costOf(name)
    while (!this.#hasRoom(cost)) {
      if (this.#makeRoom()) continue
      const { size } = this.#topics
      throw brokerError('TOO_MANY_TOPICS', `There are ${size} topics.`, { details: { limit: size } })
    }
    this.#charge(cost)
    const epoch = ((this.#epoch - 1 + this.#lives) % 0xffff_ffff) + 1
    const topic = new Topic(name, epoch, this.#policyOf(name))
    topic.usedAt = this.#clock.monotonic()
    this.#topics.set(name, topic)
    this.#putIn(topic)
    return topic
  }

  #hasRoom(cost: number): boolean {
    return this.#topics.size < this.#settings.maxTopics && this.#bytes + cost <= this.#memory.limit * topicsPart
  }

  #charge(bytes: number): void {
    this.#bytes += bytes
    this.#memory.add(bytes)
  }

  /** False if all of those that are looked at are needed, or were a moment ago. */
  #makeRoom(): boolean {
    const now = this.#clock.monotonic()
    if (now - this.#searchedAt < restMs) return false
    let hasMade = false
    this.#search((topic) => {
      if (!this.#canForget(topic)) return false
      this.#forget(topic)
      this.#lives++
      hasMade = true
      return true
    })
    if (!hasMade) this.#searchedAt = now
    return hasMade
  }

  /** Goes from older to newer, a thousand at most, from where the last search ended; until `isDone`. */
  #search(isDone: (topic: Topic) => boolean): void {
    let topic = this.#cursor ?? this.#oldest
    for (let steps = 0; topic && steps < maxSteps; steps++) {
      const next: Topic | undefined = topic.newer
      if (isDone(topic)) {
        // What is younger is younger than that: the next search begins with the oldest.
        this.#cursor = undefined
        return
      }
      topic = next
    }
    this.#cursor = topic
  }

  #canForget(topic: Topic): boolean {
    return topic.keep === undefined && !this.#isWanted(topic.name)
  }

  #forget(topic: Topic): void {
    const { name, lastPosition } = topic
    topic.isForgotten = true
    this.#takeOut(topic)
    this.#topics.delete(name)
    this.#charge(-costOf(name))
    this.#forgotten.push({ name, lastPosition })
    if (this.#forgotten.length < 2 * maxForgotten) return
    for (const { lastPosition } of this.#forgotten.splice(0, maxForgotten)) {
      this.#forgottenPosition = Math.max(this.#forgottenPosition, lastPosition)
    }
  }

  #putIn(topic: Topic): void {
    topic.older = this.#newest
    topic.newer = undefined
    if (this.#newest) this.#newest.newer = topic
    else this.#oldest = topic
    this.#newest = topic
  }

  #takeOut(topic: Topic): void {
    if (this.#cursor === topic) this.#cursor = topic.newer
    if (topic.newer) topic.newer.older = topic.older
    else this.#newest = topic.older
    if (topic.older) topic.older.newer = topic.newer
    else this.#oldest = topic.newer
  }

  #policyOf(name: string): TopicPolicy {
    const { maxHistoryBytes, pacing } = this.#settings
    let history: number | undefined
    let share: number | undefined
    for (const [pattern, options] of this.#patterns) {
      if (!matches(pattern, name)) continue
      history ??= options.history
      share ??= options.pacing?.share
    }
    const keep = history ? { messages: history, bytes: maxHistoryBytes } : undefined
    const policy = { keep, share: share ?? pacing.share }
    const known = this.#policies.find((one) => one.keep?.messages === keep?.messages && one.share === policy.share)
    if (known) return known
    this.#policies.push(policy)
    return policy
  }
}

function costOf({ length }: string): number {
  return topicBytes + length
}
