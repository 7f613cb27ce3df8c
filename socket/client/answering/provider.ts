/**
 * The answering side of a channel: requests by `for await`, by `receive()`, or pushed to a handler.
 *
 * Floor 8. What arrives waits in one queue, bounded by the windows of the streams it came on: a Provider that does not
 * read returns no credit, and its Consumers stop.
 */

import { none } from '#base/bytes'
import { type Deferred, deferred, handled } from '#base/deferred'
import { type SignalboxError, socketError } from '#base/errors'
import { Fifo } from '#base/fifo'
import { defined, invalid, verify } from '#base/verify'
import {
  type LinkOptions,
  type OpenOptions,
  type ProviderOptions,
  providerRules,
  type ServeOptions,
  serveConcurrency,
  serveRules,
} from '../../options.ts'
import type { Stream } from '../../stream/stream.ts'
import { isChannelId, type Open } from '../../wire/control-frames.ts'
import { decodeFailure } from '../../wire/failure.ts'
import { Flag } from '../../wire/frame.ts'
import { openedAlone } from '../connect.ts'
import type { Session } from '../session.ts'
import { Answering } from './answering.ts'
import { Inbox } from './inbox.ts'
import { Request } from './request.ts'

/** `signal` is the link's here. */
export type ProviderConnectOptions = LinkOptions & ProviderOptions & Pick<OpenOptions, 'timeoutMs'>

/** What a handler may give: the answer, or nothing for a one-way message. */
export type Answer = Uint8Array | undefined

/** Answers a request, now or later; a throw becomes a failed request at the Consumer. */
export type Handler = (request: Request) => Answer | Promise<Answer>

export class Provider implements AsyncDisposable, AsyncIterable<Request> {
  /** @internal */ readonly open: Open
  /** @internal */ readonly yields: boolean
  readonly channelId: string
  /** Messages refused because they were larger than `maxMessageBytes`. */
  refusedMessages = 0
  /** One-way messages whose handler threw. */
  failedMessages = 0
  readonly #session: Session
  readonly #ownsSession: boolean
  readonly #observe: ProviderOptions['observe']
  readonly #ready = deferred<void>()
  readonly #inbox: Inbox
  readonly #receivers = new Fifo<Deferred<Request | undefined>>()
  readonly #streams = new Map<Stream, Answering>()
  #handler: Handler | undefined
  #concurrency = 0
  #running = 0
  #drained: Deferred<void> | undefined
  #isClosed = false
  #failure: Error | undefined

