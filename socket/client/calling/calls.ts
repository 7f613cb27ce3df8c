/**
 * What a Consumer has under way: a one-way message that waits to leave, or a request that waits for its answer.
 *
 * Floor 3. Each settles its promise exactly once.
 */

import { type Deferred, deferred } from '#base/deferred'
import { socketError } from '#base/errors'
import type { PostOptions } from '../../options.ts'
import type { Outgoing, Stream } from '../../stream/stream.ts'
import { Deadline } from '../../time/deadlines.ts'
import { Flag } from '../../wire/frame.ts'
import { withMetadata } from '../../wire/header-block.ts'

/** The bytes of a message, and how they are to be sent. */
export interface Content {
  readonly bytes: Uint8Array
  readonly flags: number
  readonly isGiven: boolean
}

/** Throws INVALID_OPTION or MESSAGE_TOO_LARGE for what the metadata adds; the payload itself has been judged. */
export function contentOf(payload: Uint8Array, { metadata, transfer }: PostOptions, maxMessageBytes: number): Content {
  if (metadata === undefined) return { bytes: payload, flags: 0, isGiven: transfer === true }
  const bytes = withMetadata(metadata, payload)
  const refusal = payloadTooLarge(bytes.length, maxMessageBytes)
  if (refusal) throw refusal
  return { bytes, flags: Flag.HEADER, isGiven: true }
}

export function payloadTooLarge(actual: number, limit: number): Error | undefined {
  if (actual <= limit) return undefined
  const what = `The payload has ${actual} bytes; the limit is ${limit}.`
  return socketError('MESSAGE_TOO_LARGE', what, { details: { limit, actual } })
}

export function tooManyRequests(limit: number): Error {
  return socketError('TOO_MANY_REQUESTS', `${limit} requests are unanswered.`, { details: { limit } })
}

/** A one-way message. */
export class Post implements Outgoing {
  readonly flags: number
  readonly id = 0
  readonly bytes: Uint8Array
  readonly ordered = true
  readonly isGiven: boolean
  isWaiting = false
  /** Where it is being sent. */
  stream: Stream | undefined
  readonly #gone: Deferred<void> = deferred()

  constructor(content: Content) {
    this.bytes = content.bytes
    this.flags = content.flags
    this.isGiven = content.isGiven
  }

  /** Resolves when it has left. */
  get promise(): Promise<void> {
    return this.#gone.promise
  }

  leaving(stream: Stream): void {
    this.stream = stream
  }

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
  readonly flags: number
  readonly id: number
  readonly bytes: Uint8Array
  readonly ordered: boolean
  readonly isGiven: boolean
  isWaiting = false
  readonly timeoutMs: number
  /** Where it was sent, once it was. */
  stream: Stream | undefined
  readonly #owner: CallOwner
  readonly #answer: Deferred<Uint8Array> = deferred()
  #isOver = false

  constructor(id: number, content: Content, ordered: boolean, timeoutMs: number, owner: CallOwner) {
    super()
    this.id = id
    this.bytes = content.bytes
    this.flags = content.flags
    this.isGiven = content.isGiven
    this.ordered = ordered
    this.timeoutMs = timeoutMs
    this.#owner = owner
  }

  get promise(): Promise<Uint8Array> {
    return this.#answer.promise
  }

  /** What it fails with when its time has come. */
  get tooLate(): Error {
    const where = this.stream ? 'was sent and not answered' : 'found no Provider with credit'
    const details = { timeoutMs: this.timeoutMs }
    return socketError('TIMEOUT', `The request ${where} within ${this.timeoutMs} ms.`, { details })
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
