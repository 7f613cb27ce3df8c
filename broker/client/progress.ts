/**
 * How far a subscription has come, so that after an interruption it can say where to go on.
 *
 * Floor 8, pure. The position suffices to go on; the sequence of each topic names what is missing if it cannot. Topics
 * are kept in two generations: when the young one is full it becomes the old one, and the old one is forgotten, so a
 * topic that comes often stays and forgetting costs nothing. A gap in a forgotten topic is told from its last message
 * alone.
 */
import { SmallMap } from '#base/small-map'
import type { TopicGap } from '../shared/gap.ts'
import type { SubscribeReply } from '../shared/replies.ts'
import type { Resume, SeenTopic } from '../shared/requests.ts'
import { utf8Length } from '../shared/topic-name.ts'

const maxTopicsPerGeneration = 5_000
/** Bytes that msgpack puts around a topic, its sequence and its epoch at most. */
const entryBytes = 20

interface Seen {
  readonly topic: string
  seq: number
  epoch: number
  /** Of the last message; the most recent topics are the ones that a short resume names. */
  position: number
}

export class Progress {
  #young = new SmallMap<string, Seen>()
  #old = new SmallMap<string, Seen>()
  #epoch = 0
  #position = 0

  /**
   * The broker has (re)started the subscription: what comes after is delivered, or told as a gap. Returns the epoch if
   * sequences that were known began again.
   */
  begin({ epoch, position, seen }: Pick<SubscribeReply, 'epoch' | 'position' | 'seen'>): number | undefined {
    let renewed: number | undefined
    if (this.#epoch !== 0 && epoch !== this.#epoch) {
      renewed = epoch
      this.#young.clear()
      this.#old.clear()
    }
    this.#epoch = epoch
    this.#position = position
    for (const [topic, seq, life] of seen) {
      const known = this.#find(topic)
      if (known && known.epoch !== life) renewed ??= life
      this.#set(topic, known, seq, life)
    }
    return renewed
  }

  /**
   * Messages `first` to `last` have come, the last at `position`. Returns what of the topic should have come before, or
   * 'epoch' when its sequence began again.
   */
  saw(topic: string, first: number, last: number, position: number, epoch: number): TopicGap | 'epoch' | undefined {
    this.#position = position
    // Nothing is counted there.
    if (epoch === 0) return undefined
    const known = this.#find(topic)
    if (known === undefined) {
      this.#set(topic, known, last, epoch)
      return undefined
    }
    const { seq, epoch: before } = known
    known.seq = last
    known.epoch = epoch
    known.position = position
    if (before !== epoch) return 'epoch'
    return first > seq + 1 ? { topic, first: seq + 1, last: first - 1, epoch } : undefined
  }

  /** Everything of the topic up to `last` has been told as missing. */
  missed({ topic, last, epoch }: TopicGap): void {
    if (epoch !== 0) this.#set(topic, this.#find(topic), last, epoch)
  }

  /** Where to go on, in about `maxBytes` at most: the topics that came last are named first. */
  resume(maxBytes: number): Resume {
    const topics = [...this.#old.values(), ...this.#young.values()].sort((a, b) => b.position - a.position)
    const seen: SeenTopic[] = []
    let bytes = 0
    for (const { topic, seq, epoch } of topics) {
      bytes += entryBytes + utf8Length(topic)
      if (bytes > maxBytes) break
      seen.push([topic, seq, epoch])
    }
    return { epoch: this.#epoch, position: this.#position, seen }
  }

  #find(topic: string): Seen | undefined {
    const young = this.#young.get(topic)
    if (young !== undefined) return young
    const old = this.#old.get(topic)
    if (old === undefined) return undefined
    this.#old.delete(topic)
    this.#keep(old)
    return old
  }

  #set(topic: string, known: Seen | undefined, seq: number, epoch: number): void {
    if (known === undefined) {
      this.#keep({ topic, seq, epoch, position: this.#position })
      return
    }
    known.seq = seq
    known.epoch = epoch
  }

  #keep(seen: Seen): void {
    if (this.#young.size >= maxTopicsPerGeneration) {
      this.#old = this.#young
      this.#young = new SmallMap()
    }
    this.#young.set(seen.topic, seen)
  }
}
