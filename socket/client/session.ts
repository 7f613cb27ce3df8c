/**
 * One persistent connection to a server: handshake, channel ends, streams, and coming back after a loss.
 *
 * Floor 4. States: connecting -> open -> (lost -> connecting ...) -> closed. The channel ends outlive any one
 * transport connection and are reopened on each; streams do not. Everything that waits is settled when it closes.
 */

import { none } from '#base/bytes'
import type { Cancel } from '#base/clock'
import { type Deferred, deferred, handled } from '#base/deferred'
import { isTerminal, type SignalboxError, socketError } from '#base/errors'
import { newId } from '#base/identifier'
import { defined } from '#base/verify'
import { type LinkEvent, type LinkSettings, reconnectDefaults } from '../options.ts'
import { GrowthBudget } from '../stream/credit.ts'
import { Pump } from '../stream/pump.ts'
import { Stream, type StreamHost, type StreamOwner } from '../stream/stream.ts'
import { nextDelayMs } from '../time/backoff.ts'
import { Deadlines } from '../time/deadlines.ts'
import { Heartbeat, type Watched } from '../time/heartbeat.ts'
import type { Port, PortOwner } from '../transport/port.ts'
import { decodePeer, decodeWelcome, encodeHello, encodeOpen, maxHelloBytes, type Open } from '../wire/control-frames.ts'
import { decodeFailure, encodeFailure } from '../wire/failure.ts'
import { firstStreamKind, Kind, maxFrameBytes } from '../wire/frame.ts'

/** A channel end on this side: a Consumer or a Provider. */
export interface End extends StreamOwner {
  readonly open: Open
  /** The server has it. Called again after every reconnect. */
  opened(): void
  /** The server did not take it; it has been removed. */
  refused(error: SignalboxError): void
  attached(stream: Stream): void
  /** The server is closing: begin nothing more on the streams of this connection. */
  leave(): void
  /** The connection is lost, its streams with it; it may come back. */
  lost(): void
  /** The connection is closed for good; by this program when there is no error. */
  ended(error: Error | undefined): void
}

/** Makes one transport connection, unless the signal is aborted first. */
export type Dial = (settings: LinkSettings, signal: AbortSignal) => Promise<Port>

type State = 'connecting' | 'open' | 'leaving' | 'lost' | 'closed'

export class Session implements StreamHost, PortOwner, Watched {
  readonly settings: LinkSettings
  readonly growth: GrowthBudget
  readonly deadlines: Deadlines
  /** Resolves when it is closed for good, with the error if one was the cause. Never rejects. */
  readonly whenClosed: Promise<Error | undefined>
  /** Frames that came for streams that were over on this side. */
  late = 0
  readonly #dial: Dial
  readonly #session = newId()
  readonly #ends = new Map<number, End>()
  readonly #streams = new Map<number, Stream>()
  readonly #closed = deferred<Error | undefined>()
  readonly #onAbort = (): void => void handled(this.close())
  #state: State = 'connecting'
  #port: Port | undefined
  /** The port last made, also when it is lost already and has not ended yet. */
  #latest: Port | undefined
  #dialing: AbortController | undefined
  #pump: Pump | undefined
  #lastEnd = 0
  #attempt = 0
  #welcome: Deferred<void> | undefined
  #portEnded: Deferred<void> | undefined
  /** What it was closed with, once it is. */
  #failure: Error | undefined
  /** Why the peer said it ends the connection. */
  #farewell: SignalboxError | undefined
  readonly #heartbeat: Heartbeat
  #stopWaiting: Cancel = () => {}