  /** @internal Use `Provider.connect` or `link.provider`. */
  constructor(session: Session, channelId: string, options: ProviderOptions, ownsSession = false) {
    verify('provider', options, providerRules)
    if (!isChannelId(channelId)) throw invalid('provider', 'channelId', 'a UUID', channelId)
    this.channelId = channelId
    this.open = { role: 'provider', channelId, shared: options.mode === 'shared' }
    this.yields = options.whenTaken === 'close'
    this.#session = session
    this.#ownsSession = ownsSession
    this.#observe = options.observe
    this.#inbox = new Inbox(session.settings.maxBufferedBytes)
    session.add(this)
    void handled(this.#ready.promise)
  }

  /**
   * A Provider with a connection of its own, which closes with it. Rejects as `Link.connect` and `link.provider` do.
   */
  static async connect(url: string, channelId: string, options: ProviderConnectOptions = {}): Promise<Provider> {
    const { mode, whenTaken, ...linkOptions } = options
    const own = defined({ mode, whenTaken }) as ProviderOptions
    return openedAlone(url, linkOptions, (session) => new Provider(session, channelId, own, true))
  }

  /** Messages that arrived and were not handed out. */
  get pending(): number {
    return this.#inbox.length
  }

  /** One-way messages of Consumers that are gone, dropped because more than `maxBufferedBytes` of them waited. */
  get droppedMessages(): number {
    return this.#inbox.dropped
  }

  /** Consumers joined with this Provider. */
  get consumers(): number {
    return this.#streams.size
  }

  /** @internal Resolves when the server has taken the channel end. */
  get whenOpened(): Promise<void> {
    return this.#ready.promise
  }

  /** The next message; `undefined` once closed. Rejects with ABORTED, or with what broke the Provider. */
  async receive(options: { readonly signal?: AbortSignal } = {}): Promise<Request | undefined> {
    const { signal } = options
    if (signal?.aborted) throw socketError('ABORTED', undefined, { cause: signal.reason })
    const request = this.#next()
    if (request) return request
    if (this.#failure) throw this.#failure
    if (this.#isClosed) return undefined
    const receiver = deferred<Request | undefined>()
    this.#receivers.push(receiver)
    const onAbort = (): void => {
      this.#receivers.keep((other) => other !== receiver)
      receiver.reject(socketError('ABORTED', undefined, { cause: signal?.reason }))
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      return await receiver.promise
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** Every message, until the Provider is closed. `break` leaves it open. */
  [Symbol.asyncIterator](): AsyncIterator<Request> {
    return {
      next: async () => {
        const value = await this.receive()
        return value ? { value, done: false } : { value: undefined, done: true }
      },
    }
  }

  /**
   * Hands every message to `handler`, `concurrency` at once. Instead of iterating; a second call replaces the first.
   */
  serve(handler: Handler, options: ServeOptions = {}): void {
    verify('serve', options, serveRules)
    if (typeof handler !== 'function') throw invalid('serve', 'handler', 'a function', handler)
    this.#handler = handler
    this.#concurrency = options.concurrency ?? serveConcurrency
    this.#serveMore()
  }

  /** Ends it at once: iterators end, what was not answered fails with PROVIDER_CLOSED at its Consumer. */
  async close(): Promise<void> {
    if (!this.#isClosed) {
      for (const stream of [...this.#streams.keys()]) stream.reset(socketError('PROVIDER_CLOSED'))
      this.#session.remove(this)
      this.ended(undefined)
    }
    if (this.#ownsSession) await this.#session.close()
  }

  /** Takes no new requests, answers those it has (for `timeoutMs` at most, default 5 000), then closes. */
  async drain(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    if (!this.#isClosed && this.#streams.size > 0) {
      this.#session.remove(this)
      this.#drained ??= deferred()
      for (const stream of this.#streams.keys()) stream.end()
      const stop = this.#session.settings.clock.after(options.timeoutMs ?? 5_000, this.#drained.resolve, true)
      await this.#drained.promise
      stop()
    }
    await this.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** @internal */
  opened(): void {
    this.#ready.resolve()
  }

  /** @internal */
  refused(error: SignalboxError): void {
    this.ended(error)
    if (this.#ownsSession) void handled(this.#session.close())
  }

  /** @internal */
  attached(stream: Stream): void {
    const { settings } = this.#session
    this.#streams.set(stream, new Answering(stream, settings, this))
    this.#observe?.(this.#streams.size)
  }

  /** @internal */
  message(
    stream: Stream,
    flags: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    cost: number,
  ): void {
    const answering = this.#streams.get(stream)
    if (answering === undefined) return
    const request = new Request(answering, id, bytes, start, end, cost)
    answering.take(request)
    if (flags & Flag.FAIL) {
      this.refusedMessages++
      void handled(request.fail(decodeFailure(bytes, start, end, false)))
      request.consumed()
    } else if (this.#handler && this.#running < this.#concurrency && this.#inbox.length === 0) {
      this.#run(this.#handler, request)
    } else {
      this.#inbox.push(request)
      if (this.#receivers.length > 0) this.#receivers.shift()?.resolve(this.#next())
    }
  }

  /** @internal */
  cancelled(stream: Stream, id: number): void {
    this.#streams.get(stream)?.cancel(id)
  }

  /** @internal */
  writable(stream: Stream): void {
    this.#streams.get(stream)?.writable()
  }

  /** @internal */
  finished(stream: Stream): void {
    stream.end()
    this.#streams.get(stream)?.finishIfDone()
  }

  /** @internal What has arrived one way is still delivered; nobody waits for the rest. */
  gone(stream: Stream, error: SignalboxError | undefined): void {
    this.#streams.get(stream)?.drop(error)
    this.#left(stream)
    this.#inbox.orphan(stream)
  }

  /** @internal */
  answered(stream: Stream): void {
    this.#left(stream)
  }

  /** @internal */
  lost(): void {}

  /** @internal */
  leave(): void {
    for (const stream of this.#streams.keys()) stream.end()
  }

  /** @internal */
  ended(error: Error | undefined): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#failure = error
    this.#ready.reject(error ?? socketError('CLOSED'))
    for (const receiver of this.#receivers.clear()) {
      if (error) receiver.reject(error)
      else receiver.resolve(undefined)
    }
    this.#inbox.clear()
    for (const answering of this.#streams.values()) answering.drop(socketError('CLOSED'))
    this.#streams.clear()
    this.#drained?.resolve()
  }

  #left(stream: Stream): void {
    if (this.#streams.delete(stream)) this.#observe?.(this.#streams.size)
    if (this.#streams.size === 0) this.#drained?.resolve()
  }

  #next(): Request | undefined {
    const request = this.#inbox.shift()
    request?.consumed()
    return request
  }

  #serveMore(): void {
    while (this.#handler && this.#running < this.#concurrency) {
      const request = this.#inbox.shift()
      if (request === undefined) return
      this.#run(this.#handler, request)
    }
  }

  /** Without a promise when the handler gave none: a promise per message is what costs most here. */
  #run(handler: Handler, request: Request): void {
    let answer: Answer | Promise<Answer>
    try {
      answer = handler(request)
    } catch (error) {
      this.#failed(request, error)
      return
    }
    if (!(answer instanceof Promise)) {
      this.#answered(request, answer)
      return
    }
    this.#running++
    const settle = (): void => {
      this.#running--
      this.#serveMore()
    }
    answer
      .then(
        (bytes) => this.#answered(request, bytes),
        (error: unknown) => this.#failed(request, error),
      )
      .then(settle, settle)
  }

  #answered(request: Request, answer: Answer): void {
    if (!request.isOneWay) void handled(request.respond(answer ?? none))
    request.consumed()
  }

  #failed(request: Request, error: unknown): void {
    if (request.isOneWay) this.failedMessages++
    else void handled(request.fail(error))
    request.consumed()
  }
}
