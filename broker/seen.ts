/**
 * How far a subscription has come, so that after an interruption it can say where to go on.
 *
 * Floor 3, pure. The position suffices to go on; the sequence of each topic names what is missing if it cannot. Topics
 * beyond `maxTopics` are forgotten, oldest first: a gap in one of those is then told from its last message alone.
 */
import type { Resume } from './wire.ts'

const maxTopics = 10_000

export class Seen {
  readonly #topics = new Map<string, { seq: number }>()
  #epoch = 0
  #position = 0

  /** The broker has (re)started the subscription: all that comes after `position` is delivered, or told as a gap. */
  begin(epoch: number, position: number): void {
    this.#enter(epoch)
    this.#position = Math.max(this.#position, position)
  }

  /** Batches may come before the broker's answer to `subscribe` has been read; so this enters the epoch too. */
  saw(topic: string, epoch: number, seq: number, position: number): void {
    this.#enter(epoch)
    this.missed(topic, seq)
    if (position > this.#position) this.#position = position
  }

  /** Everything of the topic up to `seq` has been told as missing. */
  missed(topic: string, seq: number): void {
    const known = this.#topics.get(topic)
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

  #enter(epoch: number): void {
    if (epoch === this.#epoch) return
    this.#epoch = epoch
    this.#position = 0
    this.#topics.clear()
  }

  resume(): Resume {
    return {
      epoch: this.#epoch,
      position: this.#position,
      seen: [...this.#topics].map(([topic, { seq }]) => [topic, seq] as const),
    }
  }
}
