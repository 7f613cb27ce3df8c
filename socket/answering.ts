/**
 * The Provider's side of one stream: which requests are open, and the answers on their way.
 *
 * Floor 7. Once the Consumer begins nothing new and every request is answered, it ends the stream in good order.
 */
import { Backlog } from './backlog.ts'
import { type SignalboxError, socketError } from './errors.ts'
import { encodeFailure } from './failure.ts'
import { Flag, maxFrameBytes } from './frame.ts'
import type { LinkSettings } from './options.ts'
import { Post } from './outgoing.ts'
import type { Answerer, Request } from './request.ts'
import type { Stream } from './stream.ts'
import { invalid } from './verify.ts'

export class Answering implements Answerer {
  readonly stream: Stream
  readonly #settings: LinkSettings
  readonly #ended: (answering: Answering) => void
  readonly #open = new Map<number, Request>()
  #backlog: Backlog | undefined
  #leaving = 0

  /** `ended` is called when the stream has ended in good order. */
  constructor(stream: Stream, settings: LinkSettings, ended: (answering: Answering) => void) {
    this.stream = stream
    this.#settings = settings
    this.#ended = ended
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
    const { maxMessageBytes, maxBufferedBytes } = this.#settings
    const refusal = this.#refusal(payload, maxMessageBytes)
    const post = refusal
      ? new Post(encodeFailure(refusal), Flag.REPLY | Flag.FAIL, request.id, false)
      : new Post(payload, flags, request.id, false)
    if (this.#backlog === undefined && post.bytes.length <= maxFrameBytes && this.stream.canSend(0, false)) {
      this.stream.post(post.flags, post.id, post.bytes)
    } else {
      const { stream } = this
      this.#backlog ??= new Backlog(maxBufferedBytes, (size, ordered) =>
        stream.canSend(size, ordered) ? stream : undefined,
      )
      await this.#answerLater(this.#backlog, post)
    }
    this.finishIfDone()
    if (refusal) throw refusal
  }

  async #answerLater(backlog: Backlog, post: Post): Promise<void> {
    this.#leaving++
    try {
      backlog.send(post)
      await post.promise
    } finally {
      this.#leaving--
    }
  }

  writable(): void {
    this.#backlog?.pump()
  }

  /** Ends the stream if nothing more is to come or go. */
  finishIfDone(): void {
    if (!this.stream.isFinished || this.#open.size + this.#leaving > 0) return
    this.stream.reset()
    this.#ended(this)
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

  #refusal(payload: Uint8Array, limit: number): Error | undefined {
    if (!(payload instanceof Uint8Array)) return invalid('respond', 'payload', 'a Uint8Array', payload)
    if (payload.length <= limit) return undefined
    const details = { limit, actual: payload.length }
    const what = `The answer has ${payload.length} bytes; the limit is ${limit}.`
    return socketError('MESSAGE_TOO_LARGE', what, { details })
  }
}
