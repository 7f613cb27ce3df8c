/**
 * A subscription as the broker sees it: a pattern, a channel, and what it still has to get.
 *
 * Floor 10. It is live, or catching up by its feed.
 */
import type { Consumer } from '#socket/client'
import type { SubscribeRequest } from '../../shared/requests.ts'
import type { TopicRef } from '../engine/engine.ts'
import type { Feed } from './feed.ts'
import type { Share } from './holdings.ts'
import { Outbox } from './outbox.ts'
import type { Parcel } from './parcel.ts'
import type { OutboxLimit } from './pending.ts'
import type { Target } from './target.ts'

export class Subscriber implements Target {
  readonly pattern: string
  readonly channel: string
  readonly linkId: number
  readonly outbox: Outbox
  readonly consumer: Consumer
  readonly limit: OutboxLimit
  readonly share: Share
  /** Ends it, from within whatever it is doing. */
  readonly end: () => void
  /** A request waits until it has been sent what was committed for it. */
  isLeaving = false
  readonly #noEcho: boolean
  #feed: Feed | undefined
  /** Dropped while it was catching up. */
  #dropped = 0

  constructor(
    wanted: SubscribeRequest,
    linkId: number,
    consumer: Consumer,
    limit: OutboxLimit,
    share: Share,
    end: () => void,
  ) {
    this.pattern = wanted.pattern
    this.channel = wanted.channel
    this.linkId = linkId
    this.consumer = consumer
    this.limit = limit
    this.share = share
    this.end = end
    this.outbox = new Outbox(consumer, limit, share, end)
    this.#noEcho = wanted.noEcho
  }

  /** Messages held for it. */
  get held(): number {
    return this.outbox.length + (this.#feed === undefined ? 0 : this.#feed.length)
  }

  get dropped(): number {
    return this.outbox.dropped + this.#dropped + (this.#feed === undefined ? 0 : this.#feed.dropped)
  }

  wants(linkId: number): boolean {
    return !this.#noEcho || this.linkId !== linkId
  }

  offer(parcel: Parcel, isKept: boolean): Outbox | undefined {
    if (this.#feed) {
      this.#feed.offer(parcel, isKept)
      return undefined
    }
    const { outbox } = this
    outbox.offer(parcel)
    return outbox.isPressed ? outbox : undefined
  }

  /** It is behind until `live` is called. */
  catchUp(feed: Feed): void {
    this.#feed = feed
  }

  /** What it is behind is passed on as its credit allows. */
  pump(): void {
    this.#feed?.pump()
  }

  live(): void {
    this.#dropped += this.#feed?.dropped ?? 0
    this.#feed = undefined
  }

  /** Messages went from the log. */
  trimmed(topic: TopicRef, first: number, last: number, position: number): void {
    this.#feed?.trimmed(topic, first, last, position)
  }

  /** Resolves when it has been sent everything that was committed for it so far. */
  async whenEmpty(): Promise<void> {
    await this.#feed?.whenLive()
    await this.outbox.whenEmpty()
  }

  /** Drops everything, and ends its channel. */
  close(): void {
    this.#feed?.close()
    this.outbox.close()
    this.share.leave()
    void this.consumer.close()
  }
}
