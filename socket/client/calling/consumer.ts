/**
 * The calling side of a channel: requests with answers, and one-way messages.
 *
 * Floor 8. It has one stream to each Provider of the channel and gives a message to the one with the fewest requests
 * unanswered. Without a stream, or without credit, messages wait in order, bounded by `maxBufferedBytes`.
 */

import { slice } from '#base/bytes'
import { type Deferred, deferred, handled } from '#base/deferred'
import { type SignalboxError, socketError } from '#base/errors'
import { SmallMap } from '#base/small-map'
import { defined, invalid, verify } from '#base/verify'
import {
  type ConsumerOptions,
  consumerRules,
  type LinkOptions,
  type OpenOptions,
  type SendOptions,
  sendRules,
  sendTimeoutMs,
} from '../../options.ts'
import { Backlog } from '../../stream/backlog.ts'
import type { Stream } from '../../stream/stream.ts'
import { isChannelId, type Open } from '../../wire/control-frames.ts'
import { decodeFailure } from '../../wire/failure.ts'
import { Flag, maxFrameBytes } from '../../wire/frame.ts'
import type { PeerInfo } from '../../wire/peer.ts'
import { openedAlone } from '../connect.ts'
import type { Session } from '../session.ts'
import { Call, Post } from './calls.ts'

/** `observe` and `signal` are the link's here. */
export type ConsumerConnectOptions = LinkOptions & Omit<ConsumerOptions, 'observe'> & Pick<OpenOptions, 'timeoutMs'>

const already: Promise<void> = Promise.resolve()
const noOptions: SendOptions = {}

export class Consumer implements AsyncDisposable {
  readonly channelId: string
  /** @internal Consumers have no rivals. */
  readonly yields = false
  /** One-way messages that did not leave. A rejection that nobody looks at does not end the process; it is here. */
  failedPosts = 0
  readonly #session: Session
  readonly #ownsSession: boolean
  readonly #waitForProvider: boolean
  readonly #observe: ConsumerOptions['observe']
  #streams: Stream[] = []
  /** Requests without an answer yet, by their id. Many Consumers only ever post. */
  #calls: SmallMap<number, Call> | undefined
  #backlog: Backlog | undefined
  /** Until the server has taken the channel end. */
  #ready: Deferred<void> | undefined = deferred()
  #credited: Deferred<void> | undefined
  #idle: Deferred<void> | undefined
  #lastId = 0
  /** One-way messages that wait, or whose fragments do. */
  #posts = 0
  /** The stream that is first asked, so that equals take turns. */
  #turn = 0
  #opened = false
  #isDraining = false
  #closed: Error | undefined

  /** @internal Use `Consumer.connect` or `link.consumer`. */
  constructor(session: Session, channelId: string, options: ConsumerOptions, ownsSession = false) {
    verify('consumer', options, consumerRules)
    if (!isChannelId(channelId)) throw invalid('consumer', 'channelId', 'a UUID', channelId)
    this.channelId = channelId
    this.#session = session
    this.#ownsSession = ownsSession
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
    if (this.#waiting > 0) return 0
    let sum = 0
    for (const stream of this.#streams) if (stream.canBegin(0, true)) sum += stream.credit
    return sum
  }

  /** @internal */
  get open(): Open {
    return { role: 'consumer', channelId: this.channelId, shared: true }
  }

  /** Who provides: one entry for each Provider that this Consumer is joined with. */
  get peers(): readonly PeerInfo[] {
    return this.#streams.map(({ peer }) => peer)
  }

  /** Providers that this Consumer is joined with. */
  get providers(): number {
    return this.#streams.length
  }

  /** Requests without an answer yet. */
  get outstanding(): number {
    return this.#calls === undefined ? 0 : this.#calls.size
  }

  /** @internal Resolves when the server has taken the channel end. */
  get whenOpened(): Promise<void> {
    return this.#ready?.promise ?? already
  }

  /** Resolves once something can be sent without waiting. Rejects with CLOSED. */
  ready(): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closed)
    if (this.credit > 0) return already
    this.#credited ??= deferred()
    return this.#credited.promise
  }

