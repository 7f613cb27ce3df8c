/**
 * A topic at the broker: its numbers, what is kept of it, and what a subscription may have missed.
 *
 * Floor 7, pure. The engine counts; the table of topics (topics.ts) keeps them in the order of use.
 */
import type { TopicGap } from '../shared/gap.ts'
import type { Retention, TopicRef } from './engine/engine.ts'

/** What topics have in common that the same patterns match. One object for all of them. */
export interface TopicPolicy {
  readonly keep: Retention | undefined
  /** For which part of a publisher's time subscriptions may hold it up. */
  readonly share: number
}

export class Topic implements TopicRef {
  readonly name: string
  readonly epoch: number
  readonly policy: TopicPolicy
  seq = 0
  firstPosition = 0
  lastPosition = 0
  floorSeq = 0
  floorPosition = 0
  /** When it was last used, in ms of the clock that only rises. */
  usedAt = 0
  isForgotten = false
  /** Its neighbours in the order of use. */
  newer: Topic | undefined
  older: Topic | undefined

  constructor(name: string, epoch: number, policy: TopicPolicy) {
    this.name = name
    this.epoch = epoch
    this.policy = policy
  }

  get keep(): Retention | undefined {
    return this.policy.keep
  }

  /** The sequence before the first message that is kept; the latest when none is. */
  get before(): number {
    return this.keep === undefined ? this.seq : this.floorSeq
  }

  /** What is missing for one that wants everything from that sequence on. */
  missingFrom(seq: number): TopicGap | undefined {
    return this.#gap(Math.max(1, seq), this.before)
  }

  /**
   * What is missing for one that had all until that position. `seen`: the last sequence that it knows, if any; without
   * it, and unless the topic is younger, only the last message before what comes is known for lost.
   */
  missingAfter(position: number, seen: number | undefined): TopicGap | undefined {
    const isWhole = this.keep !== undefined && this.floorPosition <= position
    if (this.lastPosition <= position || isWhole) return undefined
    const known = seen ?? (this.firstPosition > position ? 0 : undefined)
    return this.#gap(known === undefined ? this.before : known + 1, this.before)
  }

  /** The sequence that the first message after that position follows on, as far as that is known. */
  beforeAfter(position: number, seen: number | undefined): number | undefined {
    if (this.lastPosition <= position || this.keep === undefined) return this.seq
    if (seen !== undefined) return Math.max(seen, this.floorSeq)
    return this.firstPosition > position || this.floorPosition > position ? this.floorSeq : undefined
  }

  #gap(first: number, last: number): TopicGap | undefined {
    return first > last ? undefined : { topic: this.name, first, last, epoch: this.epoch }
  }
}
