/**
 * A message as its Provider sees it: a request to answer, or a one-way message.
 *
 * Floor 3. Its credit goes back to the Consumer when the application is done with it: when it is handed out by the
 * iterator, when the handler of `serve` has settled, or when `release()` is called after `hold()`.
 */
import { slice } from '#base/bytes'
import type { Stream } from '../../stream/stream.ts'
import { encodeFailure } from '../../wire/failure.ts'
import { Flag } from '../../wire/frame.ts'
import type { PeerInfo } from '../../wire/peer.ts'

/** Where answers go. */
export interface Answerer {
  readonly stream: Stream
  answer(request: Request, flags: number, payload: Uint8Array): Promise<void>
}

export class Request {
  /** The Consumer gave up waiting; an answer would not be heard. */
  isCancelled = false
  /** @internal 0 for a one-way message. */ readonly id: number
  readonly #answerer: Answerer
  readonly #bytes: Uint8Array
  readonly #start: number
  readonly #end: number
  #cost: number
  #isHeld = false
  #isAnswered = false

  /** @internal Made by a Provider. */
  constructor(answerer: Answerer, id: number, bytes: Uint8Array, start: number, end: number, cost: number) {
    this.#answerer = answerer
    this.id = id
    this.#bytes = bytes
    this.#start = start
    this.#end = end
    this.#cost = cost
  }

  /** A view of the bytes received. Copy what is kept for long: a small view may keep a large buffer alive. */
  get payload(): Uint8Array {
    return slice(this.#bytes, this.#start, this.#end)
  }

  /** Who sent it. */
  get peer(): PeerInfo {
    return this.#answerer.stream.peer
  }

  /** Bytes of the payload. */
  get size(): number {
    return this.#end - this.#start
  }

  /** @internal Whether it came on that stream. */
  isOf(stream: Stream): boolean {
    return this.#answerer.stream === stream
  }

  /** Whether nobody waits for an answer. */
  get isOneWay(): boolean {
    return this.id === 0
  }

  /** Answers. Resolves when the answer has left. Does nothing if it is one-way, answered already, or given up. */
  respond(payload: Uint8Array): Promise<void> {
    return this.#answer(Flag.REPLY, payload)
  }

  /** Answers with a failure: the Consumer's promise rejects with the error's `code` and `message`. */
  fail(error: unknown): Promise<void> {
    return this.#answer(Flag.REPLY | Flag.FAIL, encodeFailure(error))
  }

  /** Keeps the credit of this message until `release()`: for bytes that are passed on and consumed later. */
  hold(): void {
    this.#isHeld = true
  }

  /** Gives the credit of a held message back. */
  release(): void {
    this.#isHeld = false
    this.consumed()
  }

  /** @internal The application is done with it, unless it holds it. */
  consumed(): void {
    if (this.#isHeld || this.#cost === 0) return
    const cost = this.#cost
    this.#cost = 0
    this.#answerer.stream.consumed(cost)
  }

  async #answer(flags: number, payload: Uint8Array): Promise<void> {
    if (this.#isAnswered || this.isOneWay || this.isCancelled) return
    this.#isAnswered = true
    await this.#answerer.answer(this, flags, payload)
  }
}
