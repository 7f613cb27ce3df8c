/**
 * The server: a switchboard that links connect to.
 *
 * Floor 10. It routes frames by channel and knows nothing of topics.
 */
import type { Cancel } from '#base/clock'
import { type Deferred, deferred, handled } from '#base/deferred'
import { socketError } from '#base/errors'
import { Link } from '../client/link.ts'
import { Session } from '../client/session.ts'
import {
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
import { type Listener, listen } from '../transport/node/listen.ts'
import type { Port } from '../transport/port.ts'
import { ServerConnection } from './server-connection.ts'
import { Switchboard } from './switchboard.ts'

/** What a server carries at the moment, and what it had to refuse. */
export interface ServerStats {
  /** Connections, in-process ones included. */
  readonly links: number
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
}

export class Server implements AsyncDisposable {
  /** @internal */ readonly settings: ServerSettings
  /** @internal */ readonly switchboard: Switchboard
  /** @internal */ readonly heartbeat: Heartbeat
  /** @internal */ isClosing = false
  readonly #links = new Set<ServerConnection>()
  readonly #sessions = new Map<string, ServerConnection>()
  #listeners: Listener[] = []
  #lastLinkId = 0
  #refused = 0
  #broken = 0
  #empty: Deferred<void> | undefined
  #closing: Promise<void> | undefined

  /** @internal Use `Server.listen`. */
  constructor(settings: ServerSettings) {
    this.settings = settings
    this.switchboard = new Switchboard(settings.maxLinkBufferBytes)
    this.heartbeat = new Heartbeat(settings.heartbeatMs, settings.clock)
  }

  /** Listens. Rejects with LISTEN_FAILED, or INVALID_OPTION. */
  static async listen(options: ServerOptions = {}): Promise<Server> {
    const server = new Server(serverSettings(options))
    try {
      for (const where of listenAddresses(options)) {
        const listener = await listen(where, server.settings, (port) => server.#accept(port))
        server.#listeners.push(listener)
      }
    } catch (error) {
      await server.close()
      throw error
    }
    return server
  }

  /** The address to connect to; the first one of several. */
  get url(): string {
    return this.urls[0] as string
  }

  /** Every address it listens on. */
  get urls(): readonly string[] {
    return this.#listeners.map((listener) => listener.url)
  }

  /** A link to this server in the same program: no socket, no copy, no authentication. */
  link(options: LinkOptions = {}): Link {
    const { clock } = this.settings
    const session = new Session(linkSettings({ clock, ...options, reconnect: false }), async () => {
      if (this.isClosing) throw socketError('SERVER_CLOSING')
      const [near, far] = joinedPorts(clock)
      this.#accept(far)
      return near
    })
    // A failure is told by `link.closed`, and by everything that is opened on the link.
    void handled(session.connect())
    return new Link(session)
  }

  stats(): ServerStats {
    const { channels, streams, lateFrames } = this.switchboard
    return { links: this.#links.size, channels, streams, lateFrames, refused: this.#refused, broken: this.#broken }
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
  greeted(link: ServerConnection): void {
    this.#sessions.get(link.session)?.end(socketError('REPLACED'))
    this.#sessions.set(link.session, link)
  }

  /** @internal */
  over(link: ServerConnection): void {
    this.#links.delete(link)
    if (this.#sessions.get(link.session) === link) this.#sessions.delete(link.session)
    if (this.#links.size === 0) this.#empty?.resolve()
  }

  /** @internal */
  tell(event: ServerEvent): void {
    if (event.type === 'refused') this.#refused++
    if (event.type === 'link-close' && event.code !== undefined) this.#broken++
    this.settings.observe?.(event)
  }

  #accept(port: Port): void {
    const link = new ServerConnection(port, ++this.#lastLinkId, this)
    if (this.#links.size >= this.settings.maxLinks) {
      link.end(socketError('TOO_MANY_LINKS', undefined, { details: { limit: this.settings.maxLinks } }))
    } else if (this.isClosing) {
      link.end(socketError('SERVER_CLOSING'))
    } else {
      this.#links.add(link)
    }
  }

  async #close(): Promise<void> {
    this.isClosing = true
    const stopped = this.#listeners.map((listener) => listener.close())
    for (const link of [...this.#links]) link.sendAway()
    if (this.#links.size > 0) {
      this.#empty = deferred()
      const stop: Cancel = this.settings.clock.after(this.settings.graceMs, this.#empty.resolve, true)
      await this.#empty.promise
      stop()
    }
    for (const link of [...this.#links]) link.end(socketError('SERVER_CLOSING'))
    await Promise.all(stopped)
  }
}
