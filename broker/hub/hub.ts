/**
 * The hub: takes publishes and requests on the broker channel, and forwards on one channel per subscription.
 *
 * Floor 11. Written with Consumers and Providers alone: it does not know whether its server is in this process. For
 * each batch it reads the header, finds the topic, stamps it, and passes the same bytes on; it decodes no message.
 */
import { slice } from '#base/bytes'
import type { Clock } from '#base/clock'
import { deferred, handled } from '#base/deferred'
import type { Link, PeerInfo, Provider, Request } from '#socket'
import { BatchHeader, stamp } from '../shared/batch.ts'
import { brokerError } from '../shared/errors.ts'
import { WireKind } from '../shared/gap.ts'
import { NameCache } from '../shared/name-cache.ts'
import { encodeReply, encodeSubscribeReply, type HelloReply } from '../shared/replies.ts'
import { type BrokerRequest, decodeRequest, type SubscribeRequest } from '../shared/requests.ts'
import { checkPattern } from '../shared/topic-name.ts'
import { type Held, Pacer } from './delivery/pacing.ts'
import { Parcel } from './delivery/parcel.ts'
import { Subscriber } from './delivery/subscriber.ts'
import { Matcher } from './matcher.ts'
import type { HubSettings } from './options.ts'
import { replayFor } from './replay.ts'
import { Topics } from './topics.ts'

/** What a broker has done since its start, and what it holds now. */
export interface HubStats {
  readonly topics: number
  readonly subscriptions: number
  /** Messages taken from publishers. */
  readonly published: number
  /** Messages forwarded, counted once per subscription. */
  readonly forwarded: number
  /** Messages dropped because a subscription's limit was reached. Each is in a gap that its subscriber is told. */
  readonly dropped: number
  /** Messages held for subscriptions without credit. */
  readonly held: number
  /** Publishes whose credit is held back, so that subscribers keep up. */
  readonly paced: number
  /** Batches and requests refused: malformed, too large, under another's name, or one topic too many. */
  readonly refused: number
}

/** Messages of one stream. */
interface Tally {
  taken: number
  refused: number
}

const ok = encodeReply(true)
/** Gaps that the answer to `subscribe` names at most; the others follow as notices. */
const maxReplyGaps = 10_000

export class Hub {
  /** Says which life of the broker sequences belong to. Never 0. */
  readonly epoch: number
  /** Resolves when the hub is closed, or its link is for good. */
  readonly closed: Promise<Error | undefined>
  readonly #link: Link
  readonly #settings: HubSettings
  readonly #clock: Clock
  readonly #provider: Provider
  readonly #topics: Topics
  readonly #names = new NameCache()
  readonly #matcher = new Matcher<Subscriber>()
  readonly #subscribers = new Map<string, Subscriber>()
  readonly #pacer: Pacer
  /** What each stream has brought. */
  readonly #tallies = new WeakMap<PeerInfo, Tally>()
  #position = 0
  #refused = 0
  /** Subscriptions whose channel is being opened. */
  #opening = 0
  #forwarded = 0
  #dropped = 0
  #isClosing = false

