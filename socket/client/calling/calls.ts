/**
 * What a Consumer has under way: a one-way message that waits to leave, or a request that waits for its answer.
 *
 * Floor 3. Each settles its promise exactly once.
 */

import { type Deferred, deferred } from '#base/deferred'
import type { Outgoing, Stream } from '../../stream/stream.ts'
import { Deadline } from '../../time/deadlines.ts'

/** A one-way message. */
export class Post implements Outgoing {
  readonly flags: number
  readonly id: number
  readonly bytes: Uint8Array
  readonly ordered: boolean
  isWaiting = false
  readonly #gone: Deferred<void> = deferred()

  constructor(bytes: Uint8Array, flags = 0, id = 0, ordered = true) {
    this.bytes = bytes
    this.flags = flags
    this.id = id
    this.ordered = ordered
  }

  /** Resolves when it has left. */
  get promise(): Promise<void> {
    return this.#gone.promise
  }

  leaving(): void {}

  left(): void {
    this.#gone.resolve()
  }

  fail(error: Error): void {
    this.#gone.reject(error)
  }
}

/** What ends a request from outside; given by its Consumer. */
export interface CallOwner {
  /** Its time has come. */
  expired(call: Call): void
  /** It is over, with whatever outcome: forget it. */
  over(call: Call): void
}

/** A request. */
export class Call extends Deadline implements Outgoing {
  readonly flags = 0
  readonly id: number
  readonly bytes: Uint8Array
  readonly ordered: boolean
  isWaiting = false
  readonly timeoutMs: number
  /** Where it was sent, once it was. */
  stream: Stream | undefined
  readonly #owner: CallOwner
  readonly #answer: Deferred<Uint8Array> = deferred()
  #isOver = false

  constructor(id: number, bytes: Uint8Array, ordered: boolean, timeoutMs: number, owner: CallOwner) {
    super()
    this.id = id
    this.bytes = bytes
    this.ordered = ordered
    this.timeoutMs = timeoutMs
    this.#owner = owner
  }

  get promise(): Promise<Uint8Array> {
    return this.#answer.promise
  }

  leaving(stream: Stream): void {
    this.stream = stream
    stream.outstanding++
  }

  left(): void {}

  succeed(answer: Uint8Array): void {
    if (this.#finish()) this.#answer.resolve(answer)
  }

  fail(error: Error): void {
    if (this.#finish()) this.#answer.reject(error)
  }

  expire(): void {
    this.#owner.expired(this)
  }

  #finish(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    if (this.stream) this.stream.outstanding--
    this.#owner.over(this)
    return true
  }
}
