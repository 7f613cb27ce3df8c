/**
 * What was sent on one stream to a broker, and what is known of it.
 *
 * Floor 5.
 */
import { deferred, handled } from '#base/deferred'
import { SignalboxError } from '#base/errors'

export class Sent {
  /** Messages. */
  sent = 0
  /** Those that a flush has answered for. */
  certain = 0
  /** Refused by the answers to flushes. */
  refused = 0
  /** Told as refused. */
  told = 0
  isOver = false
  /** Settles when the stream is over; rejects when the client is. */
  readonly over = deferred<void>()

  /** Told as refused, and not by the answer to a flush. */
  get uncounted(): number {
    return Math.max(0, this.told - this.refused)
  }

  /** So many are told as refused. Returns how many of them nobody will count, for the stream is over. */
  tell(count: number): number {
    const before = this.uncounted
    this.told += count
    return this.isOver ? this.uncounted - before : 0
  }

  constructor() {
    void handled(this.over.promise)
  }
}

/** Whether the broker left, or is leaving, and another answers for what comes. */
export function isInterruption(error: unknown): boolean {
  const codes = ['LINK_LOST', 'PROVIDER_CLOSED', 'NO_PROVIDER', 'BROKER_CLOSED']
  return error instanceof SignalboxError && codes.includes(error.code)
}