  /** @internal Use `Hub.start`. */
  constructor(link: Link, provider: Provider, settings: HubSettings, clock: Clock) {
    this.#link = link
    this.#provider = provider
    this.#settings = settings
    this.#clock = clock
    this.epoch = 1 + Math.floor(clock.random() * 0xffff_fffe)
    this.#topics = new Topics(settings, this.epoch)
    this.#pacer = new Pacer(clock)
    provider.serve((request) => this.#take(request), { concurrency: Number.POSITIVE_INFINITY })
    // Nothing is received beside the handler but the end. When another broker has taken the channel in an outage, this
    // one is of no use any more.
    this.closed = provider.receive().then(
      () => link.closed,
      async (error: Error) => {
        await link.close()
        return error
      },
    )
  }

  /** Provides the broker channel. Rejects with CHANNEL_CONFLICT when the server has a broker already. */
  static async start(link: Link, settings: HubSettings, clock: Clock): Promise<Hub> {
    return new Hub(link, await link.provider(settings.channel, { whenTaken: 'close' }), settings, clock)
  }

  stats(): HubStats {
    let [forwarded, dropped, held] = [this.#forwarded, this.#dropped, 0]
    for (const { outbox } of this.#subscribers.values()) {
      forwarded += outbox.forwarded
      dropped += outbox.dropped
      held += outbox.length
    }
    const subscriptions = this.#subscribers.size
    const paced = this.#pacer.size
    const refused = this.#refused + this.#provider.refusedMessages
    return {
      topics: this.#topics.size,
      subscriptions,
      published: this.#position,
      forwarded,
      dropped,
      held,
      paced,
      refused,
    }
  }

  /** Takes nothing new, forwards what it holds for `drainMs` at most, then leaves the server. */
  async close(): Promise<void> {
    if (this.#isClosing) return
    this.#isClosing = true
    this.#pacer.close()
    const emptied = [...this.#subscribers.values()].map(({ outbox }) => outbox.whenEmpty())
    const late = deferred<void>()
    const stop = this.#clock.after(this.#settings.drainMs, late.resolve, true)
    await Promise.race([Promise.all(emptied), late.promise])
    stop()
    await this.#provider.close()
    for (const subscriber of [...this.#subscribers.values()]) this.#drop(subscriber)
    await this.#link.close()
  }

  #take(request: Request): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    const bytes = request.payload
    if (bytes[0] === WireKind.BATCH) return this.#publish(bytes, request)
    return this.#answer(bytes, request)
  }

  /**
   * Takes a parcel batch by batch. Neighbours that go to the same subscriptions are forwarded together: a publisher
   * that goes from topic to topic then costs a pattern subscription hardly more than one that stays.
   */
  #publish(bytes: Uint8Array, request: Request): undefined {
    const time = this.#clock.now()
    let failure: unknown
    let from = 0
    let count = 0
    let subscribers: readonly Subscriber[] = []
    let end = bytes.length
    for (let at = 0; at < end; ) {
      const header = this.#read(bytes, at)
      if (header instanceof Error) {
        failure = header
        end = at
        break
      }
      let matched: readonly Subscriber[] = []
      try {
        matched = this.#admit(header, time, request.peer)
        this.#tallyOf(request.peer).taken += header.count
      } catch (error) {
        this.#refused++
        this.#tallyOf(request.peer).refused += header.count
        failure = error
      }
      if (!isSame(subscribers, matched)) {
        this.#forward(subscribers, bytes, from, at, count, request)
        subscribers = matched
        from = at
        count = 0
      }
      count += header.count
      at = header.end
    }
    this.#forward(subscribers, bytes, from, end, count, request)
    if (failure) throw failure
  }

  /** An error when it is none: where the next batch would begin is not known either, so the rest is refused. */
  #read(bytes: Uint8Array, at: number): BatchHeader | Error {
    try {
      return new BatchHeader(bytes, at)
    } catch (error) {
      this.#refused++
      return error as Error
    }
  }

  /** Stamps a batch and keeps it if its topic has a history. Returns who gets it. */
  #admit(header: BatchHeader, time: number, peer: PeerInfo): readonly Subscriber[] {
    if (this.#isClosing) throw brokerError('BROKER_CLOSED')
    const { bytes, at, topicAt, topicEnd, producerEnd, optionsAt } = header
    // A message says who sent it; that must be the name of the link it came on.
    if (this.#names.get(bytes, producerEnd, optionsAt) !== peer.name) {
      const names = `${JSON.stringify(header.sender)} is not ${JSON.stringify(peer.name)}`
      throw brokerError('INVALID_BATCH', `The sender ${names}.`)
    }
    const topic = this.#topics.open(this.#names.get(bytes, topicAt, topicEnd))
    const position = this.#position + 1
    stamp(bytes, at, this.epoch, topic.seq + 1, position, time)
    topic.append(header, position, time)
    this.#position += header.count
    return this.#matcher.match(topic.name)
  }

  #forward(
    subscribers: readonly Subscriber[],
    bytes: Uint8Array,
    from: number,
    end: number,
    count: number,
    request: Request,
  ): void {
    if (subscribers.length === 0) return
    const parcel = new Parcel(end - from === bytes.length ? bytes : slice(bytes, from, end), count)
    let held: Held | undefined
    for (const subscriber of subscribers) {
      if (!subscriber.wants(request.peer)) continue
      subscriber.outbox.offer(parcel)
      if (subscriber.outbox.isPressed) held = this.#pacer.hold(subscriber.outbox, request, held)
    }
  }

  async #answer(bytes: Uint8Array, request: Request): Promise<Uint8Array | undefined> {
    const wanted = this.#wanted(bytes)
    if (this.#isClosing) throw brokerError('BROKER_CLOSED')
    if (wanted.op === 'subscribe') return await this.#subscribe(wanted, request)
    if (wanted.op === 'unsubscribe') return await this.#unsubscribe(wanted.channel, wanted.drain, request.peer)
    if (wanted.op === 'hello') return encodeReply(this.#hello(request.peer))
    if (wanted.op === 'flush') return encodeReply(this.#tallyOf(request.peer))
    throw brokerError('INVALID_REQUEST')
  }

  #hello({ name }: PeerInfo): HelloReply {
    return { epoch: this.epoch, sender: name, maxMessageBytes: this.#settings.maxMessageBytes, features: [] }
  }

  /** Each stream of a client's has a peer object of its own. */
  #tallyOf(peer: PeerInfo): Tally {
    let tally = this.#tallies.get(peer)
    if (tally === undefined) {
      tally = { taken: 0, refused: 0 }
      this.#tallies.set(peer, tally)
    }
    return tally
  }

  #wanted(bytes: Uint8Array): BrokerRequest {
    try {
      if (bytes[0] !== WireKind.REQUEST) throw brokerError('INVALID_REQUEST', `The first byte is ${bytes[0]}.`)
      return decodeRequest(bytes)
    } catch (error) {
      this.#refused++
      throw error
    }
  }

  async #subscribe(wanted: SubscribeRequest, request: Request): Promise<undefined> {
    const { pattern, channel } = wanted
    checkPattern(pattern)
    // There the broker would forward to itself.
    if (channel.toLowerCase() === this.#settings.channel.toLowerCase()) throw taken()
    const limit = this.#settings.maxSubscriptions
    if (this.#subscribers.size + this.#opening >= limit) {
      throw brokerError('TOO_MANY_SUBSCRIPTIONS', `There are ${limit} subscriptions.`, { details: { limit } })
    }
    let subscriber: Subscriber | undefined
    const observe = (providers: number): void => {
      if (providers === 0 && subscriber) this.#drop(subscriber)
    }
    this.#opening++
    const consumer = await this.#link.consumer(channel, { observe }).finally(() => this.#opening--)
    if (consumer.providers === 0 || this.#subscribers.has(channel)) {
      await consumer.close()
      throw taken()
    }
    subscriber = new Subscriber(wanted, request.peer, consumer)
    const { reply, batches } = replayFor(wanted, this.#topics.matching(pattern), this.epoch, this.#position)
    this.#subscribers.set(channel, subscriber)
    this.#matcher.add(pattern, subscriber)
    const gaps = reply.gaps.slice(0, maxReplyGaps)
    // It rejects when the client is gone, or does not read.
    void handled(request.respond(encodeSubscribeReply({ ...reply, gaps })))
    for (const gap of reply.gaps.slice(maxReplyGaps)) subscriber.outbox.miss(gap)
    for (const { bytes, count } of batches) subscriber.outbox.offer(new Parcel(bytes, count))
    return undefined
  }

  async #unsubscribe(channel: string, drain: boolean, client: PeerInfo): Promise<Uint8Array> {
    const subscriber = this.#subscribers.get(channel)
    if (subscriber === undefined || !subscriber.isOf(client)) return ok
    this.#matcher.delete(subscriber.pattern, subscriber)
    if (drain) await subscriber.outbox.whenEmpty()
    this.#drop(subscriber)
    return ok
  }

  /** Ends a subscription here; harmless when it has ended. */
  #drop(subscriber: Subscriber): void {
    if (!this.#subscribers.delete(subscriber.channel)) return
    this.#matcher.delete(subscriber.pattern, subscriber)
    this.#forwarded += subscriber.outbox.forwarded
    this.#dropped += subscriber.outbox.dropped
    subscriber.outbox.clear()
    void subscriber.consumer.close()
  }
}

function taken(): Error {
  return brokerError('INVALID_REQUEST', 'The channel of the subscription is taken, or nobody provides there.')
}

/** Whether two matches name the same subscriptions in the same order. */
function isSame(a: readonly Subscriber[], b: readonly Subscriber[]): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
