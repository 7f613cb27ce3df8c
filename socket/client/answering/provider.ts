/**
 * The answering side of a channel: requests by `for await`, by `receive()`, or pushed to a handler.
 *
 * Floor 8. What arrives waits in one queue, bounded by the windows of the streams it came on: a Provider that does not
 * read returns no credit, and its Consumers stop.
 */

import { limit } from '#base/bounded'
import { callBack } from '#base/callback'
import { type Deferred, deferred, handled } from '#base/deferred'
import { type SignalboxError, socketError } from '#base/errors'
import { Fifo } from '#base/fifo'
import { SmallMap } from '#base/small-map'
import { defined, invalid, verify } from '#base/verify'
import {
  drainTimeoutMs,
  type LinkOptions,
  type OpenOptions,
  type ProviderOptions,
  providerRules,
  type ServeOptions,
  serveConcurrency,
  serveRules,
  type WaitOptions,
  waitRules,
} from '../../options.ts'
import type { Stream } from '../../stream/stream.ts'
import { isChannelId, type Open } from '../../wire/control-frames.ts'
import { Flag } from '../../wire/frame.ts'
import { readHeaderBlock } from '../../wire/header-block.ts'
import { openedAlone } from '../connect.ts'
import { Session } from '../session.ts'
import { Answering } from './answering.ts'
import { Inbox } from './inbox.ts'
import { Request } from './request.ts'
import { type Handler, Serving } from './serving.ts'

export type { Answer, Handler } from './serving.ts'

const noLimits: WaitOptions = Object.freeze({})

/** `signal` is the link's here. */
export type ProviderConnectOptions = LinkOptions & Omit<ProviderOptions, 'observe'> & Pick<OpenOptions, 'timeoutMs'>

export class Provider implements AsyncDisposable, AsyncIterable<Request> {
  /** @internal */ readonly open: Open
  /** @internal */ readonly yields: boolean
  /** @internal Whoever opens it waits for that. */ readonly isPatient = false
  readonly channelId: string
  /**
   * Messages refused because they were larger than `maxMessageBytes`, or found no memory. Whoever sent one of them one
   * way is not told.
   */
  refusedMessages = 0
  readonly #session: Session
  readonly #ownsSession: boolean
  readonly #observe: ProviderOptions['observe']
  readonly #ready = deferred<void>()
  /** Made when the first message has to wait: most Providers have a handler that takes all at once. */
  #inbox: Inbox | undefined
  readonly #receivers = new Fifo<Deferred<Request | undefined>>()
  readonly #streams = new SmallMap<Stream, Answering>()
  readonly #serving: Serving
  /** The message last given by `receive()`. */
  #received: Request | undefined
  /** Messages on their way to whoever asked for one, or in the body of a loop. */
  #inHand = 0
  #drained: Deferred<void> | undefined
  #isClosed = false
  #failure: Error | undefined
  #ended: Deferred<Error | undefined> | undefined

  /** @internal Use `Provider.connect` or `link.provider`. */
  constructor(session: Session, channelId: string, options: ProviderOptions, ownsSession = false) {
    if (!(session instanceof Session)) {
      throw socketError('INVALID_OPTION', 'A Provider is made by Provider.connect or link.provider.')
    }
    verify('provider', options, providerRules)
    if (!isChannelId(channelId)) throw invalid('provider', 'channelId', 'a UUID', channelId)
    this.channelId = channelId
    this.open = { role: 'provider', channelId, shared: options.mode === 'shared' }
    this.yields = options.whenTaken === 'close'
    this.#session = session
    this.#ownsSession = ownsSession
    this.#observe = options.observe
    this.#serving = new Serving(this, session.settings.clock)
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
    return this.#inbox?.length ?? 0
  }

  /** One-way messages whose handler threw. */
  get failedMessages(): number {
    return this.#serving.failed
  }

  /** One-way messages of Consumers that are gone, dropped because more than `maxBufferedBytes` of them waited. */
  get droppedMessages(): number {
    return this.#inbox?.dropped ?? 0
  }

  /** Resolves when it is closed for good, with the error if one was the cause. Never rejects. */
  get closed(): Promise<Error | undefined> {
    this.#ended ??= deferred()
    if (this.#isClosed) this.#ended.resolve(this.#failure)
    return this.#ended.promise
  }

  /** Consumers joined with this Provider. */
  get consumers(): number {
    return this.#streams.size
  }

  /** @internal Resolves when the server has taken the channel end. */
  get whenOpened(): Promise<void> {
    return this.#ready.promise
  }

  /**
   * The next message; `undefined` once closed. Rejects with ABORTED, TIMEOUT, or what broke the Provider. The credit of
   * the message before goes back, unless it is held.
   */
  async receive(options: WaitOptions = {}): Promise<Request | undefined> {
    verify('receive', options, waitRules)
    const { signal } = options
    if (signal?.aborted) throw socketError('ABORTED', undefined, { cause: signal.reason })
    this.#receivedNow(undefined)
    const request = await this.#receive(options)
    // Once more, for several may have been asked for at once.
    this.#receivedNow(request)
    if (request) this.#letGo()
    return request
  }

  #receivedNow(request: Request | undefined): void {
    this.#received?.consumed()
    this.#received = request
  }

