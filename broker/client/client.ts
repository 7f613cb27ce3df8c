/**
 * A client of a broker: publish, subscribe, and everything restored after an outage.
 *
 * Floor 12. It wires what each do one thing: a control stream, a publisher with a stream of its own, and a restorer for
 * each subscription. What is published while the broker is away waits until the subscriptions are back: it may be for
 * them.
 */
import { bounded } from '#base/bounded'
import { traced } from '#base/caller'
import type { Clock } from '#base/clock'
import { handled } from '#base/deferred'
import { SignalboxError, socketError } from '#base/errors'
import { newId } from '#base/identifier'
import { invalid } from '#base/verify'
import { Link, type Request } from '#socket/client'
import { NameCache } from '../shared/name-cache.ts'
import { decodeSubscribeReply, type HelloReply, type Refusal, type SubscribeReply } from '../shared/replies.ts'
import type { Resume } from '../shared/requests.ts'
import { checkPattern } from '../shared/topic-name.ts'
import type { ClientLimits, ClientStats } from './client-stats.ts'
import { Control } from './control.ts'
import {
  type PublishOptions,
  type SubscribeOptions,
  subscribeSettings,
  verifyPublishOptions,
  verifyWait,
  type WaitOptions,
  waitTimeoutMs,
} from './options.ts'
import { Publisher } from './publishing/publisher.ts'
import type { Receipt } from './publishing/receipt.ts'
import { type ObserveBrokers, openStream } from './publishing/stream-order.ts'
import type { PubSub } from './pubsub.ts'
import { type Ground, type Place, Restorer } from './restorer.ts'
import type { Status, StatusFeed } from './status.ts'
import { Subscription } from './subscription.ts'

/** What a request to subscribe may take at most, and what of it is not the list of what was seen. */
const maxSubscribeBytes = 256 * 1024
const subscribeFieldsBytes = 2 * 1024

export interface ClientSettings {
  readonly name: string
  readonly producerId: string
  readonly channel: string
  readonly clock: Clock
  readonly connectTimeoutMs: number
  readonly maxBufferedBytes: number
  readonly maxMessageBytes: number
  /** Whether the broker is in this program. Default false. */
  readonly sharesMemory?: boolean
}

export class Client implements PubSub {
  /** What this client is called; its messages carry it as `sender`, unless the server knows it by another name. */
  readonly name: string
  /** Names this client in the ids of its messages. */
  readonly producerId: string
  /** Resolves when the client is closed for good, with the error if one was the cause. Never rejects. */
  readonly closed: Promise<Error | undefined>
  /** @internal */ readonly clock: Clock
  /** @internal */ readonly names = new NameCache()
  /** @internal */ readonly sharesMemory: boolean
  readonly #link: Link
  readonly #settings: ClientSettings
  readonly #feed: StatusFeed
  readonly #control: Control
  readonly #publisher: Publisher
  readonly #restorers = new Map<Subscription, Restorer>()
  #maxMessageBytes: number
  /** Brokers met so far. */
  #brokers = 0
  /** Resolves when what was published may leave for the latest. */
  #released: Promise<void> = Promise.resolve()
  #refusedByBroker = 0
  #isClosed = false
  /** What ended it, unless this program did. */
  #failure: Error | undefined

