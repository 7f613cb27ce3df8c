/**
 * The server: a switchboard that links connect to.
 *
 * Floor 10. It routes frames by channel and knows nothing of topics.
 */
import type { Cancel } from '#base/clock'
import { type Deferred, deferred, handled } from '#base/deferred'
import { type SocketErrorCode, socketError } from '#base/errors'
import { MemoryBudget } from '#base/memory-budget'
import { invalid, verify } from '#base/verify'
import { Link } from '../client/link.ts'
import { Session } from '../client/session.ts'
import {
  type AcceptOptions,
  acceptRules,
  type LinkOptions,
  linkSettings,
  listenAddresses,
  type ServerEvent,
  type ServerOptions,
  type ServerSettings,
  serverSettings,
} from '../options.ts'
import { Heartbeat } from '../time/heartbeat.ts'
import { joinedPorts } from '../transport/in-process.ts'
import { listenOf } from '../transport/node/listen.ts'
import type { Listener, Port } from '../transport/port.ts'
import { plainIdentity } from '../wire/control-frames.ts'
import { Questions } from './questions.ts'
import { Roster } from './roster.ts'
import { ServerConnection } from './server-connection.ts'
import { Switchboard } from './switchboard.ts'

/** What a server carries at the moment, and what it had to refuse. */
export interface ServerStats {
  /** Links, in-process ones included. */
  readonly links: number
  /** Connections that have not finished their handshake. */
  readonly handshakes: number
  /** Channels with at least one end open. */
  readonly channels: number
  /** Consumer-provider pairings. */
  readonly streams: number
  /** Frames that came for streams that were over. */
  readonly lateFrames: number
  /** Links and channel ends that were refused since the start. */
  readonly refused: number
  /** Links that ended with an error since the start: lost, silent, too slow, or misbehaving. */
  readonly broken: number
  /** Bytes that the server and its in-process links hold for others, and how many they may. */
  readonly memory: { readonly used: number; readonly limit: number }
}

/** Who links within the program are, besides what every link may say. */
export type LocalLinkOptions = LinkOptions & Pick<AcceptOptions, 'identity' | 'trusted'>

/** Only this file has it, so only `Server.listen` makes servers. */
const own = Symbol('Server')

export class Server implements AsyncDisposable {
  /** @internal */ readonly settings: ServerSettings
  /** @internal */ readonly switchboard: Switchboard
  /** @internal */ readonly heartbeat: Heartbeat
  /** @internal */ readonly linkQuestions: Questions
  /** @internal */ readonly endQuestions: Questions
  /** @internal */ isClosing = false
  /** @internal What the server and its in-process links hold for others. */
  readonly memory: MemoryBudget
  readonly #roster: Roster
  #listeners: Listener[] = []
  #lastLinkId = 0
  #refused = 0
  #broken = 0
  #empty: Deferred<void> | undefined
  #closing: Promise<void> | undefined

  /** @internal Use `Server.listen`. */
  constructor(settings: ServerSettings, key: symbol) {
    if (key !== own) throw socketError('INVALID_OPTION', 'A Server is made by Server.listen.')
    this.settings = settings
    this.memory = new MemoryBudget(settings.maxMemoryBytes)
    this.switchboard = new Switchboard(settings.maxLinkBufferBytes, this.memory)
    this.heartbeat = new Heartbeat(settings.heartbeatMs, settings.clock)
    const { clock, handshakeTimeoutMs, maxMemoryBytes } = settings
    this.linkQuestions = new Questions(maxMemoryBytes / 4, clock, handshakeTimeoutMs)
    this.endQuestions = new Questions(maxMemoryBytes / 4, clock, handshakeTimeoutMs)
    this.#roster = new Roster(settings.maxLinks, settings.maxHandshakes)
  }

