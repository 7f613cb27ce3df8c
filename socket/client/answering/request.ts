/**
 * A message as its Provider sees it: a request to answer, or a one-way message.
 *
 * Floor 3. Its credit goes back to the Consumer once, when the application is done with it: when the handler of `serve`
 * has settled, when the next one is asked for or the loop ends, or when `release()` is called after `hold()`.
 */
import { copyOf, none, slice } from '#base/bytes'
import { handled } from '#base/deferred'
import { socketError } from '#base/errors'
import { verify } from '#base/verify'
import { respondRules, type TransferOptions } from '../../options.ts'
import type { Stream } from '../../stream/stream.ts'
import { encodeFailure } from '../../wire/failure.ts'
import { Flag } from '../../wire/frame.ts'
import { type Metadata, noMetadata, readHeaderBlock } from '../../wire/header-block.ts'
import type { PeerInfo } from '../../wire/peer.ts'

/**
 * Whose the bytes of an answer are: `given` away, so nobody writes to them any more; `lent` until the promise settles; or
 * `returned` by a handler, which is not told when they are out, so that they are copied if they have to wait.
 */
export type Ownership = 'given' | 'lent' | 'returned'

/** Where answers go. */
export interface Answerer {
  readonly stream: Stream
  /** Messages of the stream that wait in the inbox. Kept by them, from the first on. */
  queued: Set<Request> | undefined
  /** Returns when it has left; nothing when it has at once. What has to wait is as `ownership` says. */
  answer(id: number, flags: number, payload: Uint8Array, ownership: Ownership): Promise<void> | undefined
}

const already: Promise<void> = Promise.resolve()
const noOptions: TransferOptions = {}

/** What lies in no more than this is not worth a copy. */
const smallBytes = 8 * 1024

/** One number instead of several fields: there is a request for every frame. */
const State = { HELD: 1, ANSWERED: 2, CANCELLED: 4, QUEUED: 8 } as const

export class Request {
  /** @internal 0 for a one-way message. */ readonly id: number
  readonly #answerer: Answerer
  #bytes: Uint8Array
  /** Where the message begins, and where its payload does: a header block may lie between. */
  #from: number
  #start: number
  #end: number
  #cost: number
  #state = 0
  #abort: AbortController | undefined
  /** Made when somebody looks: many small texts take ten times the memory of the block that they came in. */
  #metadata: Metadata | undefined

  /** @internal Made by a Provider, which has judged the header block if there is one. */
  constructor(
    answerer: Answerer,
    id: number,
    bytes: Uint8Array,
    from: number,
    end: number,
    cost: number,
    start: number,
  ) {
    this.#answerer = answerer
    this.id = id
    this.#bytes = bytes
    this.#from = from
    this.#start = start
    this.#end = end
    this.#cost = cost
  }

