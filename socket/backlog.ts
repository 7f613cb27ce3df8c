/**
 * Messages that wait for credit, bounded in bytes.
 *
 * Floor 6. Two lines: what must keep its order, and what may go as soon as there is room. They take turns, so neither
 * starves the other. A message given up is removed at once, so that waiting without a peer cannot pile up.
 */
import { costOf } from './credit.ts'
import { socketError } from './errors.ts'
import { Fifo } from './fifo.ts'
import type { Outgoing, Stream } from './stream.ts'

/** Chooses the stream for a message, or `undefined` while there is none that can take it. */
export type Choose = (size: number, ordered: boolean) => Stream | undefined

export class Backlog {
  readonly #maxBytes: number
  readonly #choose: Choose
  readonly #ordered = new Fifo<Outgoing>()
  readonly #loose = new Fifo<Outgoing>()
  #bytes = 0

  constructor(maxBytes: number, choose: Choose) {
    this.#maxBytes = maxBytes
    this.#choose = choose
  }

  get length(): number {
    return this.#ordered.length + this.#loose.length
  }

  /** Sends the message, now if nothing is before it and a stream can take it. Throws BUFFER_FULL. */
  send(message: Outgoing): void {
    const line = message.ordered ? this.#ordered : this.#loose
    const stream = line.length === 0 ? this.#choose(message.bytes.length, message.ordered) : undefined
    if (stream) {
      stream.send(message)
      return
    }
    const cost = costOf(message.bytes.length)
    // One message may always wait, else a payload larger than the bound could never be sent.
    if (this.#bytes > 0 && this.#bytes + cost > this.#maxBytes) {
      const details = { limit: this.#maxBytes, actual: this.#bytes + cost }
      const what = `${this.#bytes} bytes wait for credit; ${cost} more would pass the limit of ${this.#maxBytes}.`
      throw socketError('BUFFER_FULL', what, { details })
    }
    this.#bytes += cost
    line.push(message)
  }

  /** Sends what can go now, from each line in turn. */
  pump(): void {
    for (let moved = true; moved; ) {
      const loose = this.#next(this.#loose)
      moved = this.#next(this.#ordered) || loose
    }
  }

  #next(line: Fifo<Outgoing>): boolean {
    const message = line.peek()
    if (message === undefined) return false
    const stream = this.#choose(message.bytes.length, message.ordered)
    if (stream === undefined) return false
    line.shift()
    this.#bytes -= costOf(message.bytes.length)
    stream.send(message)
    return true
  }

  /** Takes a message out that has not been sent; harmless when it has. */
  remove(message: Outgoing): void {
    const line = message.ordered ? this.#ordered : this.#loose
    const before = line.length
    line.keep((other) => other !== message)
    if (line.length < before) this.#bytes -= costOf(message.bytes.length)
  }

  /** Fails everything that waits. */
  fail(error: Error): void {
    this.#bytes = 0
    for (const message of [...this.#ordered.clear(), ...this.#loose.clear()]) message.fail(error)
  }
}
