/**
 * The Provider's side of one stream: which requests are open, and the answers on their way.
 *
 * Floor 4. Once the Consumer begins nothing new and every request is answered, it ends the stream in good order.
 */

import { type SignalboxError, socketError } from '#base/errors'
import { SmallMap } from '#base/small-map'
import { invalid } from '#base/verify'
import type { LinkSettings } from '../../options.ts'
import { Backlog } from '../../stream/backlog.ts'
import type { Stream } from '../../stream/stream.ts'
import { encodeFailure } from '../../wire/failure.ts'
import { Flag, maxFrameBytes } from '../../wire/frame.ts'
import { Post } from '../calling/calls.ts'
import type { Answerer, Request } from './request.ts'

const failed = Flag.REPLY | Flag.FAIL

export interface AnsweringOwner {
  /** The stream has ended in good order. */
  answered(stream: Stream): void
}

export class Answering implements Answerer {
  readonly stream: Stream
  readonly #settings: LinkSettings
  readonly #owner: AnsweringOwner
  readonly #open = new SmallMap<number, Request>()
  #backlog: Backlog | undefined
  #leaving = 0

  constructor(stream: Stream, settings: LinkSettings, owner: AnsweringOwner) {
    this.stream = stream
    this.#settings = settings
    this.#owner = owner
  }

  take(request: Request): void {
    if (request.isOneWay) return
    this.#open.set(request.id, request)
    this.stream.outstanding++
  }

  cancel(id: number): void {
    const request = this.#open.get(id)
    if (request === undefined) return
    request.isCancelled = true
    this.#close(request)
    this.finishIfDone()
  }

  async answer(request: Request, flags: number, payload: Uint8Array): Promise<void> {
    this.#close(request)
    const { stream } = this
    const refusal = flags & Flag.FAIL ? undefined : this.#refusal(payload)
    const bytes = refusal ? encodeFailure(refusal) : payload
    if (this.#backlog === undefined && bytes.length <= maxFrameBytes && stream.canSend(0, false)) {
      stream.post(refusal ? failed : flags, request.id, bytes)
      this.finishIfDone()
    } else {
      await this.#answerLater(new Post(bytes, refusal ? failed : flags, request.id, false))
    }
    if (refusal) throw refusal
  }

  /** What finds no room any more is not lost without a word either: the Consumer gets the failure in its place. */
  async #answerLater(post: Post): Promise<void> {
    const { stream } = this
    this.#backlog ??= new Backlog(this.#settings.maxBufferedBytes, (size, ordered) =>
      stream.canSend(size, ordered) ? stream : undefined,
    )
    this.#leaving++
    try {
      this.#backlog.send(post)
      await post.promise
    } catch (error) {
      if ((error as SignalboxError).code === 'BUFFER_FULL') {
        const instead = new Post(encodeFailure(error), failed, post.id, false)
        this.#backlog.wait(instead)
        await instead.promise
      }
      throw error
    } finally {
      this.#leaving--
      this.finishIfDone()
    }
  }

  writable(): void {
    this.#backlog?.pump()
  }

  /** Ends the stream if nothing more is to come or go. */
  finishIfDone(): void {
    if (!this.stream.isFinished || this.#open.size + this.#leaving > 0) return
    this.stream.reset()
    this.#owner.answered(this.stream)
  }

  /** The stream is gone: nobody hears an answer any more. */
  drop(error: SignalboxError | undefined): void {
    for (const request of this.#open.values()) request.isCancelled = true
    this.#open.clear()
    this.#backlog?.fail(error ?? socketError('CLOSED'))
  }

  #close(request: Request): void {
    if (this.#open.delete(request.id)) this.stream.outstanding--
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
