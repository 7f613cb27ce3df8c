/**
 * A client of a broker: publish, subscribe, and everything restored after an outage.
 *
 * Floor 10. It owns its subscriptions. Whenever a broker appears on the broker channel, after a lost link or because
 * another broker has taken the place of the first, every subscription is made again, on a new channel, and goes on
 * from what it has seen.
 */

import { bounded } from '#base/bounded'
import type { Clock } from '#base/clock'
import { handled } from '#base/deferred'
import { SignalboxError, socketError } from '#base/errors'
import { newId } from '#base/identifier'
import type { Consumer, Link, Provider, Request } from '#socket/client'
import { NameCache } from '../shared/name-cache.ts'
import { decodeSubscribeReply } from '../shared/replies.ts'
import { type BrokerRequest, encodeRequest } from '../shared/requests.ts'
import { checkPattern } from '../shared/topic-name.ts'
import {
  limitDefaults,
  type PublishOptions,
  type SubscribeOptions,
  subscribeDefaults,
  verifyPublishOptions,
  verifySubscribeOptions,
  verifyWait,
  type WaitOptions,
  waitTimeoutMs,
} from './options.ts'
import { Publisher, type Receipt } from './publisher.ts'
import type { Status, StatusFeed } from './status.ts'
import { Subscription } from './subscription.ts'

/** Milliseconds before a subscription that could not be restored, though the broker is there, is tried again. */
const restoreAgainMs = 500

/** What the broker and this client hold at the moment. */
export interface ClientStats {
  /** Subscriptions of this client. */
  readonly subscriptions: number
  /** Bytes published and waiting for credit. */
  readonly bufferedBytes: number
  /** Publishes refused because the buffer was full. */
  readonly refused: number
  /** Channel ends and streams on its link. */
  readonly channels: number
  readonly streams: number
}

export interface ClientSettings {
  readonly name: string
  readonly producerId: string
  readonly channel: string
  readonly clock: Clock
  readonly connectTimeoutMs: number
  readonly maxBufferedBytes: number
  readonly maxMessageBytes: number
}

/** Where a subscription is provided at the moment. */
interface Place {
  readonly channel: string
  readonly provider: Provider
}

export class Client implements AsyncDisposable {
  /** What this client is called; its messages carry it as `sender`. */
  readonly name: string
  /** NameCache this client in the ids of its messages. */
  readonly producerId: string
  /** Resolves when the client is closed for good, with the error if one was the cause. Never rejects. */
  readonly closed: Promise<Error | undefined>
  /** @internal */ readonly clock: Clock
  /** @internal */ readonly names = new NameCache()
  readonly #link: Link
  readonly #settings: ClientSettings
  readonly #feed: StatusFeed
  readonly #consumer: Consumer
  readonly #publisher: Publisher
  readonly #places = new Map<Subscription, Place | undefined>()
  /** The broker need not serve these any longer, but their loops go on: with this client, they end. */
  readonly #draining = new Set<Subscription>()
  /** How often the broker was lost. What was begun with one broker must not be finished with the next. */
  #brokerLosses = 0
  #isClosed = false

  /** @internal Use `connect` or `broker.client`. The client closes the link when it closes. */
  constructor(link: Link, settings: ClientSettings, feed: StatusFeed) {
    this.name = settings.name
    this.producerId = settings.producerId
    this.clock = settings.clock
    this.#link = link
    this.#settings = settings
    this.#feed = feed
    this.#consumer = link.lazyConsumer(settings.channel, { observe: (brokers) => this.#brokersAre(brokers) })
    this.#publisher = new Publisher(this.#consumer, { ...settings, sender: settings.name })
    this.closed = link.closed.then((error) => {
      this.#finish(error)
      return error
    })
  }

  /** @internal Resolves when a broker has answered. Rejects with TIMEOUT, FORBIDDEN ... */
  async greet(): Promise<void> {
    await this.#ask({ op: 'hello', producerId: this.producerId, features: [] }, this.#settings.connectTimeoutMs)
  }

  /**
   * Publishes a value (as msgpack), or a `Uint8Array` as it is. At most once: resolves as soon as there is credit,
   * which is at once unless the broker is slower than this client. Rejects with INVALID_TOPIC, INVALID_DATA,
   * MESSAGE_TOO_LARGE, BUFFER_FULL, CLOSED; a rejection that nobody looks at does not end the process.
   */
  publish(topic: string, data: unknown, options?: PublishOptions): Promise<Receipt> {
    if (options !== undefined) {
      try {
        verifyPublishOptions(options)
      } catch (error) {
        return handled(Promise.reject(error))
      }
    }
    return this.#publisher.publish(topic, data, options)
  }

