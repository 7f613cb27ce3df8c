/**
 * What a client tells of itself: connected, disconnected, a gap, an error.
 *
 * Floor 7. Each listener has a bounded queue of its own; one that does not read loses the oldest events, and the next
 * it reads says how many. One that was never read holds nothing.
 */
import { type Deferred, deferred } from '#base/deferred'
import { Fifo } from '#base/fifo'
import type { LinkEvent } from '#socket/client'
import type { Gap } from '../shared/gap.ts'
import type { Refused } from './publishing/refusals.ts'

/** One event. `type` says which other fields there are. */
export type Status = StatusEvent & {
  /** Events that were dropped before this one, because nobody read. */
  readonly missed?: number
}

type StatusEvent =
  /** The link is up. */
  | { readonly type: 'connected' }
  /** The link is lost; it tries again by itself. */
  | { readonly type: 'disconnected'; readonly error?: Error }
  /** The link tries again in `delayMs`; `attempt` counts the tries in a row. */
  | { readonly type: 'reconnecting'; readonly attempt: number; readonly delayMs: number; readonly error?: Error }
  /** A subscription goes on after an interruption, and missed nothing. */
  | { readonly type: 'recovered'; readonly pattern: string }
  /** A subscription did not get these messages; with an error where they were malformed. */
  | { readonly type: 'gap'; readonly pattern: string; readonly gap: Gap; readonly error?: Error }
  /** A subscription did not take its messages in time, and the broker dropped some; the gaps follow. */
  | { readonly type: 'slow'; readonly pattern: string }
  /** Sequences began again: a new life of the broker, or of a topic. What the old one had and was missed, nobody knows. */
  | { readonly type: 'epoch'; readonly pattern: string; readonly epoch: number }
  /** Publishes that were refused, here or by the broker: `count` to `topic` ('' for several) with `code`. */
  | ({ readonly type: 'refused' } & Refused)
  /** Something broke, such as a handler of `run`, and the client goes on. */
  | { readonly type: 'error'; readonly error: Error; readonly pattern?: string }
  /** The client is closed; with the error if one was the cause. The last event. */
  | { readonly type: 'closed'; readonly error?: Error }

const maxWaiting = 1_000

class Listener implements AsyncIterableIterator<Status> {
  readonly #feed: StatusFeed
  readonly #events = new Fifo<Status>()
  readonly #waiting = new Fifo<Deferred<IteratorResult<Status>>>()
  #missed = 0
  #isOver = false

  constructor(feed: StatusFeed) {
    this.#feed = feed
  }

  push(event: Status): void {
    const waiting = this.#waiting.shift()
    if (waiting) {
      waiting.resolve({ value: event, done: false })
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
    for (const waiting of this.#waiting.clear()) waiting.resolve({ value: undefined, done: true })
  }

  next(): Promise<IteratorResult<Status>> {
    if (!this.#isOver) this.#feed.add(this)
    const event = this.#events.shift()
    if (event) {
      const told = this.#missed > 0 ? { ...event, missed: this.#missed } : event
      this.#missed = 0
      return Promise.resolve({ value: told, done: false })
    }
    if (this.#isOver) return Promise.resolve({ value: undefined, done: true })
    const waiting = deferred<IteratorResult<Status>>()
    this.#waiting.push(waiting)
    return waiting.promise
  }

  return(): Promise<IteratorResult<Status>> {
    this.#feed.remove(this)
    this.#events.clear()
    this.end()
    return Promise.resolve({ value: undefined, done: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

export class StatusFeed {
  /** Why the link is down, while it is. */
  linkError: Error | undefined
  readonly #listeners = new Set<Listener>()
  #isOver = false

  /** Every event from the first `next()` on; ends after 'closed'. */
  listen(): AsyncIterableIterator<Status> {
    return new Listener(this)
  }

  /** Whether anybody listens. */
  get isHeard(): boolean {
    return this.#listeners.size > 0
  }

  tell(event: Status): void {
    for (const listener of this.#listeners) listener.push(event)
  }

  /** What happens to the link, but that it is closed: the client tells that, when everything of it has settled. */
  tellOfLink({ type, error, attempt = 1, delayMs = 0 }: LinkEvent): void {
    if (type === 'closed') return
    this.linkError = type === 'connected' ? undefined : (error ?? this.linkError)
    if (type === 'connected') this.tell({ type })
    else if (type === 'disconnected') this.tell({ type, ...(error && { error }) })
    else this.tell({ type, attempt, delayMs, ...(error && { error }) })
  }

  end(): void {
    this.#isOver = true
    for (const listener of this.#listeners) listener.end()
    this.#listeners.clear()
  }

  /** Gives a listener every event from now on. */
  add(listener: Listener): void {
    if (this.#isOver) listener.end()
    else this.#listeners.add(listener)
  }

  remove(listener: Listener): void {
    this.#listeners.delete(listener)
  }
}
