/**
 * Takes parcels: judges all of one first, then has each batch numbered, then forwards it to whoever gets it.
 *
 * Floor 11. No message is decoded. Nothing of a parcel is stamped or cached before all of it has been judged; a batch
 * that is refused takes no number, and does not keep the others from being taken. Neighbours that go to the same targets
 * are forwarded together: a publisher that goes from topic to topic then costs a pattern subscription hardly more than
 * one that stays.
 */
import { decodeText, slice } from '#base/bytes'
import type { Clock } from '#base/clock'
import { socketError } from '#base/errors'
import type { MemoryBudget } from '#base/memory-budget'
import type { Request } from '#socket/client'
import { BatchFlag, BatchHeader } from '../shared/batch.ts'
import { brokerError } from '../shared/errors.ts'
import { checkTopic, maxTopicBytes } from '../shared/topic-name.ts'
import { type Held, Pacer } from './delivery/pacing.ts'
import { Parcel } from './delivery/parcel.ts'
import type { Target } from './delivery/target.ts'
import type { Engine } from './engine/engine.ts'
import type { Inlet } from './inlet.ts'
import type { Matcher } from './matcher.ts'
import type { Refusals } from './refusals.ts'
import { Topic, type TopicPolicy } from './topic.ts'
import type { Topics } from './topics.ts'

const underscore = 0x5f
const dollar = 0x24
/** Names that are routed and forgotten: those that answers to one request come on. */
const ephemeralPrefixes = ['_INBOX.', '$inbox.'].map((text) => Uint8Array.from(text, (each) => each.charCodeAt(0)))
const ephemeral: TopicPolicy = Object.freeze({ keep: undefined, share: 0 })
/** What this version serves: at most once, in one lane, plain. */
const unservedFlags = 0xff & ~BatchFlag.CRITICAL
/** How much of a name that is none a refusal repeats. */
const quotedBytes = 64
/** What of the memory for others publishes may take whose credit is held back. */
const pacedPart = 1 / 2

/** What the intake works with. */
export interface IntakeParts {
  readonly clock: Clock
  readonly engine: Engine
  readonly topics: Topics
  readonly matcher: Matcher<Target>
  readonly refusals: Refusals
  readonly memory: MemoryBudget
  readonly maxMessageBytes: number
}

export class Intake {
  /** Messages taken. */
  published = 0
  /** Batches refused. */
  refused = 0
  readonly pacer: Pacer
  readonly #parts: IntakeParts
  /** The parcel at hand: what has been judged. The arrays stay, for emptying one gives its memory away. */
  readonly #headers: (BatchHeader | undefined)[] = []
  readonly #topics: (Topic | undefined)[] = []
  #judged = 0

  constructor(parts: IntakeParts) {
    this.#parts = parts
    this.pacer = new Pacer(parts.clock, parts.memory.limit * pacedPart)
  }

  /** Takes a parcel. Throws the last refusal, also when other batches of it were taken. */
  take(bytes: Uint8Array, inlet: Inlet, request: Request): undefined {
    const judged = this.#judge(bytes, inlet, request.isOneWay)
    const failure = this.#append(bytes, inlet, request) ?? judged
    if (failure) throw failure
  }

