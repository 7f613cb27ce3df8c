/**
 * What all outboxes hold together: each has a limit, and this is the bound of their sum.
 *
 * Floor 6. The hub's budget counts every parcel once, however many outboxes hold it. Besides, the subscriptions of one
 * client may hold a quarter of that budget: what is in common counts for each of them. Where either is reached, those
 * that hold most drop their oldest messages, as gaps, until they are at half of what the first of them held. What fills it
 * then cannot be dropped, gaps that wait to be told above all: the subscription with the most of that ends, and its client
 * resumes it. Holders are looked through only where that finds one: there are many, and a parcel is offered to all of them.
 */
import type { MemoryBudget } from '#base/memory-budget'

/** Something that holds parcels or a page, and can do with fewer. */
export interface Holder {
  readonly bytes: number
  /** What cannot be dropped: gaps that wait to be told, and what has to be known of topics. */
  readonly fixedBytes: number
  /** Gives something up, until it holds so many bytes at most. */
  dropTo(bytes: number): void
  /** Ends its subscription, which the client then resumes: more is missing than can be told. */
  end(): void
}

/** What one client's subscriptions may take of the whole. */
const sharePart = 1 / 4
/** Nobody is cut to less for the others' sake. */
const leastBytes = 64 * 1024
/** What of a limit what cannot be dropped may take, before somebody ends for it. */
const fixedPart = 1 / 4

/** What one gap that waits to be told costs beside the topic's name, in bytes; or to know one sequence of a topic. */
const topicBytes = 100

/** What a gap of that topic costs, or to know its sequence. */
export function costOf({ length }: string): number {
  return topicBytes + length
}

/** Holders with one limit. */
class Crowd {
  /** What all of them together cannot drop. */
  fixedBytes = 0
  readonly #limit: number
  readonly #holders: () => Iterable<Holder>
  /** Whether one may hold so much that it can be cut. */
  #mayBeLarge = false

  constructor(limit: number, holders: () => Iterable<Holder>) {
    this.#limit = limit
    this.#holders = holders
  }

  /** That one may have taken more. */
  grown({ bytes }: Holder): void {
    if (bytes >= 2 * leastBytes) this.#mayBeLarge = true
  }

  /** Cuts all to half of what the largest holds. False if that is little. */
  halve(): boolean {
    if (!this.#mayBeLarge) return false
    let most = 0
    for (const { bytes } of this.#holders()) most = Math.max(most, bytes)
    this.#mayBeLarge = most >= 2 * leastBytes
    if (!this.#mayBeLarge) return false
    for (const holder of this.#holders()) if (holder.bytes > most / 2) holder.dropTo(most / 2)
    return true
  }

  /** Where dropping does not help: ends the subscription with the most of what cannot be dropped. */
  endLargest(): void {
    if (this.fixedBytes <= this.#limit * fixedPart) return
    let largest: Holder | undefined
    for (const holder of this.#holders()) if (holder.fixedBytes > (largest?.fixedBytes ?? 0)) largest = holder
    largest?.end()
  }
}

export class Holdings {
  readonly memory: MemoryBudget
  /** @internal */
  readonly crowd: Crowd
  readonly #shares = new Map<number, Share>()

  constructor(memory: MemoryBudget) {
    this.memory = memory
    this.crowd = new Crowd(memory.limit, () => this.#holders())
  }

  /** The share of the client with that link. Whoever takes it calls `leave` on it in the end. */
  join(linkId: number): Share {
    let share = this.#shares.get(linkId)
    if (share === undefined) {
      share = new Share(this, linkId)
      this.#shares.set(linkId, share)
    }
    share.members++
    return share
  }

  /** @internal */
  left(share: Share): void {
    this.#shares.delete(share.linkId)
  }

  *#holders(): Generator<Holder> {
    for (const share of this.#shares.values()) yield* share.holders
  }
}

export class Share {
  readonly linkId: number
  readonly holders = new Set<Holder>()
  members = 0
  bytes = 0
  readonly #all: Holdings
  readonly #limit: number
  readonly #crowd: Crowd

  constructor(all: Holdings, linkId: number) {
    this.#all = all
    this.linkId = linkId
    this.#limit = all.memory.limit * sharePart
    this.#crowd = new Crowd(this.#limit, () => this.holders)
  }

  get memory(): MemoryBudget {
    return this.#all.memory
  }

  /** Counts bytes more, or fewer, in the share and in the whole. */
  charge(bytes: number): void {
    this.bytes += bytes
    this.memory.add(bytes)
  }

  /** The same of what cannot be dropped. */
  chargeFixed(bytes: number): void {
    this.charge(bytes)
    this.#crowd.fixedBytes += bytes
    this.#all.crowd.fixedBytes += bytes
  }

  leave(): void {
    this.members--
    if (this.members === 0) this.#all.left(this)
  }

  /** Called after a holder has taken more. Where nobody else holds much, it has to keep within what it had before. */
  relieve(holder: Holder, more: number): void {
    const { crowd } = this.#all
    this.#crowd.grown(holder)
    crowd.grown(holder)
    const [isOver, isFull] = [this.bytes > this.#limit, this.memory.isFull]
    if (!isOver && !isFull) return
    const hasCut = (!isOver || this.#crowd.halve()) && (!isFull || crowd.halve())
    if (!hasCut) holder.dropTo(Math.max(0, holder.bytes - more))
    if (this.bytes > this.#limit) this.#crowd.endLargest()
    else if (this.memory.isFull) crowd.endLargest()
  }
}