  /** @internal Use `connect` or `broker.client`. The client closes the link when it closes. */
  constructor(link: Link, settings: ClientSettings, feed: StatusFeed) {
    if (!(link instanceof Link)) throw invalid('new Client', 'link', 'to be made by connect() or broker.client()', link)
    this.name = settings.name
    this.producerId = settings.producerId
    this.clock = settings.clock
    this.sharesMemory = settings.sharesMemory ?? false
    this.#link = link
    this.#settings = settings
    this.#feed = feed
    this.#maxMessageBytes = settings.maxMessageBytes
    const publishing = {
      open: (observe: ObserveBrokers) =>
        openStream(link, settings.channel, (brokers, ...left) => {
          observe(brokers, ...left)
          // Nothing goes to one that comes while another is still leaving before it has been greeted.
          if (brokers > 1) this.#control.anew()
        }),
      refused: (refused: { topic: string; code: string; count: number; error: Error }) =>
        this.tell({ type: 'refused', ...refused }),
    }
    // Nothing leaves before the broker has said under which name, and how much.
    this.#publisher = new Publisher({ ...settings, ...publishing, sender: settings.name }, true)
    this.#control = new Control(link, settings, {
      met: (reply) => this.#met(reply),
      lost: () => this.#lost(),
      refused: (refusals, isEarlier) => this.#refused(refusals, isEarlier),
      failed: (error) => this.#failed(error),
    })
    this.closed = link.closed.then((error) => {
      this.#finish(error)
      return this.#failure
    })
  }

  /** @internal Resolves when a broker has answered. Rejects with TIMEOUT, FORBIDDEN ... */
  async greet(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    await this.#within(timeoutMs, signal, this.#control.whenMet, 'No broker has answered')
  }

  /** Whether the link is up and a broker has answered, at this moment. */
  get isConnected(): boolean {
    return this.#link.isOpen && this.#control.isMet
  }

  /** What holds for this client: its own limits, cut to those of its broker. */
  get limits(): ClientLimits {
    return { maxMessageBytes: this.#maxMessageBytes }
  }

  /** @internal */
  get isHeard(): boolean {
    return this.#feed.isHeard
  }

  /**
   * Publishes a value (as msgpack), or a `Uint8Array` as it is. At most once: resolves as soon as there is credit,
   * which is at once unless the broker is slower than this client. While the broker is away it waits here, up to
   * `maxBufferedBytes`, and goes to the next one. Rejects with INVALID_TOPIC, INVALID_DATA, FORBIDDEN,
   * MESSAGE_TOO_LARGE, BUFFER_FULL, CLOSED, and with LINK_LOST for a large one whose link broke on the way. A rejection
   * that nobody looks at does not end the process; what was refused is told as status 'refused'.
   */
  publish(topic: string, data: unknown, options?: PublishOptions): Promise<Receipt> {
    if (options !== undefined) {
      try {
        verifyPublishOptions(options)
      } catch (error) {
        return this.#publisher.refuse(topic, error as Error, 1)
      }
    }
    this.#control.watch()
    return this.#publisher.publish(topic, data, options)
  }

  /**
   * Subscribes to a topic or a pattern. Everything published after it has resolved is delivered. Rejects with
   * INVALID_PATTERN, INVALID_OPTION, TOO_MANY_SUBSCRIPTIONS, FORBIDDEN, TIMEOUT, ABORTED, CLOSED.
   */
  subscribe<T = unknown>(pattern: string, options: SubscribeOptions = {}): Promise<Subscription<T>> {
    return traced(this.subscribe, () => this.#subscribe<T>(pattern, options))
  }

  /** Closes every subscription of this client to that pattern. */
  async unsubscribe(pattern: string): Promise<void> {
    checkPattern(pattern)
    const closing = this.#subscriptions.filter((one) => one.pattern === pattern).map((one) => one.close())
    await Promise.all(closing)
  }

  /**
   * Resolves when a broker has taken all that was published so far. Rejects with why it refused some of it since the
   * last flush (`details.refused` messages), with LINK_LOST when some of it may be lost with a broker that did not
   * confirm it (`details.lost` messages at most), with TIMEOUT, ABORTED, CLOSED. Two at once tell the same. While the broker
   * is away, or closing, it waits for the next.
   */
  flush(options: WaitOptions = {}): Promise<void> {
    return traced(this.flush, () => this.#flush(options))
  }

  /** What happens to this client, from the first `next()` on: connected, refused, gap ... Ends when it is closed. */
  status(): AsyncIterableIterator<Status> {
    return this.#feed.listen()
  }

  /** What this client holds at the moment. */
  stats(): ClientStats {
    const { ends, streams } = this.#link.stats()
    const { buffered, refused } = this.#publisher
    const subscriptions = this.#subscriptions.length
    const refusedByBroker = this.#refusedByBroker
    return { subscriptions, bufferedBytes: buffered, refused, refusedByBroker, channels: ends, streams }
  }

  /**
   * Publishes and delivers what is under way, waits for loops and handlers, for `timeoutMs` at most (default 5 000),
   * then closes. Never rejects.
   */
  async drain(options: Pick<WaitOptions, 'timeoutMs'> = {}): Promise<void> {
    verifyWait('drain', options)
    const { timeoutMs = waitTimeoutMs } = options
    const isDrained = bounded(this.#drained(timeoutMs), { timeoutMs }, this.clock).then(() => true)
    if (await isDrained.catch(() => false)) await this.close()
    else await this.end()
  }

  /** Ends it: what was published goes to the broker first, if there is one, for a second at most. Never rejects. */
  async close(): Promise<void> {
    if (this.#publisher.hasToLeave()) await this.departed()
    await this.end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** @internal Takes no more publishes; resolves when those that were taken have left, as far as they can. */
  departed(): Promise<void> {
    return this.#publisher.departed(handled(this.#control.whenMet.then(() => this.#released)))
  }

  /** @internal What has not left is lost. */
  async end(): Promise<void> {
    this.#finish(undefined)
    await this.#link.close()
  }

  /** @internal */
  async leave(subscription: Subscription, drainMs: number): Promise<void> {
    const restorer = this.#restorers.get(subscription)
    // One that is drained ends with this client all the same.
    if (drainMs === 0) this.#restorers.delete(subscription)
    await restorer?.leave(drainMs)
  }

  /** @internal */
  tell(status: Status): void {
    this.#feed.tell(status)
  }

  get #subscriptions(): readonly Subscription[] {
    return [...this.#restorers.keys()]
  }

  async #subscribe<T>(pattern: string, options: SubscribeOptions): Promise<Subscription<T>> {
    checkPattern(pattern)
    const settings = subscribeSettings(options)
    if (this.#isClosed) throw socketError('CLOSED')
    const { signal, timeoutMs } = settings
    if (signal?.aborted) throw socketError('ABORTED', undefined, { cause: signal.reason })
    const subscription = new Subscription<T>(pattern, settings, this)
    const one = subscription as Subscription
    const restorer = new Restorer(this.#groundOf(one), {
      take: (request) => one.receiver.take(request),
      expect: () => one.receiver.expect(Math.min(maxSubscribeBytes, this.#maxMessageBytes) - subscribeFieldsBytes),
      begun: (reply) => one.receiver.begun(reply),
      failed: (error) => {
        this.#restorers.delete(one)
        one.fail(error)
      },
    })
    this.#restorers.set(one, restorer)
    try {
      await this.#within(timeoutMs, signal, restorer.start(), 'The broker did not answer')
    } catch (error) {
      one.fail(error as Error)
      await this.leave(one, 0)
      if (signal?.aborted) throw socketError('ABORTED', undefined, { cause: signal.reason })
      const cause = error instanceof SignalboxError && error.code === 'TIMEOUT' ? restorer.lastError : undefined
      if (cause === undefined) throw error
      throw socketError('TIMEOUT', `Subscribing took longer than ${timeoutMs} ms: ${cause.message}`, { cause })
    }
    return subscription
  }

  #groundOf({ pattern, settings }: Subscription): Ground {
    const { noEcho, from, limit } = settings
    const { maxMessageBytes } = this.#settings
    const control = this.#control
    const wanted = { pattern, noEcho, from, limitMessages: limit.messages, limitBytes: limit.bytes, maxMessageBytes }
    return {
      clock: this.clock,
      get hasBroker() {
        return control.isMet
      },
      provide: (take, observe) => this.#provide(take, observe),
      subscribe: async (channel: string, resume: Resume | null): Promise<SubscribeReply> => {
        await this.#publisher.settled()
        const request = { op: 'subscribe', channel, ...wanted, resume } as const
        return decodeSubscribeReply(await control.ask(request, waitTimeoutMs))
      },
      unsubscribe: async (channel, drainMs) => {
        if (drainMs > 0) await this.#publisher.settled()
        const request = { op: 'unsubscribe', channel, drain: drainMs > 0 } as const
        // It fails when the broker is gone or slow; closing the channel then says the same.
        await control.ask(request, drainMs > 0 ? drainMs : waitTimeoutMs).catch(() => {})
      },
    }
  }

  async #provide(take: (request: Request) => undefined, observe: (brokers: number) => void): Promise<Place> {
    const channel = newId(this.clock)
    const opening = this.#link.provider(channel, { observe })
    try {
      const provider = await bounded(opening, { timeoutMs: waitTimeoutMs }, this.clock)
      provider.serve(take, { concurrency: Number.POSITIVE_INFINITY })
      return { channel, close: () => provider.close() }
    } catch (error) {
      // Should it be opened after all, it must not stay.
      opening.then((provider) => provider.close()).catch(() => {})
      throw error
    }
  }

  #met({ sender, maxMessageBytes }: HelloReply): void {
    this.#maxMessageBytes = Math.min(this.#settings.maxMessageBytes, maxMessageBytes)
    const limit = this.#maxMessageBytes
    const broker = ++this.#brokers
    if (this.#restorers.size === 0) {
      this.#publisher.release(sender, limit)
      return
    }
    // What was published meanwhile may be for these subscriptions.
    this.#released = Promise.all([...this.#restorers.values()].map((restorer) => restorer.met())).then(() => {
      if (broker === this.#brokers && this.#control.isMet) this.#publisher.release(sender, limit)
    })
  }

  #lost(): void {
    // The next one may know this client by another name, and allow less.
    this.#publisher.hold()
    for (const restorer of this.#restorers.values()) restorer.lost()
  }

  #refused(refusals: readonly Refusal[], isEarlier: boolean): void {
    for (const refusal of refusals) {
      const { topic, code, number, message, count } = refusal
      this.#refusedByBroker += count
      this.#publisher.refusedByBroker(refusal, isEarlier)
      this.tell({ type: 'refused', topic, code, count, error: new SignalboxError(code, message, { number }) })
    }
  }

  /** No broker will answer: what was published cannot leave, and what was subscribed to cannot go on. */
  #failed(error: Error): void {
    this.#finish(error)
    void this.#link.close()
  }

  /** What is published may be for the subscriptions that are drained, so it goes first; and once more what they publish. */
  async #drained(timeoutMs: number): Promise<void> {
    await this.#flush({ timeoutMs }).catch(() => {})
    await Promise.all(this.#subscriptions.map((one) => one.drain({ timeoutMs })))
    if (!this.#publisher.isCertain) await this.#flush({ timeoutMs })
  }

  async #flush(options: WaitOptions): Promise<void> {
    verifyWait('flush', options)
    const { timeoutMs = waitTimeoutMs, signal } = options
    this.#control.watch()
    await this.#explained(
      timeoutMs,
      this.#publisher.flush({ timeoutMs, signal }),
      'The broker did not answer the flush',
    )
  }

  /** Bounds a wait for the broker. */
  #within(timeoutMs: number, signal: AbortSignal | undefined, wait: Promise<void>, what: string): Promise<void> {
    return this.#explained(timeoutMs, bounded(wait, { timeoutMs, signal }, this.clock), what)
  }

  /** When a wait for the broker was too long, the error says why the link is down or of no use, if it is. */
  async #explained(timeoutMs: number, wait: Promise<void>, what: string): Promise<void> {
    try {
      await wait
    } catch (error) {
      const cause = this.#feed.linkError ?? this.#link.refusal
      if (!(error instanceof SignalboxError) || error.code !== 'TIMEOUT') throw error
      if (cause === undefined) throw socketError('TIMEOUT', `${what} within ${timeoutMs} ms.`, { cause: error })
      throw socketError('TIMEOUT', `${what} in time: ${cause.message}`, { cause })
    }
  }

  #finish(error: Error | undefined): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#failure = error
    this.#publisher.close(error ?? socketError('CLOSED'))
    for (const [subscription, restorer] of this.#restorers) {
      restorer.end(error ?? socketError('CLOSED'))
      subscription.fail(error)
    }
    this.#restorers.clear()
    this.#feed.tell(error ? { type: 'closed', error } : { type: 'closed' })
    this.#feed.end()
  }
}