  /** What it gives counts as in hand until `#letGo`. */
  async #receive(options: WaitOptions): Promise<Request | undefined> {
    const request = this.#inbox?.shift()
    if (request) {
      this.#inHand++
      return request
    }
    if (this.#failure) throw this.#failure
    if (this.#isClosed) return undefined
    const receiver = deferred<Request | undefined>()
    this.#receivers.push(receiver)
    limit(receiver.promise, options, this.#session.settings.clock, (error) => {
      this.#receivers.keep((other) => other !== receiver)
      receiver.reject(error)
    })
    return receiver.promise
  }

  #letGo(): void {
    this.#inHand--
    this.#checkDrained()
  }

  /**
   * Every message, until the Provider is closed. `break` leaves it open. The credit of a message goes back when the next
   * one is asked for or the loop ends, unless it is held.
   */
  [Symbol.asyncIterator](): AsyncIterator<Request> {
    let current: Request | undefined
    const done = (): void => {
      if (current === undefined) return
      current.consumed()
      current = undefined
      this.#letGo()
    }
    return {
      next: async () => {
        done()
        const value = await this.#receive(noLimits)
        done()
        if (value === undefined) return { value, done: true }
        current = value
        return { value, done: false }
      },
      return: async () => {
        done()
        return { value: undefined, done: true }
      },
    }
  }

  /**
   * Hands every message to `handler`, `concurrency` at once. Instead of iterating; a second call replaces the first.
   */
  serve(handler: Handler, options: ServeOptions = {}): void {
    verify('serve', options, serveRules)
    if (typeof handler !== 'function') throw invalid('serve', 'handler', 'a function', handler)
    this.#serving.begin(handler, options.concurrency ?? serveConcurrency)
    this.settled()
  }

  /** Ends it at once: iterators end, what was not answered fails with PROVIDER_CLOSED at its Consumer. */
  async close(): Promise<void> {
    if (!this.#isClosed) {
      for (const { stream } of this.#streams.values()) stream.reset(socketError('PROVIDER_CLOSED'))
      this.#session.remove(this)
      this.ended(undefined)
    }
    if (this.#ownsSession) await this.#session.close()
  }

  /**
   * Lets no Consumer begin anything new, finishes what was sent before (for `timeoutMs` at most, default 5 000), then
   * closes: requests are answered, handlers have settled, the loop has done with its last message.
   */
  async drain(options: Pick<WaitOptions, 'timeoutMs'> = {}): Promise<void> {
    verify('drain', options, waitRules)
    if (!this.#isClosed && !this.#isIdle) {
      // Before the channel is free: a Consumer must not take this one for the better choice when another comes.
      for (const { stream } of this.#streams.values()) stream.end()
      this.#session.remove(this)
      this.#drained ??= deferred()
      const stop = this.#session.settings.clock.after(options.timeoutMs ?? drainTimeoutMs, this.#drained.resolve, true)
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
    this.#tell()
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
    if (answering === undefined) {
      stream.consumed(cost, end - start)
      return
    }
    if (flags & (Flag.REPLY | Flag.FAIL)) throw socketError('BAD_FRAME', 'A Consumer sent an answer.')
    const at = flags & Flag.HEADER ? readHeaderBlock(bytes, start, end).end : start
    const request = new Request(answering, id, bytes, start, end, cost, at)
    answering.take(request)
    if (this.pending === 0 && this.#serving.isFree) this.#serving.take(request)
    else this.#keep(request)
  }

  #keep(request: Request): void {
    const receiver = this.#receivers.shift()
    if (receiver) {
      this.#inHand++
      receiver.resolve(request)
      return
    }
    const { maxBufferedBytes, memory } = this.#session.settings
    this.#inbox ??= new Inbox(maxBufferedBytes, memory)
    if (this.#inbox.takes(request)) {
      this.#inbox.push(request)
    } else {
      this.refusedMessages++
      if (!request.isOneWay) void handled(request.fail(socketError('MEMORY_FULL')))
      request.consumed()
    }
  }

  /** @internal */
  discarded(stream: Stream, id: number, error: SignalboxError): void {
    this.refusedMessages++
    this.#streams.get(stream)?.refuse(id, error)
  }

  /** @internal */
  cancelled(stream: Stream, id: number): void {
    const answering = this.#streams.get(stream)
    const request = answering?.cancel(id)
    if (request?.isQueued) this.#inbox?.cancelled(request)
    answering?.finishIfDone()
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
    this.answered(stream)
  }

  /** @internal */
  answered(stream: Stream): void {
    const answering = this.#streams.get(stream)
    if (answering === undefined) return
    this.#streams.delete(stream)
    this.#tell()
    // What is drained is finished, however much it is: it came within the windows.
    if (answering.queued?.size) this.#inbox?.orphan(answering.queued, this.#drained === undefined)
    this.#checkDrained()
  }

  /** @internal */
  lost(): void {}

  /** @internal */
  leave(): void {
    for (const { stream } of this.#streams.values()) stream.end()
  }

  /** @internal A handler has settled. */
  settled(): void {
    while (this.#serving.isFree) {
      const request = this.#inbox?.shift()
      if (request === undefined) break
      this.#serving.take(request)
    }
    this.#checkDrained()
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
    this.#inbox?.clear()
    for (const answering of this.#streams.values()) answering.drop(socketError('CLOSED'))
    this.#streams.clear()
    this.#drained?.resolve()
    this.#ended?.resolve(error)
  }

  #tell(): void {
    callBack(this.#session.settings.clock, this.#observe, this.#streams.size)
  }

  get #isIdle(): boolean {
    return this.#streams.size + this.pending + this.#serving.running + this.#inHand === 0
  }

  #checkDrained(): void {
    if (this.#drained && this.#isIdle) this.#drained.resolve()
  }
}
