/**
 * The broker: a hub, and the server that it is a client of.
 *
 * Floor 15. `listen` has both in this process, joined by an in-process link; `attach` joins a server elsewhere. Either
 * way it is the same hub.
 */
import { traced } from '#base/caller'
import { handled } from '#base/deferred'
import { SignalboxError, socketError } from '#base/errors'
import { wholeClock } from '#base/own-clock'
import { defined, invalid, isObject } from '#base/verify'
import {
  type Identity,
  Link,
  type LinkOptions,
  linkDefaults,
  linkRules,
  Server,
  type ServerOptions,
  type ServerStats,
  serverRules,
} from '#socket'
import { Client } from './client/client.ts'
import { clientSettings } from './client/connect.ts'
import {
  type ClientOptions,
  type PublishOptions,
  type SubscribeOptions,
  verifyClientOptions,
  type WaitOptions,
} from './client/options.ts'
import type { Receipt } from './client/publishing/receipt.ts'
import type { PubSub } from './client/pubsub.ts'
import { type Status, StatusFeed } from './client/status.ts'
import type { Subscription } from './client/subscription.ts'
import { Hub, type HubStats } from './hub/hub.ts'
import { type AttachOptions, type BrokerOptions, splitHubOptions } from './hub/options.ts'

/**
 * What one publisher may have under way to the hub, in bytes. So much fits into the part of an outbox's limit that is
 * left when it is asked to slow down, however small its messages are (delivery/pacing.ts): of one byte, six on the way.
 */
const publishWindowBytes = 360 * 1024

/** Counts of the broker, and of its server when that is in this process. */
export interface BrokerStats extends HubStats {
  readonly server: ServerStats | undefined
}

/** Options of a client in the broker's own process. */
export interface LocalClientOptions
  extends Pick<ClientOptions, 'name' | 'producerId' | 'maxBufferedBytes' | 'maxMessageBytes'> {
  /**
   * Who the client is, as `authenticate` decides it for others; its `name` is then the sender of its messages. For a broker
   * that listens. Default nobody.
   */
  readonly identity?: Identity | undefined
}

type NewLink = (options: LinkOptions & { readonly identity?: Identity }) => Link

export class Broker implements PubSub {
  /** The address to connect to. */
  readonly url: string
  /** Resolves when the broker is closed, or has lost the server that it is attached to for good. Never rejects. */
  readonly closed: Promise<Error | undefined>
  readonly #hub: Hub
  readonly #server: Server | undefined
  readonly #common: ClientOptions
  readonly #newLink: NewLink
  readonly #clients = new Set<Client>()
  #self: Client | undefined
  #closing: Promise<void> | undefined

  /** @internal Use `Broker.listen` or `Broker.attach`. */
  constructor(url: string, hub: Hub, common: ClientOptions, server: Server | undefined, newLink: NewLink) {
    if (!(hub instanceof Hub)) {
      throw invalid('new Broker', 'hub', 'to be made by Broker.listen() or Broker.attach()', hub)
    }
    this.url = url
    this.closed = hub.closed
    this.#hub = hub
    this.#common = common
    this.#server = server
    this.#newLink = newLink
  }

  /** Starts a server and a broker in this process. Rejects with LISTEN_FAILED or INVALID_OPTION. */
  static listen(options: BrokerOptions = {}): Promise<Broker> {
    return traced(Broker.listen, () => Broker.#listen(options))
  }

  static async #listen(options: BrokerOptions): Promise<Broker> {
    const { hub: settings, rest } = splitHubOptions<ServerOptions>('Broker.listen', options, serverRules)
    const { channel } = settings
    const clock = wholeClock(rest.clock ?? linkDefaults.clock)
    const server = await Server.listen(rest)
    try {
      const { maxMessageBytes } = settings
      const link = server.link({ name: 'broker', windowBytes: publishWindowBytes, maxMessageBytes })
      const hub = await Hub.start(link, settings, clock)
      return new Broker(server.url, hub, { channel, clock }, server, (link) => server.link(link))
    } catch (error) {
      await server.close()
      throw error
    }
  }

