/**
 * The server's side of one connection: handshake, channel ends, liveness, and its end.
 *
 * Floor 6. States: greeting (only HELLO is taken, for `handshakeTimeoutMs`) -> open -> over. Whatever a peer sends, it
 * gets an error with a code and its own link is closed; nobody else notices.
 */
import { none } from '#base/bytes'
import type { Cancel } from '#base/clock'
import { type SignalboxError, type SocketErrorCode, socketError } from '#base/errors'
import { SmallMap } from '#base/small-map'
import type { AcceptOptions, ServerEvent, ServerSettings } from '../options.ts'
import type { Heartbeat, Watched } from '../time/heartbeat.ts'
import type { Port, PortOwner } from '../transport/port.ts'
import {
  decodeHello,
  decodeOpen,
  encodeWelcome,
  maxAddressChars,
  maxHelloBytes,
  maxTransportChars,
  type Open,
  plainIdentity,
} from '../wire/control-frames.ts'
import { decodeFailure, encodeFailure } from '../wire/failure.ts'
import { noFeatures } from '../wire/features.ts'
import { firstStreamKind, headerBytes, Kind, maxFrameBytes } from '../wire/frame.ts'
import { type Identity, type LinkInfo, noIdentity } from '../wire/peer.ts'
import type { Line, Side, SwitchEnd } from './lines.ts'
import { parsedBytes, type Question, type Questions } from './questions.ts'
import type { Switchboard } from './switchboard.ts'
import type { Waiting } from './waiting.ts'

/** What is kept while a hook is asked about a connection, or about one of its ends, beside what it is asked with. */
const linkQuestionBytes = 4 * 1024
const endQuestionBytes = 1_000
/** Who comes with more, or asks about more ends at a time, asks much. */
const muchBytes = 16 * 1024
const manyEnds = 256

/** What a connection needs of its server. */
export interface ConnectionHost {
  readonly settings: ServerSettings
  readonly switchboard: Switchboard
  readonly heartbeat: Heartbeat
  /** Asked of `authenticate`. */
  readonly linkQuestions: Questions
  /** Asked of `authorise`. */
  readonly endQuestions: Questions
  readonly isClosing: boolean
  /** It has said HELLO, and is being judged. */
  greeted(connection: ServerConnection): void
  /** It has said who it is: an older connection of the same link is ended. Gives a code when there is no room. */
  admit(connection: ServerConnection): SocketErrorCode | undefined
  over(connection: ServerConnection): void
  tell(event: ServerEvent): void
}

export class ServerConnection implements Line, PortOwner, Watched {
  readonly port: Port
  readonly ends = new SmallMap<number, SwitchEnd>()
  readonly sides = new SmallMap<number, Side>()
  readonly isTrusted: boolean
  readonly maxStreams: number
  info: LinkInfo
  /** The client's secret for this link; '' before the handshake. */
  session = ''
  introduction: Uint8Array | undefined
  fullIntroduction: Uint8Array | undefined
  waiting: Waiting | undefined
  readonly #host: ConnectionHost
  /** Who it is, where whoever gave the port to the server knows. */
  readonly #given: Identity | undefined
  /** Ends that wait for `authorise`; made with the first. */
  #opening: Set<number> | undefined
  /** Answers of `authorise` that are awaited, also for ends that were shut meanwhile: a hook cannot be called off. */
  #asked = 0
  #state: 'greeting' | 'open' | 'over' = 'greeting'
  #lastStream = 0
  /** The highest number that an end has had. */
  #lastEnd = 0
  #stopTimer: Cancel | undefined
  #reason: Error | undefined