  /** A view of the bytes received. Copy what is kept for long: a small view may keep a large buffer alive. */
  get payload(): Uint8Array {
    return slice(this.#bytes, this.#start, this.#end)
  }

  /** Texts that the Consumer sent along; empty when there are none. */
  get metadata(): Metadata {
    if (this.#start === this.#from) return noMetadata
    this.#metadata ??= readHeaderBlock(this.#bytes, this.#from, this.#end).metadata
    return this.#metadata
  }

  /** Who sent it. */
  get peer(): PeerInfo {
    return this.#answerer.stream.peer
  }

  /** Bytes of the payload. */
  get size(): number {
    return this.#end - this.#start
  }

  /** @internal Bytes that it keeps: of the payload and of the metadata, as received. */
  get weight(): number {
    return this.#end - this.#from
  }

  /**
   * @internal It has to wait. Its memory is counted by its own length, so it must not keep all of the large buffer alive
   * that it was received in, nor a piece of Node's pool, which is large from Node 24 on. It may keep so many times its
   * length.
   */
  compact(times = 2): void {
    const length = this.#end - this.#from
    const { byteLength } = this.#bytes.buffer
    if (byteLength <= smallBytes || byteLength <= length * times) return
    this.#bytes = copyOf(this.#bytes, this.#from, this.#end)
    this.#start -= this.#from
    this.#end = length
    this.#from = 0
  }

  /** Whether nobody waits for an answer. */
  get isOneWay(): boolean {
    return this.id === 0
  }

  /** The Consumer gave up waiting, or is gone; an answer would not be heard. */
  get isCancelled(): boolean {
    return (this.#state & State.CANCELLED) !== 0
  }

  /** @internal Whether the stream that it came on is over: its credit holds nobody up any more. */
  get isOrphan(): boolean {
    return this.#answerer.stream.isOver
  }

  /** Aborted when nobody waits for the answer any more: the Consumer gave up or closed, or its link was lost. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      if (this.isCancelled) this.#abort.abort(givenUp())
    }
    return this.#abort.signal
  }

  /** @internal Nobody waits for the answer any more. */
  cancel(): void {
    this.#state |= State.CANCELLED
    this.#abort?.abort(givenUp())
  }

  /** @internal Whether it waits in the Provider's inbox, which keeps this. */
  get isQueued(): boolean {
    return (this.#state & State.QUEUED) !== 0
  }

  set isQueued(value: boolean) {
    if (value === this.isQueued) return
    this.#state ^= State.QUEUED
    this.#answerer.queued ??= new Set()
    if (value) this.#answerer.queued.add(this)
    else this.#answerer.queued.delete(this)
  }

  /**
   * Answers. Resolves when the answer has left, or nobody waits for it any more: its bytes are the caller's again then.
   * Does nothing if it is one-way, answered already, or given up. Rejects with MESSAGE_TOO_LARGE, BUFFER_FULL or
   * MEMORY_FULL, which the Consumer gets as well. A rejection that nobody looks at does not end the process.
   */
  respond(payload: Uint8Array, options: TransferOptions = noOptions): Promise<void> {
    if (options !== noOptions) {
      try {
        verify('respond', options, respondRules)
      } catch (error) {
        return handled(Promise.reject(error))
      }
    }
    if (!this.#mayAnswer()) return already
    return this.#answerer.answer(this.id, Flag.REPLY, payload, options.transfer === true ? 'given' : 'lent') ?? already
  }

  /** @internal Answers with what a handler has returned. */
  reply(payload: Uint8Array): Promise<void> | undefined {
    if (!this.#mayAnswer()) return undefined
    return this.#answerer.answer(this.id, Flag.REPLY, payload, 'returned')
  }

  /** Answers with a failure: the Consumer's promise rejects with the error's `code` and `message`. */
  fail(error: unknown): Promise<void> {
    if (!this.#mayAnswer()) return already
    return this.#answerer.answer(this.id, Flag.REPLY | Flag.FAIL, encodeFailure(error), 'given') ?? already
  }

  /** Keeps the credit of this message until `release()`: for bytes that are passed on and consumed later. */
  hold(): void {
    this.#state |= State.HELD
  }

  /** Gives the credit of a held message back. */
  release(): void {
    this.#state &= ~State.HELD
    this.consumed()
  }

  /** @internal The application is done with it, unless it holds it. */
  consumed(): void {
    if (this.#state & State.HELD || this.#cost === 0) return
    const cost = this.#cost
    this.#cost = 0
    this.#answerer.stream.consumed(cost, this.#end - this.#from)
  }

  /** @internal Nobody looks at its bytes any more: the few that it has may lie in a large buffer. */
  letGo(): void {
    this.#bytes = none
  }

  /** @internal Nobody will get it. */
  discard(): void {
    this.consumed()
    this.letGo()
  }

  #mayAnswer(): boolean {
    if (this.#state & (State.ANSWERED | State.CANCELLED) || this.isOneWay) return false
    this.#state |= State.ANSWERED
    return true
  }
}

function givenUp(): Error {
  return socketError('ABORTED', 'Nobody waits for the answer any more.')
}