  constructor(settings: LinkSettings, dial: Dial) {
    this.settings = settings
    this.growth = new GrowthBudget(settings.growthBytes)
    this.deadlines = new Deadlines(settings.clock)
    this.#heartbeat = new Heartbeat(settings.heartbeatMs, settings.clock)
    this.whenClosed = this.#closed.promise
    this.#dial = dial
    settings.signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** Also when it is lost: an observer that is told so may still end streams, and what they send goes nowhere. */
  get port(): Port {
    return this.#latest as Port
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  get isClosed(): boolean {
    return this.#state === 'closed'
  }

  get endCount(): number {
    return this.#ends.size
  }

  get streamCount(): number {
    return this.#streams.size
  }

  /** Connects for the first time. Rejects when that fails; the connection is closed then. */
  async connect(): Promise<void> {
    const { signal } = this.settings
    try {
      if (!signal?.aborted) return await this.#establish()
    } catch (error) {
      this.#finish(error as Error)
      if (!signal?.aborted) throw error
    }
    const aborted = socketError('ABORTED', undefined, { cause: signal?.reason })
    this.#finish(aborted)
    throw aborted
  }

  /** Adds a channel end, which is opened now and after every reconnect. Returns its number. */
  add(end: End): number {
    const number = ++this.#lastEnd
    if (this.isClosed) {
      end.ended(this.#failure)
      return number
    }
    this.#ends.set(number, end)
    if (this.isOpen) this.#openEnd(number, end)
    return number
  }

  /** Takes a channel end away. Its streams go on until they are ended. */
  remove(number: number): void {
    if (this.#ends.delete(number) && this.isOpen) this.#send(Kind.SHUT, number, none)
  }

  wantsPump(stream: Stream): void {
    this.#pump?.add(stream)
  }

  forget(stream: Stream): void {
    this.#streams.delete(stream.number)
    if (this.#state === 'leaving' && this.#streams.size === 0) this.#port?.close()
  }

  /** Closes for good: settles everything that waits, lets what was sent go out. Never rejects. */
  async close(): Promise<void> {
    const gone = this.#portEnded?.promise
    if (this.#state !== 'closed') {
      if (this.isOpen) this.#send(Kind.BYE, 0, none)
      this.#finish(undefined)
    }
    await gone
  }

  frame(kind: number, flags: number, stream: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    if (kind >= firstStreamKind) {
      const known = this.#streams.get(stream)
      if (known === undefined) {
        this.late++
        return
      }
      try {
        known.frame(kind, flags, id, bytes, start, end)
      } catch (error) {
        // The fault of the peer at the other end of this one stream: neither the server nor the others have a part in
        // it.
        known.fail(error as SignalboxError)
      }
    } else if (kind === Kind.PING) this.#send(Kind.PONG, 0, none)
    else if (kind === Kind.ATTACH) this.#attach(stream, id, bytes, start, end)
    else if (kind === Kind.OPENED) this.#ends.get(stream)?.opened()
    else if (kind === Kind.REFUSED) this.#refused(stream, decodeFailure(bytes, start, end, false))
    else if (kind === Kind.BYE) this.#farewell = start === end ? undefined : decodeFailure(bytes, start, end, false)
    else if (kind === Kind.GOAWAY) this.#leave()
    else if (kind === Kind.WELCOME) this.#welcomed(bytes, start, end)
    else if (kind !== Kind.PONG) throw socketError('BAD_FRAME', `A server does not send frames of kind ${kind}.`)
  }

  drained(): void {
    this.#pump?.resume()
  }

  garbled(error: Error): void {
    const failure = encodeFailure(error)
    this.#port?.send(Kind.BYE, 0, 0, 0, failure, 0, failure.length)
    this.#port?.close()
    this.#lose(error)
  }

  ended(error: Error | undefined, port: Port): void {
    // One that was given up earlier says nothing about its successor.
    if (port !== this.#latest) return
    this.#portEnded?.resolve()
    this.#lose(this.#farewell ?? error)
  }

  silent(error: Error): void {
    this.#cut(this.port, error)
  }

  async #establish(): Promise<void> {
    this.#farewell = undefined
    const { clock, connectTimeoutMs, name, auth } = this.settings
    const hello = encodeHello({ name, auth, session: this.#session })
    const giveUpAt = clock.now() + connectTimeoutMs
    this.#dialing = new AbortController()
    const port = await this.#dial(this.settings, this.#dialing.signal)
    if (this.isClosed) {
      port.destroy()
      throw socketError('CLOSED')
    }
    const welcome = deferred<void>()
    this.#welcome = welcome
    this.#portEnded = deferred()
    this.#port = port
    this.#latest = port
    this.#pump = new Pump(port, clock)
    port.attach(this)
    port.limit(maxHelloBytes)
    const tooLate = (): void => this.#cut(port, socketError('HANDSHAKE_TIMEOUT'))
    const stop = clock.after(Math.max(0, giveUpAt - clock.now()), tooLate, true)
    port.send(Kind.HELLO, 0, 0, 0, hello, 0, hello.length)
    try {
      await welcome.promise
    } finally {
      stop()
    }
    if (this.#port !== port) return
    this.#heartbeat.watch(this)
  }

  /** Ends a connection whose peer is not there any more. */
  #cut(port: Port, error: Error): void {
    port.destroy()
    this.#lose(error)
  }

  /** Within the frame that says so, for frames of the new streams may follow in the same chunk. */
  #welcomed(bytes: Uint8Array, start: number, end: number): void {
    decodeWelcome(bytes, start, end)
    if (this.#welcome === undefined) throw socketError('BAD_FRAME', 'A second WELCOME came.')
    this.#port?.limit(maxFrameBytes)
    this.#state = 'open'
    this.#attempt = 0
    for (const [number, one] of this.#ends) this.#openEnd(number, one)
    this.#welcome.resolve()
    this.#welcome = undefined
    this.#tell({ type: 'connected' })
  }

  #openEnd(number: number, end: End): void {
    this.#send(Kind.OPEN, number, encodeOpen(end.open))
  }

  #attach(stream: number, end: number, bytes: Uint8Array, start: number, stop: number): void {
    const peer = decodePeer(bytes, start, stop)
    const owner = this.#ends.get(end)
    if (owner === undefined) {
      const failure = encodeFailure(socketError('PROVIDER_CLOSED'))
      this.#port?.send(Kind.RESET, 0, stream, 0, failure, 0, failure.length)
      return
    }
    const made = new Stream(stream, peer, this, owner)
    this.#streams.set(stream, made)
    owner.attached(made)
  }

  #refused(number: number, error: SignalboxError): void {
    const end = this.#ends.get(number)
    this.#ends.delete(number)
    end?.refused(error)
  }

  #leave(): void {
    if (!this.isOpen) return
    this.#state = 'leaving'
    this.#farewell = socketError('SERVER_CLOSING')
    for (const end of this.#ends.values()) end.leave()
    if (this.#streams.size === 0) this.#port?.close()
  }

  #lose(error: Error | undefined): void {
    const port = this.#port
    if (port === undefined) return
    this.#port = undefined
    this.#heartbeat.forget(this)
    const cause = error ?? socketError('LINK_LOST', 'The peer closed the connection.')
    if (!this.isClosed) this.#state = 'lost'
    for (const end of this.#ends.values()) end.lost()
    this.#dropStreams(cause)
    if (this.isClosed) return
    if (this.#welcome) {
      this.#welcome.reject(isTerminal(cause) || this.#farewell ? cause : notMade(cause))
      this.#welcome = undefined
      return
    }
    this.#tell({ type: 'disconnected', error: cause })
    this.#again(cause)
  }

  #dropStreams(cause: Error): void {
    const lost = this.isClosed ? socketError('CLOSED') : socketError('LINK_LOST', undefined, { cause })
    for (const stream of [...this.#streams.values()]) stream.lose(lost)
    this.#streams.clear()
  }

  /** Waits, and tries again; or gives up. */
  #again(cause: Error): void {
    // Whoever was told may have closed it.
    if (this.isClosed) return
    const { reconnect, clock } = this.settings
    const { minMs, maxMs, maxAttempts } = { ...reconnectDefaults, ...defined(reconnect || {}) }
    if (reconnect === false || isTerminal(cause) || this.#attempt >= maxAttempts) {
      this.#finish(cause)
      return
    }
    const delayMs = nextDelayMs(this.#attempt, minMs, maxMs, clock.random())
    this.#attempt++
    this.#stopWaiting = clock.after(delayMs, () => this.#retry(), true)
    this.#tell({ type: 'reconnecting', error: cause, attempt: this.#attempt, delayMs })
  }

  #retry(): void {
    this.#establish().catch((error: Error) => this.#again(error))
  }

  #finish(error: Error | undefined): void {
    if (this.isClosed) return
    this.#state = 'closed'
    this.#failure = error
    this.#dialing?.abort()
    this.settings.signal?.removeEventListener('abort', this.#onAbort)
    this.#stopWaiting()
    this.#heartbeat.forget(this)
    this.#welcome?.reject(error ?? socketError('CLOSED'))
    for (const end of [...this.#ends.values()]) end.ended(error)
    this.#ends.clear()
    this.#dropStreams(error ?? socketError('CLOSED'))
    this.#port?.close()
    this.#closed.resolve(error)
    this.#tell(error ? { type: 'closed', error } : { type: 'closed' })
  }

  #send(kind: number, stream: number, payload: Uint8Array): void {
    this.#port?.send(kind, 0, stream, 0, payload, 0, payload.length)
  }

  #tell(event: LinkEvent): void {
    this.settings.observe?.(event)
  }
}

function notMade(cause: Error): Error {
  return socketError('CONNECT_FAILED', `The server ended the connection: ${cause.message}`, { cause })
}