  /**
   * Sends a request and resolves with the answer. Rejects with what the handler threw (RemoteError), TIMEOUT, ABORTED,
   * LINK_LOST, NO_PROVIDER, PROVIDER_CLOSED, BUFFER_FULL, MESSAGE_TOO_LARGE, TOO_MANY_REQUESTS or CLOSED. The payload
   * must not be changed until then.
   */
  send(payload: Uint8Array, options: SendOptions = noOptions): Promise<Uint8Array> {
    const refusal = this.#refusal(payload) ?? this.#refusalOfCall(options)
    if (refusal) return Promise.reject(refusal)
    const call = new Call(this.#nextId(), payload, options.ordered === true, options.timeoutMs ?? sendTimeoutMs, this)
    this.#calls ??= new SmallMap()
    this.#calls.set(call.id, call)
    this.#session.deadlines.add(call, call.timeoutMs)
    if (options.signal) this.#abortWith(call, options.signal)
    try {
      this.#queue.send(call)
    } catch (error) {
      call.fail(error as Error)
    }
    return call.promise
  }

  /**
   * Sends one way, in order. The promise is resolved already when there was credit, else pending until the message has
   * gone. Rejects with BUFFER_FULL, MESSAGE_TOO_LARGE, NO_PROVIDER, LINK_LOST or CLOSED. The payload must not be
   * changed until then, and the bytes of a large one not until they are out.
   */
  post(payload: Uint8Array): Promise<void> {
    const refusal = this.#refusal(payload)
    if (refusal) {
      this.failedPosts++
      return handled(Promise.reject(refusal))
    }
    if (this.#tryPost(payload)) return already
    const post = new Post(payload)
    this.#posts++
    const over = (): void => {
      this.#posts--
      this.#checkIdle()
    }
    post.promise.then(over, () => {
      this.failedPosts++
      over()
    })
    try {
      this.#queue.send(post)
    } catch (error) {
      post.fail(error as Error)
    }
    return post.promise
  }

  /** Sends one way if all of it can go at once; else, or when `post` would reject, false. Makes no promise. */
  tryPost(payload: Uint8Array): boolean {
    return this.#refusal(payload) === undefined && this.#tryPost(payload)
  }

  #tryPost(payload: Uint8Array): boolean {
    if (payload.length > maxFrameBytes || this.#waiting > 0) return false
    const stream = this.#choose(payload.length, true)
    stream?.post(0, 0, payload)
    return stream !== undefined
  }

  /** Ends it: what was sent still goes out, requests in flight reject with CLOSED. Never rejects. */
  async close(): Promise<void> {
    if (!this.#closed) {
      const unanswered = this.outstanding > 0 ? socketError('CLOSED', 'The Consumer closed.') : undefined
      for (const stream of this.#streams) stream.reset(unanswered)
      this.#session.remove(this)
      this.ended(undefined)
    }
    if (this.#ownsSession) await this.#session.close()
  }

  /** Sends nothing new, waits for what is under way (`timeoutMs` at most, default 5 000), then closes. */
  async drain(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#isDraining = true
    if (this.outstanding + this.#posts > 0) {
      this.#idle ??= deferred()
      const stop = this.#session.settings.clock.after(options.timeoutMs ?? sendTimeoutMs, this.#idle.resolve, true)
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
    // Made as one of one, for an array that is pushed to reserves room for sixteen more.
    if (this.#streams.length === 0) this.#streams = [stream]
    else this.#streams.push(stream)
    this.#observe?.(this.#streams.length)
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
    const call = this.#calls?.get(id)
    // An answer that nobody waits for any more: its request was given up.
    if (call && flags & Flag.FAIL) call.fail(decodeFailure(bytes, start, end, true))
    else call?.succeed(slice(bytes, start, end))
    stream.consumed(cost)
  }

  /** @internal A Provider does not cancel. */
  cancelled(): void {}

  /** @internal */
  writable(): void {
    this.#backlog?.pump()
    if (this.#credited === undefined || this.credit <= 0) return
    this.#credited.resolve()
    this.#credited = undefined
  }

  /** @internal The Provider takes nothing new: this side begins nothing new either, and waits for its answers. */
  finished(stream: Stream): void {
    stream.end()
  }

  /** @internal */
  gone(stream: Stream, error: SignalboxError | undefined): void {
    const at = this.#streams.indexOf(stream)
    if (at >= 0) this.#streams.splice(at, 1)
    this.#observe?.(this.#streams.length, error)
    const failure = error ?? socketError('PROVIDER_CLOSED')
    for (const call of this.#calls?.values() ?? []) if (call.stream === stream) call.fail(failure)
    if (this.#isAlone) this.#backlog?.fail(socketError('NO_PROVIDER'))
  }

  /** @internal What was not sent waits for the connection to come back. */
  lost(): void {
    this.#opened = false
  }

  /** @internal */
  leave(): void {
    this.#opened = false
    for (const stream of this.#streams) stream.end()
  }

  /** @internal */
  ended(error: Error | undefined): void {
    if (this.#closed) return
    this.#closed = error ?? socketError('CLOSED')
    this.#ready?.reject(this.#closed)
    this.#backlog?.fail(this.#closed)
    for (const call of this.#calls?.values() ?? []) call.fail(this.#closed)
    if (this.#credited) void handled(this.#credited.promise)
    this.#credited?.reject(this.#closed)
    this.#idle?.resolve()
    this.#streams.length = 0
  }

  /** @internal */
  expired(call: Call): void {
    const where = call.stream ? 'was sent and not answered' : 'found no Provider with credit'
    const what = `The request ${where} within ${call.timeoutMs} ms.`
    this.#giveUp(call, socketError('TIMEOUT', what, { details: { timeoutMs: call.timeoutMs } }))
  }

  /** @internal */
  over(call: Call): void {
    this.#calls?.delete(call.id)
    this.#session.deadlines.remove(call)
    this.#checkIdle()
  }

  /** Messages that wait for credit. */
  get #waiting(): number {
    return this.#backlog === undefined ? 0 : this.#backlog.length
  }

  get #queue(): Backlog {
    const { maxBufferedBytes } = this.#session.settings
    this.#backlog ??= new Backlog(maxBufferedBytes, (size, ordered) => this.#choose(size, ordered))
    return this.#backlog
  }

  #checkIdle(): void {
    if (this.outstanding + this.#posts === 0) this.#idle?.resolve()
  }

  /** There is no Provider, as far as the server has told, and nobody is to wait for one. */
  get #isAlone(): boolean {
    return !this.#waitForProvider && this.#opened && this.#streams.length === 0
  }

  #giveUp(call: Call, error: Error): void {
    if (call.stream) call.stream.cancel(call.id)
    else this.#backlog?.remove(call)
    call.fail(error)
  }

  #abortWith(call: Call, signal: AbortSignal): void {
    const onAbort = (): void => this.#giveUp(call, socketError('ABORTED', undefined, { cause: signal.reason }))
    const stop = (): void => signal.removeEventListener('abort', onAbort)
    signal.addEventListener('abort', onAbort, { once: true })
    call.promise.then(stop, stop)
  }

  /** The stream with the fewest requests unanswered; among equals the one after the last chosen. */
  #choose(size: number, ordered: boolean): Stream | undefined {
    const streams = this.#streams
    if (streams.length === 1) return streams[0]?.canBegin(size, ordered) ? streams[0] : undefined
    const first = this.#turn
    let best: Stream | undefined
    for (let i = 0; i < streams.length; i++) {
      const at = (first + i) % streams.length
      const stream = streams[at] as Stream
      if (!stream.canBegin(size, ordered) || (best && stream.outstanding >= best.outstanding)) continue
      best = stream
      this.#turn = at + 1
    }
    return best
  }

  #refusal(payload: Uint8Array): Error | undefined {
    if (this.#closed) return this.#closed
    if (!(payload instanceof Uint8Array)) return invalid('Consumer', 'payload', 'a Uint8Array', payload)
    const { maxMessageBytes } = this.#session.settings
    if (payload.length > maxMessageBytes) {
      const details = { limit: maxMessageBytes, actual: payload.length }
      const what = `The payload has ${payload.length} bytes; the limit is ${maxMessageBytes}.`
      return socketError('MESSAGE_TOO_LARGE', what, { details })
    }
    if (this.#isDraining) return socketError('CLOSED', 'The Consumer is being drained.')
    if (this.#isAlone) return socketError('NO_PROVIDER')
    return undefined
  }

  #refusalOfCall(options: SendOptions): Error | undefined {
    if (options !== noOptions) {
      try {
        verify('send', options, sendRules)
      } catch (error) {
        return error as Error
      }
    }
    if (options.signal?.aborted) return socketError('ABORTED', undefined, { cause: options.signal.reason })
    const { maxOutstanding } = this.#session.settings
    if (this.outstanding < maxOutstanding) return undefined
    const details = { limit: maxOutstanding }
    return socketError('TOO_MANY_REQUESTS', `${maxOutstanding} requests are unanswered.`, { details })
  }

  /** Never 0, which stands for one way, and none that is in use. */
  #nextId(): number {
    do {
      this.#lastId = (this.#lastId + 1) >>> 0 || 1
    } while (this.#calls?.has(this.#lastId))
    return this.#lastId
  }
}
