/**
 * The Provider's side of one stream: which requests are open, and the answers on their way.
 *
 * Floor 4. Once the Consumer begins nothing new and every request is answered, it ends the stream in good order. When
 * the stream is over nothing that was taken from it waits any more.
 */

import { copyOf } from '#base/bytes'
import { handled } from '#base/deferred'
import { type SignalboxError, socketError } from '#base/errors'
import type { MemoryBudget } from '#base/memory-budget'
import { SmallMap } from '#base/small-map'
import { invalid } from '#base/verify'
import type { LinkSettings } from '../../options.ts'
import { Backlog } from '../../stream/backlog.ts'
import type { Stream } from '../../stream/stream.ts'
import { encodeFailure } from '../../wire/failure.ts'
import { Flag, maxFrameBytes } from '../../wire/frame.ts'
import { Reply, type ReplyOwner } from './reply.ts'
import type { Answerer, Ownership, Request } from './request.ts'

const failed = Flag.REPLY | Flag.FAIL

/** What stands in the place of an answer that found no room. One for all, for there may be many. */
const noRoom = encodeFailure(socketError('BUFFER_FULL', 'The answer found no room at the Provider.'))
const noMemory = encodeFailure(socketError('MEMORY_FULL', 'The answer found no room at the Provider.'))

/** Failures that wait in the place of answers on one stream, where memory is full. There may be very many streams. */
const mostInPlace = 8

export interface AnsweringOwner {
  /** The stream has ended in good order. */
  answered(stream: Stream): void
}

export class Answering implements Answerer, ReplyOwner {
  readonly stream: Stream
  /** @internal */ readonly memory: MemoryBudget
  /** @internal */ queued: Set<Request> | undefined
  readonly #settings: LinkSettings
  readonly #owner: AnsweringOwner
  readonly #open = new SmallMap<number, Request>()
  /** Answers that wait, and those whose fragments do. */
  #leaving: SmallMap<number, Reply> | undefined
  #backlog: Backlog | undefined
  /** Of those that are leaving, failures in the place of an answer. */
  #inPlace = 0
  #isOver = false

  constructor(stream: Stream, settings: LinkSettings, owner: AnsweringOwner) {
    this.stream = stream
    this.memory = settings.memory
    this.#settings = settings
    this.#owner = owner
  }

  /** A request that came. Throws BAD_FRAME when the Consumer has another of this id. */
  take(request: Request): void {
    if (request.isOneWay) return
    this.#judge(request.id)
    this.#open.set(request.id, request)
  }

  /** Fails a request that was not kept. */
  refuse(id: number, error: SignalboxError): void {
    if (id === 0) return
    this.#judge(id)
    this.#fail(id, error)
  }

  #judge(id: number): void {
    if (!this.#open.has(id) && !this.#leaving?.has(id)) return
    throw socketError('BAD_FRAME', 'A request came with the id of another that is not answered yet.')
  }

  /**
   * Nobody waits for the answer any more: what is left of it stays here. Returns the request, if it is still open. Call
   * `finishIfDone` next.
   */
  cancel(id: number): Request | undefined {
    const request = this.#open.get(id)
    this.#open.delete(id)
    request?.cancel()
    const reply = this.#leaving?.get(id)
    if (reply) {
      this.#backlog?.remove(reply)
      this.stream.abandon(reply)
      reply.left()
    }
    return request
  }

  answer(id: number, flags: number, payload: Uint8Array, ownership: Ownership): Promise<void> | undefined {
    if (this.#isOver) return undefined
    this.#open.delete(id)
    const refusal = flags & Flag.FAIL ? undefined : this.#refusal(payload)
    if (refusal === undefined) return this.#send(id, flags, payload, ownership)
    this.#fail(id, refusal)
    return handled(Promise.reject(refusal))
  }

  #fail(id: number, error: unknown): void {
    const left = this.#send(id, failed, encodeFailure(error), 'given')
    if (left) void handled(left)
  }

  #send(id: number, flags: number, bytes: Uint8Array, ownership: Ownership): Promise<void> | undefined {
    if (!this.#backlog?.length && bytes.length <= maxFrameBytes && this.stream.canSend(0, false)) {
      this.stream.post(flags, id, bytes, ownership === 'given')
      this.finishIfDone()
      return undefined
    }
    const own = ownership === 'returned' ? copyOf(bytes, 0, bytes.length) : bytes
    return this.#sendLater(new Reply(id, flags, own, ownership !== 'lent', this))
  }

  #sendLater(reply: Reply): Promise<void> {
    this.#leaving ??= new SmallMap()
    this.#leaving.set(reply.id, reply)
    try {
      // Not even a single one: each of many Consumers may ask for one, and take none.
      if (this.memory.isFull) throw socketError('MEMORY_FULL')
      this.#waiting.send(reply)
      return reply.promise
    } catch (error) {
      this.#sendInstead(reply.id, error as SignalboxError)
      return handled(Promise.reject(error))
    }
  }

  /** What finds no room is not lost without a word: the Consumer gets a failure in its place, as long as there is any. */
  #sendInstead(id: number, { code }: SignalboxError): void {
    const reply = new Reply(id, failed, code === 'MEMORY_FULL' ? noMemory : noRoom, true, this)
    this.#leaving?.set(id, reply)
    this.#inPlace++
    const hasRoom = !this.memory.isFull || this.#inPlace <= mostInPlace
    if (hasRoom && this.#waiting.waitBeyond(reply)) this.#waiting.pump()
    else this.stream.fail(socketError('BUFFER_FULL', 'The Consumer does not take its answers.'))
  }

  /** @internal */
  over(reply: Reply): void {
    if (reply.bytes === noMemory || reply.bytes === noRoom) this.#inPlace--
    this.#leaving?.delete(reply.id)
    this.finishIfDone()
  }

  writable(): void {
    this.#backlog?.pump()
  }

  /** Ends the stream if nothing more is to come or go. */
  finishIfDone(): void {
    if (this.#isOver || !this.stream.isFinished || this.#open.size > 0 || (this.#leaving?.size ?? 0) > 0) return
    this.#isOver = true
    this.stream.reset()
    this.#owner.answered(this.stream)
  }

  /** The stream is gone: nobody hears an answer any more. */
  drop(error: SignalboxError | undefined): void {
    this.#isOver = true
    const open = this.#open.values()
    this.#open.clear()
    for (const request of open) request.cancel()
    this.#backlog?.fail(error ?? socketError('CLOSED'))
  }

  get #waiting(): Backlog {
    const { stream } = this
    const { maxBufferedBytes, memory } = this.#settings
    this.#backlog ??= new Backlog(maxBufferedBytes, memory, (size, ordered) =>
      stream.canSend(size, ordered) ? stream : undefined,
    )
    return this.#backlog
  }

  #refusal(payload: Uint8Array): Error | undefined {
    const limit = this.#settings.maxMessageBytes
    if (!(payload instanceof Uint8Array)) return invalid('respond', 'payload', 'a Uint8Array', payload)
    if (payload.length <= limit) return undefined
    const details = { limit, actual: payload.length }
    const what = `The answer has ${payload.length} bytes; the limit is ${limit}.`
    return socketError('MESSAGE_TOO_LARGE', what, { details })
  }
}
