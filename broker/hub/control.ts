/**
 * Answers the requests of clients: hello, subscribe, unsubscribe, flush and watch. [BROKER 3]
 *
 * Floor 12. Every request is judged where it is decoded; nothing here trusts a client.
 */
import type { Request } from '#socket/client'
import { brokerError } from '../shared/errors.ts'
import { WireKind } from '../shared/gap.ts'
import { encodeReply, type FlushReply, type HelloReply } from '../shared/replies.ts'
import { type BrokerRequest, decodeRequest } from '../shared/requests.ts'
import type { Inlet } from './inlet.ts'
import type { Refusals } from './refusals.ts'
import type { Subscriptions } from './subscriptions.ts'
import type { Topics } from './topics.ts'

const ok = encodeReply(true)

/** What requests are about. */
export interface ControlParts {
  readonly epoch: number
  readonly maxMessageBytes: number
  readonly subscriptions: Subscriptions
  readonly topics: Topics
  readonly refusals: Refusals
}

export class Control {
  /** Requests refused because they were none. */
  refused = 0
  /** Nothing new is begun any more. */
  isClosing = false
  readonly #parts: ControlParts

  constructor(parts: ControlParts) {
    this.#parts = parts
  }

  /** Throws what is wrong with the request. While its answer is awaited nothing refers to its bytes. */
  answer(bytes: Uint8Array, inlet: Inlet, request: Request): Promise<Uint8Array | undefined> {
    return this.#answer(this.#wanted(bytes), inlet, request)
  }

  async #answer(wanted: BrokerRequest, inlet: Inlet, request: Request): Promise<Uint8Array | undefined> {
    const { subscriptions, topics, refusals } = this.#parts
    switch (wanted.op) {
      case 'hello':
        return encodeReply(this.#hello(inlet))
      case 'subscribe':
        if (this.isClosing) throw brokerError('BROKER_CLOSED')
        return await subscriptions.open(wanted, request, topics)
      case 'unsubscribe':
        await subscriptions.end(wanted.channel, wanted.drain, inlet.linkId)
        return ok
      case 'flush':
        return encodeReply({ taken: inlet.taken, refused: inlet.refused } satisfies FlushReply)
      case 'watch':
        return await refusals.watch(inlet.linkId, request)
    }
  }

  #hello({ sender }: Inlet): HelloReply {
    const { epoch, maxMessageBytes } = this.#parts
    return { epoch, sender, maxMessageBytes, features: [] }
  }

  #wanted(bytes: Uint8Array): BrokerRequest {
    try {
      if (bytes[0] !== WireKind.REQUEST) throw brokerError('INVALID_REQUEST', `The first byte is ${bytes[0]}.`)
      return decodeRequest(bytes)
    } catch (error) {
      this.refused++
      throw error
    }
  }
}
