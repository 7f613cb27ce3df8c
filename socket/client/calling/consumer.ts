/**
 * The calling side of a channel: requests with answers, and one-way messages.
 *
 * Floor 8. It has one stream to each Provider of the channel and gives a message to the one with the fewest requests
 * unanswered. Without a stream, or without credit, messages wait in order, bounded by `maxBufferedBytes`.
 */
import { abortedBy, limit } from '#base/bounded'
import { slice } from '#base/bytes'
import { callBack } from '#base/callback'
import { type Deferred, deferred, handled } from '#base/deferred'
import { type SignalboxError, socketError } from '#base/errors'
import { defined, invalid, verify } from '#base/verify'
import {
  type ConsumerOptions,
  consumerRules,
  drainTimeoutMs,
  type LinkOptions,
  type OpenOptions,
  type PostOptions,
  postRules,
  type SendOptions,
  sendRules,
  sendTimeoutMs,
  type TransferOptions,
  type WaitOptions,
  waitRules,
} from '../../options.ts'
import { Backlog } from '../../stream/backlog.ts'
import type { Stream } from '../../stream/stream.ts'
import { isChannelId, type Open } from '../../wire/control-frames.ts'
import { decodeFailure } from '../../wire/failure.ts'
import { Flag, maxFrameBytes } from '../../wire/frame.ts'
import { readHeaderBlock } from '../../wire/header-block.ts'
import type { PeerInfo } from '../../wire/peer.ts'
import { openedAlone } from '../connect.ts'
import { Session } from '../session.ts'
import { noOptions, wrongOption } from './call-options.ts'
import { CallTable } from './call-table.ts'
import { Call, contentOf, Post, payloadTooLarge, tooManyRequests } from './calls.ts'
import { CreditWaiters } from './credit-waiters.ts'
import { Picker } from './picker.ts'

/** `observe` and `signal` are the link's here. */
export type ConsumerConnectOptions = LinkOptions & Omit<ConsumerOptions, 'observe'> & Pick<OpenOptions, 'timeoutMs'>

const already: Promise<void> = Promise.resolve()

export class Consumer implements AsyncDisposable {
  readonly channelId: string
  /** @internal Consumers have no rivals. */
  readonly yields = false
  /** @internal */ readonly isPatient: boolean
  /** One-way messages that did not leave. A rejection that nobody looks at does not end the process; it is here. */
  failedPosts = 0
  readonly #session: Session
  readonly #ownsSession: boolean
  readonly #waitForProvider: boolean
  readonly #observe: ConsumerOptions['observe']
  readonly #picker = new Picker()
  readonly #calls = new CallTable()
  #backlog: Backlog | undefined
  /** Until the server has taken the channel end. */
  #ready: Deferred<void> | undefined = deferred()
  #waiters: CreditWaiters | undefined
  #idle: Deferred<void> | undefined
  #ended: Deferred<Error | undefined> | undefined
  /** One-way messages that wait, or whose fragments do. */
  #posts = 0
  #opened = false
  #isDraining = false
  #closed: Error | undefined
  /** What ended it, unless this program did. */
  #failure: Error | undefined