  /** Listens; with `listen: false` nowhere. Rejects with LISTEN_FAILED, or INVALID_OPTION. */
  static async listen(options: ServerOptions = {}): Promise<Server> {
    const server = new Server(serverSettings(options), own)
    const { clock, handshakeTimeoutMs } = server.settings
    const settings = { clock, handshakeTimeoutMs, reserve: (cut: () => void) => server.#roster.reserve(cut) }
    try {
      for (const where of listenAddresses(options)) {
        const listen = listenOf(where, options.transports)
        server.#listeners.push(await listen(where, settings, (port) => server.#accept(port, {})))
      }
    } catch (error) {
      await server.close()
      throw error
    }
    return server
  }

  /** The address to connect to; the first one of several, '' where it listens nowhere. */
  get url(): string {
    return this.urls[0] ?? ''
  }

  /** Every address it listens on. */
  get urls(): readonly string[] {
    return this.#listeners.map((listener) => listener.url)
  }

  /**
   * A link to this server in the same program: no socket, no copy. It is trusted, so that no limits and no hooks apply,
   * unless it has an `identity`: then it is treated as that would be, except that `authenticate` is not asked.
   */
  link(options: LocalLinkOptions = {}): Link {
    const { identity, trusted = identity === undefined, ...rest } = options
    const given = checked(identity === undefined ? { trusted } : { identity, trusted })
    const { clock } = this.settings
    const session = new Session(linkSettings({ clock, ...rest, reconnect: false }, this.memory), async () => {
      if (this.isClosing) throw socketError('SERVER_CLOSING')
      const [near, far] = joinedPorts(clock)
      this.#accept(far, given)
      return near
    })
    // A failure is told by `link.closed`, and by everything that is opened on the link.
    void handled(session.connect())
    return new Link(session)
  }

  /** Takes a connection that was made elsewhere, by whatever transport. Throws INVALID_OPTION. */
  accept(port: Port, options: AcceptOptions = {}): void {
    if (typeof port?.attach !== 'function') throw invalid('server.accept', 'port', 'a Port', port)
    this.#accept(port, checked(options))
  }

  stats(): ServerStats {
    const { channels, streams, lateFrames } = this.switchboard
    const { links, handshakes } = this.#roster
    const { used, limit } = this.memory
    return {
      links: links.size,
      handshakes,
      channels,
      streams,
      lateFrames,
      refused: this.#refused,
      broken: this.#broken,
      memory: { used, limit },
    }
  }

  /** Stops accepting, lets streams finish for `graceMs`, then cuts what is left. Never rejects. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** @internal */
  greeted(connection: ServerConnection): void {
    this.#roster.greeted(connection)
  }

  /** @internal */
  admit(connection: ServerConnection): SocketErrorCode | undefined {
    return this.isClosing ? 'SERVER_CLOSING' : this.#roster.admit(connection)
  }

  /** @internal */
  over(connection: ServerConnection): void {
    this.#roster.remove(connection)
    if (this.#roster.isEmpty) this.#empty?.resolve()
  }

  /** @internal */
  tell(event: ServerEvent): void {
    if (event.type === 'refused') this.#refused++
    if (event.type === 'link-close' && event.code !== undefined) this.#broken++
    try {
      this.settings.observe?.(event)
    } catch (error) {
      // Told in a turn of its own, for here it would leave things half done.
      this.settings.clock.turn(() => {
        throw error
      })
    }
  }

  #accept(port: Port, given: AcceptOptions): void {
    const connection = new ServerConnection(port, ++this.#lastLinkId, this, given)
    if (this.isClosing) connection.end(socketError('SERVER_CLOSING'))
    else if (!this.#roster.begin(connection)) connection.end(socketError('TOO_MANY_LINKS'))
  }

  async #close(): Promise<void> {
    this.isClosing = true
    // Those of other transports may throw; what is connected must be told all the same.
    const stopped = this.#listeners.map(async (listener) => await listener.close())
    for (const connection of this.#roster.all()) connection.sendAway()
    if (!this.#roster.isEmpty) {
      this.#empty = deferred()
      const stop: Cancel = this.settings.clock.after(this.settings.graceMs, this.#empty.resolve, true)
      await this.#empty.promise
      stop()
    }
    for (const connection of this.#roster.all()) connection.end(socketError('SERVER_CLOSING'))
    await Promise.allSettled(stopped)
  }
}

/** As it was when it was given, and no more than others can be told. Throws INVALID_OPTION. */
function checked(given: AcceptOptions): AcceptOptions {
  verify('server.accept', given, acceptRules)
  return given.identity === undefined ? given : { ...given, identity: plainIdentity(given.identity) }
}
