/**
 * All subscriptions of a broker: opened, matched, and dropped.
 *
 * Floor 11. Everything committed after one is in the table is forwarded to it, or told as a gap.
 */
import type { Clock } from '#base/clock'
import { handled } from '#base/deferred'
import type { Consumer, Link, PeerInfo, Request } from '#socket/client'
import { brokerError } from '../shared/errors.ts'
import { encodeSubscribeReply } from '../shared/replies.ts'
import type { SubscribeRequest } from '../shared/requests.ts'
import { checkPattern } from '../shared/topic-name.ts'
import { Feed } from './delivery/feed.ts'
import type { Holdings } from './delivery/holdings.ts'
import { maxGapBytes } from './delivery/outbox.ts'
import { Subscriber } from './delivery/subscriber.ts'
import type { Target } from './delivery/target.ts'
import type { Engine, EngineHost, Place } from './engine/engine.ts'
import { Matcher } from './matcher.ts'
import type { HubSettings } from './options.ts'
import { Places } from './places.ts'
import { resumeOf, type Start, startOf } from './starts.ts'
import type { Topics } from './topics.ts'

/** Gaps that the answer to `subscribe` names at most, if it may be that large; the others follow as notices. */
const maxReplyGaps = 10_000
/** What else is in that answer takes less. */
const answerBytes = 300

/** One with more gaps than that is answered by itself: of very many topics they take megabytes until they are sent. */
const manyGaps = 1_000

/** What subscriptions need of their hub. */
export interface Surroundings {
  readonly link: Link
  readonly settings: HubSettings
  readonly clock: Clock
  readonly engine: Engine
  readonly epoch: number
}

export class Subscriptions {
  readonly matcher = new Matcher<Target>()
  readonly #around: Surroundings
  readonly #holdings: Holdings
  readonly #places: Places
  readonly #all = new Map<string, Subscriber>()
  readonly #behind = new Set<Subscriber>()
  /** How many have each pattern: the engine is told of the first and the last. */
  readonly #patterns = new Map<string, number>()
  /** Channels of those that are being opened. */
  readonly #opening = new Set<string>()
  /** There while one with very many gaps is being answered. */
  #busy: Promise<void> | undefined
  #forwarded = 0
  #dropped = 0
  #isClosed = false

  constructor(around: Surroundings, holdings: Holdings) {
    this.#around = around
    this.#holdings = holdings
    this.#places = new Places(holdings.memory)
  }