  /** @internal Use `Consumer.connect` or `link.consumer`. */
  constructor(session: Session, channelId: string, options: ConsumerOptions, ownsSession = false, isPatient = false) {
    if (!(session instanceof Session)) {
      throw socketError('INVALID_OPTION', 'A Consumer is made by Consumer.connect or link.consumer.')
    }
    verify('consumer', options, consumerRules)
    if (!isChannelId(channelId)) throw invalid('consumer', 'channelId', 'a UUID', channelId)
    this.channelId = channelId
    this.#session = session
    this.#ownsSession = ownsSession
    this.isPatient = isPatient
    this.#waitForProvider = options.waitForProvider ?? true
    this.#observe = options.observe
    session.add(this)
    if (this.#ready) void handled(this.#ready.promise)
  }

  /**
   * A Consumer with a connection of its own, which closes with it. Rejects as `Link.connect` and `link.consumer` do.
   */
  static async connect(url: string, channelId: string, options: ConsumerConnectOptions = {}): Promise<Consumer> {
    const { waitForProvider, ...linkOptions } = options
    const own = defined({ waitForProvider }) as ConsumerOptions
    return openedAlone(url, linkOptions, (session) => new Consumer(session, channelId, own, true))
  }

  /** Bytes that can be sent now without waiting, over all Providers; 0 when something waits already. */
  get credit(): number {
    return this.#waiting > 0 ? 0 : this.#picker.credit
  }

  /** Resolves when it is closed for good, with the error if one was the cause. Never rejects. */
  get closed(): Promise<Error | undefined> {
    this.#ended ??= deferred()
    if (this.#closed) this.#ended.resolve(this.#failure)
    return this.#ended.promise
  }

  /** @internal */
  get open(): Open {
    return { role: 'consumer', channelId: this.channelId, shared: true }
  }

  /** Who provides: one entry for each Provider that this Consumer is joined with. */
  get peers(): readonly PeerInfo[] {
    return this.#picker.streams.map(({ peer }) => peer)
  }

  /** Providers that this Consumer is joined with. */
  get providers(): number {
    return this.#picker.streams.length
  }

  /** Requests without an answer yet. */
  get outstanding(): number {
    return this.#calls.size
  }

  /** @internal Resolves when the server has taken the channel end. */
  get whenOpened(): Promise<void> {
    return this.#ready?.promise ?? already
  }

  /** Resolves once something can be sent without waiting. Rejects with CLOSED, TIMEOUT or ABORTED. */
  ready(options: WaitOptions = noOptions): Promise<void> {
    const refusal = this.#closed ?? wrongOption('ready', options, waitRules)
    if (refusal) return Promise.reject(refusal)
    if (this.credit > 0) return already
    this.#waiters ??= new CreditWaiters()
    return this.#waiters.wait(options, this.#session.settings.clock)
  }

  /**
   * Sends a request and resolves with the answer. Rejects with what the handler threw (RemoteError), TIMEOUT, ABORTED,
   * LINK_LOST, NO_PROVIDER, PROVIDER_CLOSED, BUFFER_FULL, MESSAGE_TOO_LARGE, TOO_MANY_REQUESTS, FEATURE_MISSING or
   * CLOSED, or with MEMORY_FULL, from either side. Once the promise has settled the bytes are the caller's again.
   */
  send(payload: Uint8Array, options: SendOptions = noOptions): Promise<Uint8Array> {
    const refusal = this.#refusal(payload) ?? this.#refusalOfCall(options)
    if (refusal) return Promise.reject(refusal)
    try {
      const content = contentOf(payload, options, this.#session.settings.maxMessageBytes)
      const { ordered = false, timeoutMs = sendTimeoutMs, signal } = options
      const call = new Call(this.#calls.nextId(), content, ordered, timeoutMs, this)
      this.#calls.add(call)
      this.#session.deadlines.add(call, timeoutMs)
      limit(call.promise, { signal }, this.#session.settings.clock, (error) => this.#giveUp(call, error))
      this.#enqueue(call)
      return call.promise
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * Sends one way, in order. The promise is resolved already when there was credit, else pending until the message has
   * gone. Rejects with BUFFER_FULL, MEMORY_FULL, MESSAGE_TOO_LARGE, NO_PROVIDER, LINK_LOST, FEATURE_MISSING, TIMEOUT,
   * ABORTED or CLOSED. Once the promise has resolved the bytes are the caller's again: they were copied, or they are
   * out.
   */
  post(payload: Uint8Array, options: PostOptions = noOptions): Promise<void> {
    const refusal = this.#refusal(payload) ?? wrongOption('post', options, postRules) ?? abortedBy(options.signal)
    if (refusal) return this.#unposted(refusal)
    if (options.metadata === undefined && this.#tryPost(payload, options.transfer === true)) return already
    try {
      return this.#postLater(new Post(contentOf(payload, options, this.#session.settings.maxMessageBytes)), options)
    } catch (error) {
      return this.#unposted(error as Error)
    }
  }

  /** Sends one way if all of it can go at once; else, or when `post` would reject, false. Makes no promise. */
  tryPost(payload: Uint8Array, options: TransferOptions = noOptions): boolean {
    return this.#refusal(payload) === undefined && this.#tryPost(payload, options.transfer === true)
  }

  #tryPost(payload: Uint8Array, isGiven: boolean): boolean {
    if (payload.length > maxFrameBytes || this.#waiting > 0) return false
    const stream = this.#picker.choose(payload.length, true)
    stream?.post(0, 0, payload, isGiven)
    return stream !== undefined
  }

  #postLater(post: Post, options: PostOptions): Promise<void> {
    this.#posts++
    const over = (): void => {
      this.#posts--
      this.#checkIdle()
    }
    post.promise.then(over, () => {
      this.failedPosts++
      over()
    })
    limit(post.promise, options, this.#session.settings.clock, (error) => {
      if (!post.stream?.abandon(post)) this.#backlog?.remove(post)
      post.fail(error)
    })
    this.#enqueue(post)
    return post.promise
  }

  #unposted(error: Error): Promise<void> {
    this.failedPosts++
    return handled(Promise.reject(error))
  }

  #enqueue(message: Call | Post): void {
    const { maxBufferedBytes, memory } = this.#session.settings
    this.#backlog ??= new Backlog(maxBufferedBytes, memory, (size, ordered) => this.#picker.choose(size, ordered))
    try {
      this.#backlog.send(message)
    } catch (error) {
      message.fail(error as Error)
    }
  }

  /** Ends it: what was sent still goes out, requests in flight reject with CLOSED. Never rejects. */
  async close(): Promise<void> {
    if (!this.#closed) {
      const unanswered = this.outstanding > 0 ? socketError('CLOSED', 'The Consumer closed.') : undefined
      for (const stream of [...this.#picker.streams]) stream.reset(unanswered)
      this.#session.remove(this)
      this.ended(undefined)
    }
    if (this.#ownsSession) await this.#session.close()
  }

  /** Sends nothing new, waits for what is under way (`timeoutMs` at most, default 5 000), then closes. */
  async drain(options: Pick<WaitOptions, 'timeoutMs'> = noOptions): Promise<void> {
    verify('drain', options, waitRules)
    this.#isDraining = true
    if (this.outstanding + this.#posts > 0) {
      this.#idle ??= deferred()
      const stop = this.#session.settings.clock.after(options.timeoutMs ?? drainTimeoutMs, this.#idle.resolve, true)
      await this.#idle.promise
      stop()
    }
    await this.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** @internal */
  opened(): void {
    this.#opened = true
    this.#ready?.resolve()
    this.#ready = undefined
    if (this.#isAlone) this.#backlog?.fail(socketError('NO_PROVIDER'))
  }

  /** @internal */
  refused(error: SignalboxError): void {
    this.ended(error)
    if (this.#ownsSession) void handled(this.#session.close())
  }

  /** @internal */
  attached(stream: Stream): void {
    this.#picker.add(stream)
    callBack(this.#session.settings.clock, this.#observe, this.#picker.streams.length)
    this.writable()
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
    if ((flags & Flag.REPLY) === 0) throw socketError('BAD_FRAME', 'A Provider sent what is no answer.')
    const call = this.#calls.find(stream, id)
    const at = flags & Flag.HEADER ? readHeaderBlock(bytes, start, end).end : start
    if (call && flags & Flag.FAIL) call.fail(decodeFailure(bytes, at, end, true))
    else call?.succeed(slice(bytes, at, end))
    stream.consumed(cost, end - start)
  }

  /** @internal An answer that this side did not take. */
  discarded(stream: Stream, id: number, error: SignalboxError): void {
    this.#calls.find(stream, id)?.fail(error)
  }

  /** @internal The rest of an answer does not come, and nobody here has said that it is not wanted. */
  cancelled(stream: Stream, id: number): void {
    this.#calls.find(stream, id)?.fail(socketError('PROVIDER_CLOSED', 'The Provider gave its answer up.'))
  }

  /** @internal */
  writable(): void {
    this.#backlog?.pump()
    if (this.#waiters !== undefined && this.credit > 0) this.#waiters.resolve()
  }

  /** @internal The Provider takes nothing new: this side begins nothing new either, and waits for its answers. */
  finished(stream: Stream): void {
    stream.end()
  }

  /** @internal */
  gone(stream: Stream, error: SignalboxError | undefined): void {
    this.#picker.remove(stream)
    callBack(this.#session.settings.clock, this.#observe, this.#picker.streams.length, error)
    this.#calls.fail(error ?? socketError('PROVIDER_CLOSED'), stream)
    if (this.#isAlone) this.#backlog?.fail(socketError('NO_PROVIDER'))
  }

  /** @internal What was not sent waits for the connection to come back. */
  lost(): void {
    this.#opened = false
  }

  /** @internal */
  leave(): void {
    this.#opened = false
    for (const stream of this.#picker.streams) stream.end()
  }

  /** @internal */
  ended(error: Error | undefined): void {
    if (this.#closed) return
    this.#closed = error ?? socketError('CLOSED')
    this.#failure = error
    this.#ready?.reject(this.#closed)
    this.#backlog?.fail(this.#closed)
    this.#calls.fail(this.#closed)
    this.#waiters?.reject(this.#closed)
    this.#idle?.resolve()
    this.#picker.clear()
    this.#ended?.resolve(error)
  }

  /** @internal */
  expired(call: Call): void {
    this.#giveUp(call, call.tooLate)
  }

  /** @internal */
  over(call: Call): void {
    this.#calls.remove(call)
    // Answered or not, its bytes are the caller's again.
    call.stream?.abandon(call)
    this.#session.deadlines.remove(call)
    this.#checkIdle()
  }

  /** Messages that wait for credit. */
  get #waiting(): number {
    return this.#backlog === undefined ? 0 : this.#backlog.length
  }

  #checkIdle(): void {
    if (this.outstanding + this.#posts === 0) this.#idle?.resolve()
  }

  /** There is no Provider, as far as the server has told, and nobody is to wait for one. */
  get #isAlone(): boolean {
    return !this.#waitForProvider && this.#opened && this.#picker.streams.length === 0
  }

  #giveUp(call: Call, error: Error): void {
    if (call.stream) call.stream.cancel(call.id)
    else this.#backlog?.remove(call)
    call.fail(error)
  }

  #refusal(payload: Uint8Array): Error | undefined {
    if (this.#closed) return this.#closed
    if (!(payload instanceof Uint8Array)) return invalid('Consumer', 'payload', 'a Uint8Array', payload)
    if (this.#isDraining) return socketError('CLOSED', 'The Consumer is being drained.')
    if (this.#isAlone) return socketError('NO_PROVIDER')
    return payloadTooLarge(payload.length, this.#session.settings.maxMessageBytes)
  }

  #refusalOfCall(options: SendOptions): Error | undefined {
    const refusal = wrongOption('send', options, sendRules) ?? abortedBy(options.signal)
    const { maxOutstanding } = this.#session.settings
    return refusal ?? (this.outstanding < maxOutstanding ? undefined : tooManyRequests(maxOutstanding))
  }
}
