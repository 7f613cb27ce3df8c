/**
 * Publishes that were refused, joined by topic and code, and told once per turn.
 *
 * Floor 5. A loop that publishes without awaiting may be refused a million times in a turn: it is told so once.
 */
import type { Clock } from '#base/clock'

/** Publishes to one topic that were refused with one code. */
export interface Refused {
  /** '' where several topics are joined. */
  readonly topic: string
  readonly code: string
  readonly count: number
  /** Why, by the example of the latest. */
  readonly error: Error
}

/** Entries at once; what is refused besides is told under topic ''. */
const maxEntries = 16

export class Refusals {
  readonly #clock: Clock
  readonly #tell: (refused: Refused) => void
  #waiting = new Map<string, Refused>()

  constructor(clock: Clock, tell: (refused: Refused) => void) {
    this.#clock = clock
    this.#tell = tell
  }

  add(topic: string, code: string, error: Error, count: number): void {
    if (this.#waiting.size === 0) this.#clock.turn(() => this.#flush())
    let name = topic
    if (this.#waiting.size >= maxEntries && !this.#waiting.has(`${code} ${topic}`)) name = ''
    const key = `${code} ${name}`
    this.#waiting.set(key, { topic: name, code, error, count: count + (this.#waiting.get(key)?.count ?? 0) })
  }

  #flush(): void {
    const told = this.#waiting
    this.#waiting = new Map()
    for (const refused of told.values()) this.#tell(refused)
  }
}
