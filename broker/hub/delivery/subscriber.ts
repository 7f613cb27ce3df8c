/**
 * A subscription as the broker sees it: a pattern, a channel, and what waits for it.
 *
 * Floor 10.
 */
import type { Consumer, PeerInfo } from '#socket/client'
import type { SubscribeRequest } from '../../shared/requests.ts'
import { Outbox } from './outbox.ts'

export class Subscriber {
  readonly pattern: string
  readonly channel: string
  readonly outbox: Outbox
  readonly consumer: Consumer
  readonly #client: PeerInfo
  readonly #noEcho: boolean

  /** `client`: the broker-channel stream of the client that subscribes. */
  constructor(wanted: SubscribeRequest, client: PeerInfo, consumer: Consumer) {
    this.pattern = wanted.pattern
    this.channel = wanted.channel
    this.consumer = consumer
    this.outbox = new Outbox(consumer, { messages: wanted.limitMessages, bytes: wanted.limitBytes })
    this.#client = client
    this.#noEcho = wanted.noEcho
  }

  /** Whether it is of that client. */
  isOf(client: PeerInfo): boolean {
    return this.#client === client
  }

  /** Whether it wants what that client publishes. */
  wants(client: PeerInfo): boolean {
    return !this.#noEcho || this.#client !== client
  }
}
