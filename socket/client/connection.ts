/**
 * One connection of a link: dialling, handshake, and the streams it carries until it ends. It never comes back.
 *
 * Floor 4. States: dialling -> greeting (HELLO is sent) -> open -> leaving (the server closes, streams finish) -> over;
 * every state may become over, and none follows it. Its owner is told once that it was welcomed, if it was, and once
 * that it is over, unless the owner itself ended it; what arrives after that is nobody's.
 */
import { none } from '#base/bytes'
import type { Cancel } from '#base/clock'
import { deferred } from '#base/deferred'
import { isTerminal, SignalboxError, socketError } from '#base/errors'
import type { LinkSettings } from '../options.ts'
import type { GrowthBudget } from '../stream/credit.ts'
import { Pump } from '../stream/pump.ts'
import { Stream, type StreamHost, type StreamOwner } from '../stream/stream.ts'
import { Heartbeat, type Watched } from '../time/heartbeat.ts'
import type { Port, PortOwner } from '../transport/port.ts'
import { decodePeer, decodeWelcome, maxHelloBytes } from '../wire/control-frames.ts'
import { decodeFailure, encodeFailure } from '../wire/failure.ts'
import { firstStreamKind, Kind, maxFrameBytes } from '../wire/frame.ts'
import { Peers } from './peers.ts'

/** Makes one transport connection, unless the signal is aborted first. */
export type Dialling = (signal: AbortSignal) => Promise<Port>

/** An owner of streams that is told of each that begins. */
export interface Attachable extends StreamOwner {
  attached(stream: Stream): void
}

/** What a connection tells. Every call names it, for it may have a successor by then. */
export interface ConnectionOwner {
  readonly settings: LinkSettings
  readonly growth: GrowthBudget
  /** Frames that came for streams that were over on this side. */
  late: number
  /** The handshake is done. Within the frame that says so, for frames of new streams may follow in the same chunk. */
  welcomed(connection: Connection): void
  /** The server has taken the channel end of this number. */
  opened(number: number): void
  /** The server has not taken it, and has forgotten the number. */
  refused(number: number, error: SignalboxError): void
  /** The channel end of this number, if there is one. */
  endOf(number: number): Attachable | undefined
  /** The server is closing: nothing more is to be begun. */
  leaving(): void
  /** It is lost, and the streams will be told next. */
  losing(): void
  /** It is over, its streams too. */
  over(connection: Connection, error: Error): void
}

export class Connection implements StreamHost, PortOwner, Watched {
  readonly settings: LinkSettings
  readonly growth: GrowthBudget
  readonly #owner: ConnectionOwner
  readonly #streams = new Map<number, Stream>()
  readonly #peers = new Peers()
  readonly #heartbeat: Heartbeat
  readonly #ended = deferred<void>()
  #state: 'dialling' | 'greeting' | 'open' | 'leaving' | 'over' = 'dialling'
  #dialling: AbortController | undefined
  #port: Port | undefined
  #pump: Pump | undefined
  #stopTimer: Cancel = () => {}
  /** Why the peer said it ends the connection. */
  #farewell: SignalboxError | undefined

  constructor(owner: ConnectionOwner) {
    this.settings = owner.settings
    this.growth = owner.growth
    this.#owner = owner
    this.#heartbeat = new Heartbeat(owner.settings.heartbeatMs, owner.settings.clock)
  }

