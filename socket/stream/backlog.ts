/**
 * Messages that wait for credit, bounded in bytes and counted in the memory budget.
 *
 * Floor 3. Three lanes: what must keep its order, small messages that go as soon as there is room, and large ones,
 * which the small do not wait for. They take turns, so none starves another. A message given up makes room at once, so
 * that waiting without a peer cannot pile up.
 */

import { socketError } from '#base/errors'
import { Fifo } from '#base/fifo'
import type { MemoryBudget } from '#base/memory-budget'
import { maxFrameBytes } from '../wire/frame.ts'
import type { Outgoing, Stream } from './stream.ts'

/** Chooses the stream for a message, or `undefined` while there is none that can take it. */
export type Choose = (size: number, ordered: boolean) => Stream | undefined

/** What a message that waits costs beside its bytes: it is several objects, and one of them an array. */
export const entryBytes = 200

/** Room beyond the bound for what is small and stands for something larger, at least. */
const leastSpareBytes = 64 * 1024

/** Messages that wait in order; among them at most as many that were given up. */
class Lane {
  readonly #messages = new Fifo<Outgoing>()
  length = 0

  push(message: Outgoing): void {
    this.#messages.push(message)
    message.isWaiting = true
    this.length++
  }

  get first(): Outgoing | undefined {
    let message = this.#messages.peek()
    for (; message && !message.isWaiting; message = this.#messages.peek()) this.#messages.shift()
    return message
  }

  /** The message waits no longer. To look for each at once would take time squared when many are given up together. */
  leave(message: Outgoing): void {
    message.isWaiting = false
    this.length--
    if (this.#messages.length > 2 * this.length) this.#messages.keep((other) => other.isWaiting)
  }
}

export class Backlog {
  readonly #maxBytes: number
  readonly #memory: MemoryBudget
  readonly #choose: Choose
  readonly #ordered = new Lane()
  readonly #small = new Lane()
  readonly #large = new Lane()
  #bytes = 0
  #isPumping = false

  constructor(maxBytes: number, memory: MemoryBudget, choose: Choose) {
    this.#maxBytes = maxBytes
    this.#memory = memory
    this.#choose = choose
  }

  get length(): number {
    return this.#ordered.length + this.#small.length + this.#large.length
  }

  /** Sends the message, now if nothing is before it and a stream can take it. Throws BUFFER_FULL and MEMORY_FULL. */
  send(message: Outgoing): void {
    const { length } = message.bytes
    const stream = this.#laneOf(message).length === 0 ? this.#choose(length, message.ordered) : undefined
    if (stream) {
      stream.send(message)
      return
    }
    const actual = this.#bytes + length + entryBytes
    // One message may always wait, else a payload larger than the bound could never be sent.
    if (this.#bytes > 0 && actual > this.#maxBytes) {
      const what = `${this.#bytes} bytes wait for credit; with this message it would be more than ${this.#maxBytes}.`
      throw socketError('BUFFER_FULL', what, { details: { limit: this.#maxBytes, actual } })
    }
    if (this.#bytes > 0 && this.#memory.isFull) throw socketError('MEMORY_FULL')
    this.#wait(message)
  }

  /** Lets a message wait beyond the bound, which is small and stands for one that may not. False beyond twice it. */
  waitBeyond(message: Outgoing): boolean {
    const limit = this.#maxBytes + Math.max(this.#maxBytes, leastSpareBytes)
    if (this.#bytes + message.bytes.length + entryBytes > limit) return false
    this.#wait(message)
    return true
  }

  #wait(message: Outgoing): void {
    const bytes = message.bytes.length + entryBytes
    this.#bytes += bytes
    this.#memory.add(bytes)
    this.#laneOf(message).push(message)
  }

  /** Sends what can go now, from each lane in turn. */
  pump(): void {
    // In one process credit can come back while a message is being sent, and with it this call again.
    if (this.#isPumping) return
    this.#isPumping = true
    for (let moved = true; moved; ) {
      const small = this.#next(this.#small)
      const large = this.#next(this.#large)
      moved = this.#next(this.#ordered) || small || large
    }
    this.#isPumping = false
  }

  /** Takes a message out that has not been sent; harmless when it has. */
  remove(message: Outgoing): void {
    if (message.isWaiting) this.#leave(message)
  }

  /** Fails everything that waits. */
  fail(error: Error): void {
    for (const lane of [this.#ordered, this.#small, this.#large]) {
      for (let message = lane.first; message; message = lane.first) {
        this.#leave(message)
        message.fail(error)
      }
    }
  }

  #next(lane: Lane): boolean {
    const message = lane.first
    if (message === undefined) return false
    const stream = this.#choose(message.bytes.length, message.ordered)
    if (stream === undefined) return false
    this.#leave(message)
    stream.send(message)
    return true
  }

  #leave(message: Outgoing): void {
    const bytes = message.bytes.length + entryBytes
    this.#bytes -= bytes
    this.#memory.give(bytes)
    this.#laneOf(message).leave(message)
  }

  #laneOf(message: Outgoing): Lane {
    if (message.ordered) return this.#ordered
    return message.bytes.length > maxFrameBytes ? this.#large : this.#small
  }
}