  /**
   * Starts a broker as a client of a server elsewhere. Rejects as `Link.connect` does, with CHANNEL_CONFLICT when that
   * server has a broker, or INVALID_OPTION.
   */
  static attach(url: string, options: AttachOptions = {}): Promise<Broker> {
    return traced(Broker.attach, () => Broker.#attach(url, options))
  }

  static async #attach(url: string, options: AttachOptions): Promise<Broker> {
    const { hub: settings, rest } = splitHubOptions<LinkOptions>('Broker.attach', options, linkRules)
    const { maxMessageBytes } = settings
    const link = await Link.connect(url, { name: 'broker', windowBytes: publishWindowBytes, ...rest, maxMessageBytes })
    try {
      const hub = await Hub.start(link, settings, wholeClock(rest.clock ?? linkDefaults.clock))
      // Each client of this broker has a name of its own.
      const { observe: _observe, name: _name, ...common } = rest
      const { channel } = settings
      return new Broker(url, hub, { ...common, channel }, undefined, (own) => Link.lazy(url, { ...common, ...own }))
    } catch (error) {
      await link.close()
      if (!(error instanceof SignalboxError) || error.code !== 'CHANNEL_CONFLICT') throw error
      const what = `There is a broker on the server at ${url} already: connect to it with connect(url), or give this one`
      throw new SignalboxError(error.code, `${what} a channel of its own.`, { ...error, cause: error })
    }
  }

  /** A client in this process, with the interface of one that `connect` gives. It closes with the broker. */
  client(options: LocalClientOptions = {}): Client {
    if (this.#closing) throw socketError('CLOSED', 'The broker is closed.')
    const { identity, ...own } = options
    verifyClientOptions(own)
    if (identity !== undefined && (this.#server === undefined || !isObject.test(identity))) {
      throw invalid('client', 'identity', 'an object, and a broker that listens', identity)
    }
    const { producerId: _producerId, ...linkOptions } = own
    const feed = new StatusFeed()
    const observe = feed.tellOfLink.bind(feed)
    const link = this.#newLink(defined({ ...linkOptions, identity, observe }) as LinkOptions)
    const sharesMemory = this.#server !== undefined
    const client = new Client(link, { ...clientSettings({ ...this.#common, ...own }), sharesMemory }, feed)
    this.#clients.add(client)
    void client.closed.then(() => this.#clients.delete(client))
    return client
  }

  /** Publishes as a client of its own. See `Client.publish`. */
  publish(topic: string, data: unknown, options?: PublishOptions): Promise<Receipt> {
    return this.#asOwn((own) => own.publish(topic, data, options))
  }

  /** Subscribes as a client of its own. See `Client.subscribe`. */
  subscribe<T = unknown>(pattern: string, options?: SubscribeOptions): Promise<Subscription<T>> {
    return this.#asOwn((own) => own.subscribe<T>(pattern, options))
  }

  /** See `Client.unsubscribe`. */
  unsubscribe(pattern: string): Promise<void> {
    return this.#asOwn((own) => own.unsubscribe(pattern))
  }

  /** See `Client.flush`. */
  flush(options?: WaitOptions): Promise<void> {
    return this.#asOwn((own) => own.flush(options))
  }

  /** What happens to the broker's own client. See `Client.status`. */
  status(): AsyncIterableIterator<Status> {
    return this.#own.status()
  }

  stats(): BrokerStats {
    return { ...this.#hub.stats(), server: this.#server?.stats() }
  }

  /** Like `close`, but the loops of its own client finish what is queued first, for `timeoutMs` at most. */
  async drain(options: Pick<WaitOptions, 'timeoutMs'> = {}): Promise<void> {
    await Promise.all([...this.#clients].map((client) => client.drain(options)))
    await this.close()
  }

  /**
   * Takes nothing new, forwards what its own clients have published (a second at most) and what it holds (`drainMs`), ends
   * its clients, then the server. Never rejects.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Does it as the broker's own client. Rejects with CLOSED once the broker is closed. */
  #asOwn<T>(act: (own: Client) => Promise<T>): Promise<T> {
    try {
      return act(this.#own)
    } catch (error) {
      return handled(Promise.reject(error))
    }
  }

  get #own(): Client {
    this.#self ??= this.client({ name: 'broker' })
    return this.#self
  }

  async #close(): Promise<void> {
    // What its own clients have published is taken like what comes from elsewhere, and no slow subscription keeps it back.
    this.#hub.hurry()
    await Promise.all([...this.#clients].map((client) => client.departed()))
    await this.#hub.close()
    await Promise.all([...this.#clients].map((client) => client.end()))
    await this.#server?.close()
  }
}
