/**
 * What a client tells of itself: connected, disconnected, a gap, an error.
 *
 * Floor 7. Each listener has a bounded queue of its own; one that does not read loses the oldest events, and the next
 * it reads says how many.
 */
import { type Deferred, deferred } from '#base/deferred'
import { Fifo } from '#base/fifo'
import type { Gap } from '../shared/gap.ts'

export interface Status {
  /** 'slow': a subscription did not take its messages in time, and the broker dropped some; the gaps follow. */
  readonly type: 'connected' | 'disconnected' | 'reconnecting' | 'recovered' | 'gap' | 'slow' | 'error' | 'closed'
  /** What happened, where something broke. */
  readonly error?: Error
  /** For 'gap', 'recovered' and 'slow': the pattern of the subscription. */
  readonly pattern?: string
  /** For 'gap': what is missing. */
  readonly gap?: Gap
  /** For 'reconnecting': which try in a row this is, and milliseconds until it is made. */
  readonly attempt?: number
  readonly delayMs?: number
  /** Events that were dropped before this one, because nobody read. */
  readonly missed?: number
}

const maxWaiting = 1_000

class Listener implements AsyncIterableIterator<Status> {
  readonly #feed: StatusFeed
  readonly #events = new Fifo<Status>()
  #waiting: Deferred<IteratorResult<Status>> | undefined
  #missed = 0
  #isOver = false

  constructor(feed: StatusFeed) {
    this.#feed = feed
  }

  push(event: Status): void {
    if (this.#waiting) {
      this.#waiting.resolve({ value: event, done: false })
      this.#waiting = undefined
      return
    }
    if (this.#events.length === maxWaiting) {
      this.#events.shift()
      this.#missed++
    }
    this.#events.push(event)
  }

  end(): void {
    this.#isOver = true
    this.#waiting?.resolve({ value: undefined, done: true })
    this.#waiting = undefined
  }

  next(): Promise<IteratorResult<Status>> {
    const event = this.#events.shift()
    if (event) {
      const told = this.#missed > 0 ? { ...event, missed: this.#missed } : event
      this.#missed = 0
      return Promise.resolve({ value: told, done: false })
    }
    if (this.#isOver) return Promise.resolve({ value: undefined, done: true })
    this.#waiting ??= deferred()
    return this.#waiting.promise
  }

  return(): Promise<IteratorResult<Status>> {
    this.#feed.remove(this)
    this.end()
    return Promise.resolve({ value: undefined, done: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

export class StatusFeed {
  readonly #listeners = new Set<Listener>()
  #isOver = false

  /** Every event from now on; ends after 'closed'. */
  listen(): AsyncIterableIterator<Status> {
    const listener = new Listener(this)
    if (this.#isOver) listener.end()
    else this.#listeners.add(listener)
    return listener
  }

  tell(event: Status): void {
    for (const listener of this.#listeners) listener.push(event)
  }

  end(): void {
    this.#isOver = true
    for (const listener of this.#listeners) listener.end()
    this.#listeners.clear()
  }

  remove(listener: Listener): void {
    this.#listeners.delete(listener)
  }
}