  /**
   * Subscribes to a topic or a pattern. Everything published after it has resolved is delivered. Rejects with
   * INVALID_PATTERN, INVALID_OPTION, TOO_MANY_SUBSCRIPTIONS, TIMEOUT, ABORTED, LINK_LOST, CLOSED.
   */
  async subscribe<T = unknown>(pattern: string, options: SubscribeOptions = {}): Promise<Subscription<T>> {
    checkPattern(pattern)
    verifySubscribeOptions(options)
    if (this.#isClosed) throw socketError('CLOSED')
    const { signal } = options
    if (signal?.aborted) throw socketError('ABORTED', undefined, { cause: signal.reason })
    const subscription = new Subscription<T>(pattern, options, this)
    try {
      await this.#begin(subscription as Subscription, false)
    } catch (error) {
      subscription.fail(error as Error)
      throw error
    }
    return subscription
  }

  /** Closes every subscription of this client to that pattern. */
  async unsubscribe(pattern: string): Promise<void> {
    checkPattern(pattern)
    const closing = this.#subscriptions.filter((one) => one.pattern === pattern).map((one) => one.close())
    await Promise.all(closing)
  }

  /**
   * Resolves when the broker has taken all that was published so far. Rejects with TIMEOUT, ABORTED, LINK_LOST, CLOSED.
   */
  async flush(options: WaitOptions = {}): Promise<void> {
    verifyWait('flush', options)
    const { timeoutMs = waitTimeoutMs, signal } = options
    await bounded(this.#flushed(timeoutMs, signal), { timeoutMs, signal }, this.clock)
  }

  /** What happens to this client from now on: connected, disconnected, gap ... Ends when the client is closed. */
  status(): AsyncIterableIterator<Status> {
    return this.#feed.listen()
  }

  /** What this client holds at the moment. */
  stats(): ClientStats {
    const { ends, streams } = this.#link.stats()
    const { buffered, refused } = this.#publisher
    return { subscriptions: this.#subscriptions.length, bufferedBytes: buffered, refused, channels: ends, streams }
  }

  /** Publishes and delivers what is under way, for `timeoutMs` at most (default 5 000), then closes. Never rejects. */
  async drain(options: Pick<WaitOptions, 'timeoutMs'> = {}): Promise<void> {
    verifyWait('drain', options)
    const { timeoutMs = waitTimeoutMs } = options
    await bounded(this.#drained(timeoutMs), { timeoutMs }, this.clock).catch(() => {})
    await this.close()
  }

  /** Ends it: what was published still goes out as far as there is credit, loops end. Never rejects. */
  async close(): Promise<void> {
    if (!this.#isClosed) this.#publisher.send()
    this.#finish(undefined)
    await this.#link.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** @internal */
  async leave(subscription: Subscription, drainMs: number): Promise<void> {
    const place = this.#places.get(subscription)
    this.#places.delete(subscription)
    if (drainMs > 0) this.#draining.add(subscription)
    else this.#draining.delete(subscription)
    if (place) await this.#give(place, drainMs)
  }

  /** Gives a place up: tells the broker, and closes its channel. */
  async #give(place: Place, drainMs: number): Promise<void> {
    if (this.#consumer.providers > 0) {
      const request = { op: 'unsubscribe', channel: place.channel, drain: drainMs > 0 } as const
      // It fails when the broker is gone or slow; closing the channel then says the same.
      await this.#ask(request, drainMs > 0 ? drainMs : waitTimeoutMs).catch(() => {})
    }
    await place.provider.close()
  }

  /** @internal */
  tell(status: Status): void {
    this.#feed.tell(status)
  }

  get #subscriptions(): readonly Subscription[] {
    return [...this.#places.keys(), ...this.#draining]
  }

  /** What is published may be for the subscriptions that are drained, so it goes first. */
  async #drained(timeoutMs: number): Promise<void> {
    await this.flush({ timeoutMs }).catch(() => {})
    await Promise.all(this.#subscriptions.map((one) => one.drain({ timeoutMs })))
  }

  async #flushed(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    await this.#publisher.sent()
    await this.#ask({ op: 'flush' }, timeoutMs, signal)
  }

  /** Requests keep their place behind what was published before and has left; what waits for credit comes later. */
  #ask(request: BrokerRequest, timeoutMs: number, signal?: AbortSignal): Promise<Uint8Array> {
    this.#publisher.send()
    const options = { timeoutMs, ordered: true, ...(signal && { signal }) }
    return this.#consumer.send(encodeRequest(request), options)
  }

  #brokersAre(count: number): void {
    if (count === 0) {
      this.#lostBroker()
      return
    }
    const restored = [...this.#places.keys()].map((subscription) => this.#restore(subscription))
    // What was published meanwhile may be for these subscriptions.
    if (restored.length > 0) this.#publisher.holdUntil(Promise.allSettled(restored).then(() => {}))
  }

  /** The channels of the subscriptions led to that broker; each gets a new one when it is made again. */
  #lostBroker(): void {
    this.#brokerLosses++
    for (const [subscription, place] of this.#places) {
      this.#places.set(subscription, undefined)
      void handled(place?.provider.close() ?? Promise.resolve())
    }
  }

  async #restore(subscription: Subscription): Promise<void> {
    // Restored already, closed, or the broker is gone again: then its next appearance begins this anew.
    const isLost = this.#places.has(subscription) && this.#places.get(subscription) === undefined
    if (!isLost || this.#consumer.providers === 0) return
    const losses = this.#brokerLosses
    try {
      await this.#begin(subscription, true)
    } catch (error) {
      if (subscription.isClosed || this.#isClosed || losses !== this.#brokerLosses) return
      if (error instanceof SignalboxError && error.retryable) {
        this.clock.after(restoreAgainMs, () => void handled(this.#restore(subscription)))
      } else {
        this.#places.delete(subscription)
        this.#draining.delete(subscription)
        subscription.fail(error as Error)
      }
    }
  }

  /** Provides a channel and asks the broker to forward on it. */
  async #begin(subscription: Subscription, isRestored: boolean): Promise<void> {
    const before = this.#brokerLosses
    const place = await this.#provide(subscription)
    const losses = this.#brokerLosses
    const { options, pattern } = subscription
    const { maxMessageBytes } = this.#settings
    const { noEcho, from } = { ...subscribeDefaults, ...options }
    const { messages, bytes } = { ...limitDefaults, ...options.limit }
    const wanted = {
      channel: place.channel,
      pattern,
      noEcho,
      limitMessages: messages,
      limitBytes: bytes,
      maxMessageBytes,
      from,
    }
    const resume = isRestored ? subscription.resume() : null
    try {
      // Restoring has begun anew meanwhile; two would deliver everything twice.
      if (isRestored && before !== losses) throw socketError('LINK_LOST')
      const request = { op: 'subscribe', ...wanted, resume } as const
      const reply = decodeSubscribeReply(await this.#ask(request, waitTimeoutMs, options.signal))
      // The broker that answered is gone, and a channel of this end may have been opened to the next one.
      if (losses !== this.#brokerLosses) throw socketError('LINK_LOST')
      subscription.begun(reply, isRestored)
    } catch (error) {
      await place.provider.close()
      throw error
    }
    // Closed, or draining, since the broker was asked: nobody else tells it.
    if (subscription.isClosed || this.#draining.has(subscription)) await this.#give(place, 0)
    else this.#places.set(subscription, place)
  }

  async #provide(subscription: Subscription): Promise<Place> {
    const channel = newId()
    const opening = this.#link.provider(channel)
    try {
      const limits = { timeoutMs: waitTimeoutMs, signal: subscription.options.signal }
      const provider = await bounded(opening, limits, this.clock)
      const take = (request: Request): undefined => subscription.take(request)
      provider.serve(take, { concurrency: Number.POSITIVE_INFINITY })
      return { channel, provider }
    } catch (error) {
      // Should it be opened after all, it must not stay.
      opening.then((provider) => provider.close()).catch(() => {})
      throw error
    }
  }

  #finish(error: Error | undefined): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#publisher.close(error ?? socketError('CLOSED'))
    for (const subscription of this.#subscriptions) subscription.fail(error)
    this.#places.clear()
    this.#draining.clear()
    this.#feed.tell(error ? { type: 'closed', error } : { type: 'closed' })
    this.#feed.end()
  }
}
