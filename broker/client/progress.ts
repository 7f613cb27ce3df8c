/**
 * How far a subscription has come, so that after an interruption it can say where to go on.
 *
 * Floor 3, pure. The position suffices to go on; the sequence of each topic names what is missing if it cannot. Topics
 * beyond `maxTopics` are forgotten, oldest first: a gap in one of those is then told from its last message alone.
 */
import type { Gap, Resume, SubscribeReply } from '../shared/requests.ts'

const maxTopics = 10_000

export class Progress {
  readonly #topics = new Map<string, { seq: number }>()
  #epoch = 0
  #position = 0

  /** The broker has (re)started the subscription: what comes after is delivered, or told as a gap. */
  begin({ epoch, position, seen }: SubscribeReply): void {
    if (epoch !== this.#epoch) this.#topics.clear()
    this.#epoch = epoch
    this.#position = position
    for (const [topic, seq] of seen) this.#set(topic, this.#topics.get(topic), seq)
  }

  /**
   * Messages `first` to `last` have come, the last at `position`. Returns what of the topic should have come before.
   */
  saw(topic: string, first: number, last: number, position: number): Gap | undefined {
    const known = this.#topics.get(topic)
    const gap = known && first > known.seq + 1 ? { topic, first: known.seq + 1, last: first - 1 } : undefined
    this.#set(topic, known, last)
    this.#position = position
    return gap
  }

  /** Everything of the topic up to `seq` has been told as missing. */
  missed(topic: string, seq: number): void {
    this.#set(topic, this.#topics.get(topic), seq)
  }

  #set(topic: string, known: { seq: number } | undefined, seq: number): void {
    if (known) {
      known.seq = seq
      return
    }
    if (this.#topics.size >= maxTopics) {
      const [oldest] = this.#topics.keys()
      this.#topics.delete(oldest as string)
    }
    this.#topics.set(topic, { seq })
  }

  resume(): Resume {
    return {
      epoch: this.#epoch,
      position: this.#position,
      seen: [...this.#topics].map(([topic, { seq }]) => [topic, seq] as const),
    }
  }
}