  constructor(port: Port, linkId: number, host: ConnectionHost, given: AcceptOptions) {
    const { settings } = host
    // No more than others take: whoever was joined with it would be cut for what it is told.
    const transport = port.transport.slice(0, maxTransportChars)
    const address = (given.address ?? port.address).slice(0, maxAddressChars)
    this.port = port
    this.info = { linkId, name: '', transport, address, identity: noIdentity, features: noFeatures }
    this.isTrusted = given.trusted === true
    this.maxStreams = this.isTrusted ? Number.POSITIVE_INFINITY : settings.maxStreamsPerLink
    this.#given = given.identity ?? (this.isTrusted ? noIdentity : undefined)
    this.#host = host
    this.#stopTimer = settings.clock.after(settings.handshakeTimeoutMs, () =>
      this.end(socketError('HANDSHAKE_TIMEOUT')),
    )
    port.attach(this)
    port.limit(maxHelloBytes)
  }

  nextStream(): number {
    do {
      this.#lastStream = (this.#lastStream + 1) >>> 0 || 1
    } while (this.sides.has(this.#lastStream))
    return this.#lastStream
  }

  /** What the server itself has to say waits like all else, and within the same bound. */
  tell(kind: number, stream: number, id: number, payload: Uint8Array, source?: Line): void {
    const { port } = this
    port.send(kind, 0, stream, id, payload, 0, payload.length)
    if (port.isCongested) this.#host.switchboard.congestion.grew(this, source, headerBytes + payload.length)
  }

  overflowed(limit: number, actual: number): void {
    this.#reason ??= socketError('SLOW_LINK', undefined, { details: { limit, actual } })
    this.port.destroy()
  }

  /** Ends the connection: tells the peer why, and closes. */
  end(error: SignalboxError): void {
    if (this.#state === 'over') return
    this.#reason ??= error
    try {
      this.tell(Kind.BYE, 0, 0, encodeFailure(error))
      this.#finish()
    } finally {
      this.port.close()
    }
  }

  /** Ends the connection, and does not wait until the peer has heard why. */
  cut(error: SignalboxError): void {
    this.end(error)
    this.port.destroy()
  }

  /** Asks the client to finish its streams and leave. */
  sendAway(): void {
    if (this.#state === 'open') this.tell(Kind.GOAWAY, 0, 0, none)
    else this.end(socketError('SERVER_CLOSING'))
  }

  frame(
    kind: number,
    flags: number,
    stream: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    framed: boolean,
  ): void {
    if (this.#state !== 'open') this.#greet(kind, bytes, start, end)
    else if (kind >= firstStreamKind) {
      this.#host.switchboard.route(this, kind, flags, stream, id, bytes, start, end, framed)
    } else if (kind === Kind.PING) this.tell(Kind.PONG, 0, 0, none)
    else if (kind === Kind.OPEN) this.#open(stream, decodeOpen(bytes, start, end))
    else if (kind === Kind.SHUT) this.#shut(stream)
    else if (kind === Kind.BYE) this.#left(bytes, start, end)
    else if (kind !== Kind.PONG) throw socketError('BAD_FRAME', `A client does not send frames of kind ${kind}.`)
  }

  drained(): void {
    this.#host.switchboard.congestion.drained(this)
  }

  silent(error: Error): void {
    this.end(error as SignalboxError)
  }

  garbled(error: Error): void {
    this.end(error as SignalboxError)
  }

  ended(error: Error | undefined): void {
    this.#reason ??= error
    this.#finish()
    // Not before: what waits for a link that is dismissed stays until its port is over.
    this.#host.switchboard.congestion.forget(this)
  }

  #greet(kind: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#state === 'over') return
    if (kind !== Kind.HELLO || this.session !== '') {
      throw socketError('BAD_FRAME', 'The first frame of a client is one HELLO, and then it waits for the WELCOME.')
    }
    const { name, auth, session, features } = decodeHello(bytes, start, end)
    this.session = session
    this.info = { ...this.info, name, features }
    this.#host.greeted(this)
    const { authenticate } = this.#host.settings
    if (this.#given !== undefined || authenticate === undefined) this.#welcome(this.#given ?? noIdentity)
    else {
      const weight = parsedBytes(bytes, start, end)
      const question = this.#host.linkQuestions.ask(linkQuestionBytes + weight, weight > muchBytes)
      if (question === undefined) this.end(socketError('TOO_MANY_LINKS'))
      else void this.#authenticate(authenticate, auth, question)
    }
  }

  /** The credentials are forgotten with this call. */
  async #authenticate(
    authenticate: NonNullable<ServerSettings['authenticate']>,
    auth: unknown,
    question: Question,
  ): Promise<void> {
    try {
      this.#welcome(plainIdentity(await authenticate({ ...this.info, auth })))
    } catch (cause) {
      this.end(socketError(isRetryable(cause) ? 'AUTH_UNAVAILABLE' : 'UNAUTHENTICATED', undefined, { cause }))
    } finally {
      question.answered()
    }
  }

  #welcome(identity: Identity): void {
    if (this.#state !== 'greeting') return
    this.info = { ...this.info, identity }
    const refusal = this.#host.admit(this)
    if (refusal) {
      this.end(socketError(refusal))
      return
    }
    this.#stopTimer?.()
    this.#stopTimer = undefined
    this.#state = 'open'
    this.port.limit(maxFrameBytes)
    if (this.port.transport !== 'local') this.#host.heartbeat.watch(this)
    this.#host.tell({ type: 'link-open', link: this.info })
    this.tell(Kind.WELCOME, 0, 0, encodeWelcome({ linkId: this.info.linkId }))
  }

  /** The client said why it leaves, if not because it is done. */
  #left(bytes: Uint8Array, start: number, end: number): void {
    if (start < end) this.#reason ??= decodeFailure(bytes, start, end, false)
    this.#finish()
    this.port.close()
  }

  #open(number: number, open: Open): void {
    // A number that is used again could be mistaken for the end that had it before. [SOCK 4.1]
    if (number <= this.#lastEnd) throw socketError('BAD_FRAME', `The number ${number} of a channel end is not new.`)
    this.#lastEnd = number
    const { maxEndsPerLink, authorise } = this.#host.settings
    if (!this.isTrusted && this.ends.size + this.#asked >= maxEndsPerLink) {
      this.#refuse(number, open, 'TOO_MANY_CHANNELS')
    } else if (authorise === undefined || this.isTrusted) {
      this.#opened(number, open)
    } else {
      const question = this.#host.endQuestions.ask(endQuestionBytes, this.#asked >= manyEnds)
      if (question === undefined) {
        this.#refuse(number, open, 'MEMORY_FULL')
        return
      }
      this.#opening ??= new Set()
      this.#opening.add(number)
      void this.#authorise(number, open, authorise, question)
    }
  }

  async #authorise(
    number: number,
    open: Open,
    authorise: NonNullable<ServerSettings['authorise']>,
    question: Question,
  ): Promise<void> {
    let refusal: SocketErrorCode | undefined
    this.#asked++
    try {
      if (!(await authorise(this.info, open.role, open.channelId))) refusal = 'FORBIDDEN'
    } catch {
      // A hook that throws has not said no: it could not find out.
      refusal = 'AUTH_UNAVAILABLE'
    }
    this.#asked--
    question.answered()
    // Shut, or the link lost, while the hook was thinking.
    if (!this.#opening?.delete(number)) return
    if (refusal) this.#refuse(number, open, refusal)
    else this.#opened(number, open)
  }

  #opened(number: number, open: Open): void {
    const refusal = this.#host.isClosing ? 'SERVER_CLOSING' : this.#host.switchboard.open(this, number, open)
    if (refusal) this.#refuse(number, open, refusal)
    else this.#host.tell({ type: 'end-open', link: this.info, role: open.role, channelId: open.channelId })
  }

  #refuse(number: number, { role, channelId }: Open, code: SocketErrorCode): void {
    this.tell(Kind.REFUSED, number, 0, encodeFailure(socketError(code)))
    this.#host.tell({ type: 'refused', link: this.info, role, channelId, code })
  }

  #shut(number: number): void {
    this.#opening?.delete(number)
    const end = this.ends.get(number)
    if (end === undefined) return
    this.#host.switchboard.shut(end)
    this.#tellClosed(end)
  }

  evicted(end: SwitchEnd, code: SocketErrorCode): void {
    this.tell(Kind.REFUSED, end.number, 0, encodeFailure(socketError(code)))
    this.#tellClosed(end, code)
  }

  #tellClosed({ open: { role, channelId } }: SwitchEnd, code?: SocketErrorCode): void {
    const event = { type: 'end-close', link: this.info, role, channelId } as const
    this.#host.tell(code === undefined ? event : { ...event, code })
  }

  #finish(): void {
    if (this.#state === 'over') return
    const wasOpen = this.#state === 'open'
    this.#state = 'over'
    this.#stopTimer?.()
    this.#host.heartbeat.forget(this)
    this.#opening?.clear()
    const ends = this.ends.values()
    this.#host.switchboard.drop(this)
    this.#host.over(this)
    for (const end of ends) this.#tellClosed(end)
    const { code } = (this.#reason ?? {}) as { code?: string }
    const event = { type: wasOpen ? 'link-close' : 'refused', link: this.info } as const
    this.#host.tell(code === undefined ? event : { ...event, code })
  }
}

function isRetryable(cause: unknown): boolean {
  return typeof cause === 'object' && cause !== null && (cause as { retryable?: unknown }).retryable === true
}
