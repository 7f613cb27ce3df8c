/**
 * A link: one shared persistent connection that carries any number of channels.
 *
 * Floor 9. Links share nothing with each other.
 */

import { handled } from '#base/deferred'
import { socketError } from '#base/errors'
import type { MemoryBudget } from '#base/memory-budget'
import { defined, verify } from '#base/verify'
import {
  type ConsumerOptions,
  type LinkOptions,
  type OpenOptions,
  openRules,
  type ProviderOptions,
} from '../options.ts'
import { Provider } from './answering/provider.ts'
import { Consumer } from './calling/consumer.ts'
import { connectedSession, newSession, opened } from './connect.ts'
import { Session } from './session.ts'

/** What a link carries at the moment. */
export interface LinkStats {
  /** Channel ends opened on it. */
  readonly ends: number
  /** Consumer-provider pairings. */
  readonly streams: number
  /** Frames that came for streams that were over. */
  readonly lateFrames: number
  /** Bytes held for others, and how many may be. */
  readonly memory: { readonly used: number; readonly limit: number }
}

/** What concerns the opening, and what the channel end. Throws INVALID_OPTION. */
function parted<T extends OpenOptions>(options: T): { limits: OpenOptions; own: Omit<T, keyof OpenOptions> } {
  const { timeoutMs, signal, ...own } = options
  const limits = defined({ timeoutMs, signal }) as OpenOptions
  verify('open', limits, openRules)
  return { limits, own }
}

export class Link implements AsyncDisposable {
  /** Resolves when the link is closed for good, with the error if one was the cause. Never rejects. */
  readonly closed: Promise<Error | undefined>
  readonly #session: Session

  /** @internal Use `Link.connect` or `server.link()`. */
  constructor(session: Session) {
    if (!(session instanceof Session)) {
      throw socketError('INVALID_OPTION', 'A link is made by Link.connect or server.link.')
    }
    this.#session = session
    this.closed = session.whenClosed
  }

  /** Connects to a server: `tcp://host:port`, `tls://host:port` or `unix:/path`. Rejects with CONNECT_FAILED. */
  static async connect(url: string, options: LinkOptions = {}): Promise<Link> {
    return new Link(await connectedSession(url, options))
  }

  /**
   * Like `connect`, but there at once, while it connects. A server that is away is tried again as after a loss; if the same
   * would happen again the link is closed: see `closed`.
   */
  static lazy(url: string, options: LinkOptions = {}): Link {
    const session = newSession(url, options)
    void handled(session.connect(true))
    return new Link(session)
  }

  /** Whether the connection is up at this moment. */
  get isOpen(): boolean {
    return this.#session.isOpen
  }

  /** What it holds for others, and how much it may. */
  get memory(): MemoryBudget {
    return this.#session.settings.memory
  }

  /**
   * Opens the answering side of a channel. Rejects with CHANNEL_CONFLICT, FORBIDDEN, AUTH_UNAVAILABLE,
   * TOO_MANY_CHANNELS, MEMORY_FULL, TIMEOUT, ABORTED or CLOSED.
   */
  async provider(channelId: string, options: ProviderOptions & OpenOptions = {}): Promise<Provider> {
    const { limits, own } = parted(options)
    return opened(this.#session, new Provider(this.#session, channelId, own), limits)
  }

  /**
   * Opens the calling side of a channel. Rejects with FORBIDDEN, AUTH_UNAVAILABLE, TOO_MANY_CHANNELS, MEMORY_FULL,
   * TIMEOUT, ABORTED or CLOSED.
   */
  async consumer(channelId: string, options: ConsumerOptions & OpenOptions = {}): Promise<Consumer> {
    const { limits, own } = parted(options)
    return opened(this.#session, new Consumer(this.#session, channelId, own), limits)
  }

  /**
   * Like `consumer`, but there at once: what is sent waits until the server has taken the channel end. One that is refused
   * for a reason that may pass, such as AUTH_UNAVAILABLE, is opened again later.
   */
  lazyConsumer(channelId: string, options: ConsumerOptions = {}): Consumer {
    return new Consumer(this.#session, channelId, options, false, true)
  }

  /** @internal Why a channel end that waits to be opened again was refused. */
  get refusal(): Error | undefined {
    return this.#session.refusal
  }

  stats(): LinkStats {
    const { endCount, streamCount, late } = this.#session
    const { used, limit } = this.memory
    return { ends: endCount, streams: streamCount, lateFrames: late, memory: { used, limit } }
  }

  /** Closes the link and everything on it. What was sent goes out; what waits is settled. Never rejects. */
  async close(): Promise<void> {
    await this.#session.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