  stats(): { subscriptions: number; forwarded: number; dropped: number; held: number; catchingUp: number } {
    let [forwarded, dropped, held] = [this.#forwarded, this.#dropped, 0]
    for (const subscriber of this.#all.values()) {
      forwarded += subscriber.outbox.forwarded
      dropped += subscriber.dropped
      held += subscriber.held
    }
    return { subscriptions: this.#all.size, forwarded, dropped, held, catchingUp: this.#behind.size }
  }

  /** Begins one, and answers the request. Rejects with INVALID_REQUEST, INVALID_PATTERN, TOO_MANY_SUBSCRIPTIONS ... */
  async open(wanted: SubscribeRequest, request: Request, topics: Topics): Promise<undefined> {
    const { channel, pattern } = wanted
    checkPattern(pattern)
    const { linkId } = request.peer
    const consumer = await this.#consumer(wanted, linkId)
    while (this.#busy) await this.#busy
    this.#opening.delete(channel)
    if (this.#isClosed || !areOf(consumer.peers, linkId)) {
      this.#places.give(linkId, pattern)
      void consumer.close()
      throw this.#isClosed ? brokerError('BROKER_CLOSED') : taken()
    }
    const limit = this.#granted(wanted)
    const share = this.#holdings.join(linkId)
    const end = (): void => this.#drop(subscriber)
    const subscriber: Subscriber = new Subscriber(wanted, linkId, consumer, limit, share, end)
    const start = this.#start(wanted, topics)
    const answered = this.#answer(subscriber, start, request)
    if (start.gaps.length > manyGaps) this.#busy = this.#after(answered)
    await answered
    return undefined
  }

  /** Files it, and answers once the engine tells what is committed. */
  async #answer(subscriber: Subscriber, start: Start, request: Request): Promise<void> {
    const { pattern, channel, limit } = subscriber
    const before = this.#around.engine.position
    this.#all.set(channel, subscriber)
    this.matcher.add(pattern, subscriber)
    // It is behind from here on, so that what is told while the engine is waited for has its place in the order.
    const feed = start.place && this.#feed(subscriber, start, start.place)
    const first = await this.#begin(subscriber, feed)
    // It has ended meanwhile.
    if (this.#all.get(channel) !== subscriber) throw this.#isClosed ? brokerError('BROKER_CLOSED') : taken()
    const { epoch } = this.#around
    const { recovered, gaps } = start
    // Gaps and topics may take half of it each.
    const fits = Math.floor((limit.messageBytes - answerBytes) / 2 / maxGapBytes)
    const told = Math.max(0, Math.min(maxReplyGaps, fits))
    const seen = start.seen.slice(0, Math.max(0, fits))
    const position = first === undefined ? before : Math.min(before, first - 1)
    const granted = { limitMessages: limit.messages, limitBytes: limit.bytes }
    // It rejects when the client is gone, or does not read.
    void handled(
      request.respond(
        encodeSubscribeReply({ epoch, position, recovered, gaps: gaps.slice(0, told), seen, ...granted }),
      ),
    )
    if (gaps.length > told) subscriber.outbox.miss(gaps.slice(told))
    subscriber.pump()
  }

  /** Resolves when that one has been answered, and others have had their turn. */
  async #after(answered: Promise<void>): Promise<void> {
    await answered.catch(() => {})
    await new Promise<void>((resolve) => this.#around.clock.turn(resolve))
    this.#busy = undefined
  }

  /**
   * Ends one of that client's, if it is one: at once, or once it has been sent what was committed so far. One that waits
   * is enough: each is a request that is open for as long as the subscriber likes.
   */
  async end(channel: string, drain: boolean, linkId: number): Promise<void> {
    const subscriber = this.#all.get(channel)
    if (subscriber === undefined || subscriber.linkId !== linkId) return
    this.matcher.delete(subscriber.pattern, subscriber)
    if (drain) {
      if (subscriber.isLeaving) throw brokerError('INVALID_REQUEST', 'Another request waits for the same subscription.')
      subscriber.isLeaving = true
      await subscriber.whenEmpty()
    }
    this.#drop(subscriber)
  }

  /** Messages went from the log: whoever has not read them is told. */
  readonly trimmed: EngineHost['trimmed'] = (topic, first, last, position) => {
    for (const subscriber of this.#behind) subscriber.trimmed(topic, first, last, position)
  }

  /** Resolves when everything committed so far has been sent to all of them. */
  async whenEmpty(): Promise<void> {
    await Promise.all([...this.#all.values()].map((subscriber) => subscriber.whenEmpty()))
  }

  close(): void {
    this.#isClosed = true
    for (const subscriber of [...this.#all.values()]) this.#drop(subscriber)
  }

  /** The calling side of a channel that the client provides, and nobody else. Its place is taken then. */
  async #consumer({ channel, pattern }: SubscribeRequest, linkId: number): Promise<Consumer> {
    const { settings, link } = this.#around
    // There the broker would forward to itself.
    if (channel.toLowerCase() === settings.channel.toLowerCase()) throw taken()
    const limit = settings.maxSubscriptions
    if (this.#all.size + this.#opening.size >= limit) {
      throw brokerError('TOO_MANY_SUBSCRIPTIONS', `There are ${limit} subscriptions.`, { details: { limit } })
    }
    if (this.#all.has(channel) || this.#opening.has(channel)) throw taken()
    this.#places.take(linkId, pattern)
    let consumer: Consumer | undefined
    const observe = (): void => {
      const subscriber = this.#all.get(channel)
      // The client is gone, or another has come beside it.
      if (subscriber === undefined || subscriber.consumer !== consumer) return
      if (!areOf(subscriber.consumer.peers, subscriber.linkId)) this.#drop(subscriber)
    }
    this.#opening.add(channel)
    try {
      consumer = await link.consumer(channel, { observe })
      return consumer
    } catch (error) {
      this.#opening.delete(channel)
      this.#places.give(linkId, pattern)
      throw error
    }
  }

  #granted({ limitMessages, limitBytes, maxMessageBytes }: SubscribeRequest) {
    const { settings } = this.#around
    return {
      messages: Math.min(limitMessages, settings.maxLimit.messages),
      bytes: Math.min(limitBytes, settings.maxLimit.bytes),
      // The broker's own link sends no more than it takes, and would drop the rest without a word.
      messageBytes: Math.min(maxMessageBytes, settings.maxMessageBytes),
    }
  }

  #start({ pattern, from, resume }: SubscribeRequest, topics: Topics): Start {
    const { epoch, engine } = this.#around
    return resume ? resumeOf(pattern, resume, topics, epoch) : startOf(pattern, from, topics, engine.position)
  }

  /** Resolves with a position before which it will read nothing, if it reads at all. */
  async #begin(subscriber: Subscriber, feed: Feed | undefined): Promise<number | undefined> {
    try {
      const told = this.#interest(subscriber.pattern, 1)
      if (told) await told
      return await feed?.open()
    } catch (error) {
      this.#drop(subscriber)
      throw error
    }
  }

  #feed(subscriber: Subscriber, start: Start, place: Place): Feed {
    const { engine, clock } = this.#around
    const { wantedFrom, bytes } = start
    const reading = { pattern: subscriber.pattern, place, wantedFrom, bytes }
    const feed = new Feed(engine, clock, subscriber, reading, () => {
      this.#behind.delete(subscriber)
      subscriber.live()
    })
    subscriber.catchUp(feed)
    this.#behind.add(subscriber)
    return feed
  }

  /** A promise when the engine has to be waited for, before it is sure to tell what is committed. */
  #interest(pattern: string, change: 1 | -1): Promise<void> | undefined {
    const before = this.#patterns.get(pattern) ?? 0
    const after = before + change
    if (after === 0) this.#patterns.delete(pattern)
    else this.#patterns.set(pattern, after)
    return before === 0 || after === 0 ? this.#around.engine.interest(pattern, change) : undefined
  }

  /** Ends one here; harmless when it has ended. */
  #drop(subscriber: Subscriber): void {
    if (this.#all.get(subscriber.channel) !== subscriber) return
    this.#all.delete(subscriber.channel)
    this.#places.give(subscriber.linkId, subscriber.pattern)
    this.#behind.delete(subscriber)
    this.matcher.delete(subscriber.pattern, subscriber)
    void this.#interest(subscriber.pattern, -1)
    this.#forwarded += subscriber.outbox.forwarded
    this.#dropped += subscriber.dropped
    subscriber.close()
  }
}

function areOf(peers: readonly PeerInfo[], linkId: number): boolean {
  return peers.length > 0 && peers.every((peer) => peer.linkId === linkId)
}

function taken(): Error {
  const what = 'The channel of the subscription is taken, or its client does not provide it, or others do too.'
  return brokerError('INVALID_REQUEST', what)
}