  /** Streams need it, and there are none before it. Of a connection that is over it takes what goes nowhere. */
  get port(): Port {
    return this.#port as Port
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  get streams(): number {
    return this.#streams.size
  }

  /** Dials and says HELLO. Never rejects: what becomes of it is told to the owner. */
  async begin(dial: Dialling, hello: Uint8Array): Promise<void> {
    const { clock, connectTimeoutMs } = this.settings
    try {
      this.#dialling = new AbortController()
      const dialled = dial(this.#dialling.signal)
      this.#stopTimer = clock.after(connectTimeoutMs, () => this.#tooLate(), true)
      const port = await dialled
      this.#dialling = undefined
      if (this.#state === 'dialling') this.#greet(port, hello)
      else port.destroy()
    } catch (error) {
      this.#cut(error as Error)
    }
  }

  /** Sends a frame about a channel end. */
  send(kind: number, number: number, payload: Uint8Array): void {
    this.port.send(kind, 0, number, 0, payload, 0, payload.length)
  }

  wantsPump(stream: Stream): void {
    this.#pump?.add(stream)
  }

  forget(stream: Stream): void {
    if (this.#streams.delete(stream.number)) this.#peers.remove(stream.peer)
    if (this.#state === 'leaving' && this.#streams.size === 0) this.#port?.close()
  }

  /** Ends it, as its owner wants: what was sent goes out first. The owner is not told. */
  close(): void {
    if (this.#state === 'over') return
    if (this.#wasWelcomed) this.send(Kind.BYE, 0, none)
    this.#stop()
    this.#port?.close()
  }

  /** Tells the streams of a connection that has been closed. */
  drop(error: SignalboxError): void {
    for (const stream of [...this.#streams.values()]) stream.lose(error)
    this.#streams.clear()
  }

  /** Resolves once nothing of it is left in the operating system. */
  async gone(): Promise<void> {
    if (this.#port) await this.#ended.promise
  }

  frame(kind: number, flags: number, stream: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#state === 'over') return
    if (kind >= firstStreamKind) this.#streamFrame(kind, flags, stream, id, bytes, start, end)
    else if (kind === Kind.WELCOME) this.#welcomed(bytes, start, end)
    else if (kind === Kind.BYE) this.#farewell = start === end ? undefined : decodeFailure(bytes, start, end, false)
    else if (!this.#wasWelcomed) throw socketError('BAD_FRAME', `A frame of kind ${kind} came before the WELCOME.`)
    else if (kind === Kind.PING) this.send(Kind.PONG, 0, none)
    else if (kind === Kind.ATTACH) this.#attach(stream, id, bytes, start, end)
    else if (kind === Kind.OPENED) this.#owner.opened(stream)
    else if (kind === Kind.REFUSED) this.#owner.refused(stream, decodeFailure(bytes, start, end, false))
    else if (kind === Kind.GOAWAY) this.#leave()
    else if (kind !== Kind.PONG) throw socketError('BAD_FRAME', `A server does not send frames of kind ${kind}.`)
  }

  drained(): void {
    this.#pump?.resume()
  }

  garbled(error: Error): void {
    if (this.#state === 'over') return
    this.send(Kind.BYE, 0, encodeFailure(error))
    this.#port?.close()
    this.#fail(error)
  }

  ended(error: Error | undefined): void {
    this.#ended.resolve()
    this.#fail(this.#farewell ?? error ?? socketError('LINK_LOST', 'The peer closed the connection.'))
  }

  silent(error: Error): void {
    this.#cut(error)
  }

  get #wasWelcomed(): boolean {
    return this.#state === 'open' || this.#state === 'leaving'
  }

  #greet(port: Port, hello: Uint8Array): void {
    this.#state = 'greeting'
    this.#port = port
    this.#pump = new Pump(port, this.settings.clock)
    port.attach(this)
    port.limit(maxHelloBytes)
    this.send(Kind.HELLO, 0, hello)
  }

  #tooLate(): void {
    const what = `No answer within ${this.settings.connectTimeoutMs} ms.`
    this.#cut(socketError(this.#port ? 'HANDSHAKE_TIMEOUT' : 'CONNECT_FAILED', what))
  }

  /** Ends a connection whose peer is not there any more, or never was. */
  #cut(error: Error): void {
    this.#port?.destroy()
    this.#fail(error)
  }

  #welcomed(bytes: Uint8Array, start: number, end: number): void {
    if (this.#state !== 'greeting') throw socketError('BAD_FRAME', 'A second WELCOME came.')
    decodeWelcome(bytes, start, end)
    this.#stopTimer()
    this.port.limit(maxFrameBytes)
    this.#state = 'open'
    this.#heartbeat.watch(this)
    this.#owner.welcomed(this)
  }

  #streamFrame(
    kind: number,
    flags: number,
    number: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const stream = this.#streams.get(number)
    if (stream === undefined) {
      this.#owner.late++
      return
    }
    try {
      stream.frame(kind, flags, id, bytes, start, end)
    } catch (error) {
      // The fault of the peer at the other end of this one stream: neither the server nor the others have a part in it.
      stream.fail(error as SignalboxError)
    }
  }

  #attach(number: number, end: number, bytes: Uint8Array, start: number, stop: number): void {
    const peer = decodePeer(bytes, start, stop)
    const owner = this.#owner.endOf(end)
    if (owner === undefined) {
      this.send(Kind.RESET, number, encodeFailure(socketError('PROVIDER_CLOSED')))
      return
    }
    if (this.#streams.has(number)) throw socketError('BAD_FRAME', `The number ${number} of a stream is not new.`)
    const stream = new Stream(number, this.#peers.add(peer), this, owner)
    this.#streams.set(number, stream)
    if (this.#state === 'leaving') stream.end()
    owner.attached(stream)
  }

  #leave(): void {
    if (this.#state !== 'open') return
    this.#state = 'leaving'
    this.#farewell = socketError('SERVER_CLOSING')
    this.#owner.leaving()
    if (this.#streams.size === 0) this.#port?.close()
  }

  /** It is over through no wish of its owner. */
  #fail(error: Error): void {
    if (this.#state === 'over') return
    const wasWelcomed = this.#wasWelcomed
    this.#stop()
    if (wasWelcomed) {
      this.#owner.losing()
      this.drop(socketError('LINK_LOST', undefined, { cause: error }))
    }
    const isSaid = this.#farewell !== undefined || isTerminal(error) || this.#port === undefined
    this.#owner.over(this, wasWelcomed || (isSaid && error instanceof SignalboxError) ? error : notMade(error))
  }

  #stop(): void {
    this.#state = 'over'
    this.#stopTimer()
    this.#heartbeat.forget(this)
    this.#dialling?.abort()
  }
}

function notMade(cause: Error): Error {
  const isCut = cause instanceof SignalboxError && cause.code === 'LINK_LOST'
  const what = isCut ? 'the peer closed the connection (it may expect tls, or a certificate).' : cause.message
  return socketError('CONNECT_FAILED', `No link came about: ${what}`, { cause })
}