  #judge(bytes: Uint8Array, inlet: Inlet, isOneWay: boolean): unknown {
    let failure: unknown
    this.#judged = 0
    for (let at = 0; at < bytes.length; ) {
      let header: BatchHeader | undefined
      try {
        header = new BatchHeader(bytes, at)
        const topic = this.#admit(header, inlet)
        this.#headers[this.#judged] = header
        this.#topics[this.#judged] = topic
        this.#judged++
      } catch (error) {
        failure = error
        this.#refuse(header, inlet, error, isOneWay)
        // Where the next batch would begin is not known either, so the rest is refused.
        if (header === undefined) return failure
      }
      at = header.end
    }
    return failure
  }

  /** The topic of a batch that may be taken. */
  #admit(header: BatchHeader, inlet: Inlet): Topic {
    const { bytes, topicAt, topicEnd, producerEnd, optionsAt } = header
    const limit = this.#parts.maxMessageBytes
    if (bytes.length > limit) {
      const details = { limit, actual: bytes.length }
      throw socketError('MESSAGE_TOO_LARGE', `The message has ${bytes.length} bytes; the limit is ${limit}.`, {
        details,
      })
    }
    if ((header.flags & unservedFlags) !== 0) {
      throw brokerError('INVALID_BATCH', `The broker does not serve batches with flags ${header.flags}.`)
    }
    // A message says who sent it; that must be who the link is.
    if (!inlet.isSender(bytes, producerEnd, optionsAt)) {
      const given = decodeText(bytes, producerEnd, Math.min(optionsAt, producerEnd + quotedBytes))
      throw brokerError('INVALID_BATCH', `The sender ${JSON.stringify(given)} is not ${JSON.stringify(inlet.sender)}.`)
    }
    const first = bytes[topicAt]
    if (first === underscore || first === dollar) {
      if (isEphemeral(bytes, topicAt, topicEnd)) return ephemeralTopic(decodeText(bytes, topicAt, topicEnd))
      if (first === dollar) throw socketError('FORBIDDEN', "Names that begin with '$' are the broker's own.")
    }
    // Judged before it is decoded.
    if (topicEnd - topicAt > maxTopicBytes) {
      throw brokerError('INVALID_TOPIC', `The topic has ${topicEnd - topicAt} bytes.`)
    }
    return this.#parts.topics.open(bytes, topicAt, topicEnd)
  }

  #refuse(header: BatchHeader | undefined, inlet: Inlet, error: unknown, isOneWay: boolean): void {
    const count = header?.count ?? 1
    this.refused++
    inlet.refused += count
    if (!isOneWay) return
    const { bytes, topicAt, topicEnd } = header ?? { bytes: noBytes, topicAt: 0, topicEnd: 0 }
    const isName = topicEnd - topicAt <= maxTopicBytes
    this.#parts.refusals.add(inlet.linkId, isName ? decodeText(bytes, topicAt, topicEnd) : '', error, count)
  }

  /** Returns the last refusal of the engine. */
  #append(bytes: Uint8Array, inlet: Inlet, request: Request): unknown {
    const { engine, topics, clock } = this.#parts
    const now = clock.monotonic()
    inlet.arrived(now)
    let failure: unknown
    let targets: readonly Target[] = []
    let policy: TopicPolicy = ephemeral
    let [from, end, count] = [0, 0, 0]
    for (let i = 0; i < this.#judged; i++) {
      const header = this.#headers[i] as BatchHeader
      let topic = this.#topics[i] as Topic
      // Nothing may keep the parcel alive from here.
      this.#headers[i] = undefined
      this.#topics[i] = undefined
      // What an engine does not make visible at once comes back by `committed`.
      let isVisible: boolean
      try {
        // It has made room for another of this parcel.
        if (topic.isForgotten) topic = topics.open(bytes, header.topicAt, header.topicEnd)
        isVisible = engine.append(header, topic)
      } catch (error) {
        failure = error
        this.#refuse(header, inlet, error, request.isOneWay)
        continue
      }
      this.published += header.count
      inlet.taken += header.count
      if (topic.epoch !== 0) topics.touch(topic, now)
      const matched = isVisible ? this.#match(topic) : nobody
      if (header.at !== end || topic.policy !== policy || !isSame(targets, matched)) {
        if (targets.length > 0) this.#forward(targets, bytes, from, end, count, policy, inlet, request)
        targets = matched
        policy = topic.policy
        from = header.at
        count = 0
      }
      count += header.count
      end = header.end
    }
    if (targets.length > 0) this.#forward(targets, bytes, from, end, count, policy, inlet, request)
    return failure
  }

  #match(topic: Topic): readonly Target[] {
    const { matcher } = this.#parts
    return topic.epoch === 0 ? matcher.matchUncached(topic.name) : matcher.match(topic.name)
  }

  #forward(
    targets: readonly Target[],
    bytes: Uint8Array,
    from: number,
    end: number,
    count: number,
    { keep, share }: TopicPolicy,
    inlet: Inlet,
    request: Request,
  ): void {
    const parcel = new Parcel(end - from === bytes.length ? bytes : slice(bytes, from, end), count)
    let held: Held | undefined
    for (const target of targets) {
      if (!target.wants(inlet.linkId)) continue
      const pressed = target.offer(parcel, keep !== undefined)
      if (pressed && share > 0) held = this.pacer.hold(pressed, request, inlet.patience(share, this.#parts.clock), held)
    }
  }
}

const noBytes = new Uint8Array(0)
const nobody: readonly Target[] = []

function isEphemeral(bytes: Uint8Array, start: number, end: number): boolean {
  return ephemeralPrefixes.some((prefix) => {
    return end - start > prefix.length && prefix.every((byte, i) => bytes[start + i] === byte)
  })
}

/** It has no life: its sequences mean nothing, and its epoch says so. */
function ephemeralTopic(name: string): Topic {
  return new Topic(checkTopic(name), 0, ephemeral)
}

/** Whether two matches name the same targets in the same order. */
function isSame(a: readonly Target[], b: readonly Target[]): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
