/**
 * How far a subscription has come, so that after an interruption it can say where to go on.
 *
 * Floor 8, pure. The position suffices to go on; the sequence of each topic names what is missing if it cannot. Topics
 * beyond `maxTopics` are forgotten, oldest first: a gap in one of those is then told from its last message alone.
 */
import type { TopicGap } from '../shared/gap.ts'
import type { SubscribeReply } from '../shared/replies.ts'
import type { Resume } from '../shared/requests.ts'

const maxTopics = 10_000

interface SeenTopic {
  seq: number
  epoch: number
}

export class Progress {
  readonly #topics = new Map<string, SeenTopic>()
  #epoch = 0
  #position = 0

  /** The broker has (re)started the subscription: what comes after is delivered, or told as a gap. */
  begin({ epoch, position, seen }: SubscribeReply): void {
    if (epoch !== this.#epoch) this.#topics.clear()
    this.#epoch = epoch
    this.#position = position
    for (const [topic, seq, life] of seen) this.#set(topic, this.#topics.get(topic), seq, life)
  }

  /**
   * Messages `first` to `last` have come, the last at `position`. Returns what of the topic should have come before.
   */
  saw(topic: string, first: number, last: number, position: number, epoch: number): TopicGap | undefined {
    const known = this.#topics.get(topic)
    const isHole = known !== undefined && known.epoch === epoch && first > known.seq + 1
    const gap = isHole ? { topic, first: known.seq + 1, last: first - 1, epoch } : undefined
    this.#set(topic, known, last, epoch)
    this.#position = position
    return gap
  }

  /** Everything of the topic up to `seq` has been told as missing. */
  missed({ topic, last, epoch }: TopicGap): void {
    this.#set(topic, this.#topics.get(topic), last, epoch)
  }

  resume(): Resume {
    return {
      epoch: this.#epoch,
      position: this.#position,
      seen: [...this.#topics].map(([topic, { seq, epoch }]) => [topic, seq, epoch] as const),
    }
  }

  #set(topic: string, known: SeenTopic | undefined, seq: number, epoch: number): void {
    if (known) {
      known.seq = seq
      known.epoch = epoch
      return
    }
    if (this.#topics.size >= maxTopics) {
      const [oldest] = this.#topics.keys()
      this.#topics.delete(oldest as string)
    }
    this.#topics.set(topic, { seq, epoch })
  }
}
