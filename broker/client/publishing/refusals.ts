/**
 * Publishes that were refused, joined by topic and code, and told once per turn.
 *
 * Floor 5. A loop that publishes without awaiting may be refused a million times in a turn: it is told so once.
 */
import type { Clock } from '#base/clock'
import { handled } from '#base/deferred'
import { type SignalboxError, socketError } from '#base/errors'

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
  #full: SignalboxError | undefined
  /** The latest error of this turn, as a promise: refused again with the same one, a publish gets the same promise. */
  #latest: { readonly error: Error; readonly promise: Promise<never> } | undefined

  constructor(clock: Clock, tell: (refused: Refused) => void) {
    this.#clock = clock
    this.#tell = tell
  }

  /** BUFFER_FULL: one error a turn, for a loop that does not await may meet it ten million times before anything else runs. */
  full(limit: number, actual: number): SignalboxError {
    this.#full ??= socketError('BUFFER_FULL', `${actual} bytes would wait for credit.`, { details: { limit, actual } })
    return this.#full
  }

  /** Takes it to be told, and gives what the publish returns. */
  add(topic: string, code: string, error: Error, count: number): Promise<never> {
    if (this.#waiting.size === 0) this.#clock.turn(() => this.#flush())
    let name = topic
    if (this.#waiting.size >= maxEntries && !this.#waiting.has(`${code} ${topic}`)) name = ''
    const key = `${code} ${name}`
    this.#waiting.set(key, { topic: name, code, error, count: count + (this.#waiting.get(key)?.count ?? 0) })
    if (this.#latest?.error !== error) this.#latest = { error, promise: handled(Promise.reject(error)) }
    return this.#latest.promise
  }

  #flush(): void {
    const told = this.#waiting
    this.#waiting = new Map()
    this.#latest = undefined
    this.#full = undefined
    for (const refused of told.values()) this.#tell(refused)
  }
}
