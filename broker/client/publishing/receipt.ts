/**
 * What became of a publish.
 *
 * Floor 5.
 */

/** How safe a message is once its publish has resolved. */
export type Durability = 'none' | 'memory' | 'flushed' | 'replicated'

export class Receipt {
  readonly topic: string
  /** Its number in the topic. Absent at most once: nobody waits for the broker to give it one. */
  declare readonly seq?: number
  /** Which life of the topic `seq` belongs to. */
  declare readonly epoch?: number
  /** Whether the broker had it already. Always false at most once. */
  readonly duplicate: boolean = false
  /** How safe it is: at most once, nothing is promised. */
  readonly durability: Durability = 'none'
  readonly #id: string | undefined
  readonly #producerId: string
  readonly #producerSeq: number

  /** @internal */
  constructor(topic: string, id: string | undefined, producerId: string, producerSeq: number) {
    this.topic = topic
    this.#id = id
    this.#producerId = producerId
    this.#producerSeq = producerSeq
  }

  /** The id that the message has for its subscribers. */
  get id(): string {
    return this.#id ?? `${this.#producerId}:${this.#producerSeq}`
  }
}
