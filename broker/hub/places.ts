/**
 * Room for subscriptions: each takes memory for as long as it is there, whether anything comes for it or not.
 *
 * Floor 7. All together take half of the memory for others at most. A client has no more of that than is left for the
 * others, so that one with very many leaves room for those that come later.
 */
import type { MemoryBudget } from '#base/memory-budget'
import { brokerError } from '../shared/errors.ts'

/** What of the budget all subscriptions may take. */
const subscriptionsPart = 1 / 2
/** What one costs at the broker beside its pattern: its channel's Consumer, its outbox, its places in the tables. */
const subscriptionBytes = 2_500

export class Places {
  readonly #memory: MemoryBudget
  readonly #limit: number
  readonly #byLink = new Map<number, number>()
  #bytes = 0

  constructor(memory: MemoryBudget) {
    this.#memory = memory
    this.#limit = memory.limit * subscriptionsPart
  }

  /** Takes a place for a subscription of that link. Throws TOO_MANY_SUBSCRIPTIONS. */
  take(linkId: number, pattern: string): void {
    const cost = costOf(pattern)
    const own = this.#byLink.get(linkId) ?? 0
    // One always may, however little memory there is.
    if (own > 0 && own + cost > this.#limit - this.#bytes - cost) {
      throw brokerError('TOO_MANY_SUBSCRIPTIONS', 'The subscriptions of this client take all the memory that they may.')
    }
    this.#count(linkId, own, cost)
  }

  /** It has ended, or has not come about. */
  give(linkId: number, pattern: string): void {
    this.#count(linkId, this.#byLink.get(linkId) ?? 0, -costOf(pattern))
  }

  #count(linkId: number, own: number, cost: number): void {
    this.#bytes += cost
    this.#memory.add(cost)
    if (own + cost > 0) this.#byLink.set(linkId, own + cost)
    else this.#byLink.delete(linkId)
  }
}

/** A pattern is there as text, and as what its part of the trie is made of. */
function costOf({ length }: string): number {
  return subscriptionBytes + 2 * length
}
