/**
 * What all outboxes hold together: each has a limit, and this is the bound of their sum.
 *
 * Floor 6. The hub's budget counts every parcel once, however many outboxes hold it. Besides, the subscriptions of one
 * client may hold a quarter of that budget: what is in common counts for each of them. Where either is reached, those
 * that hold most drop their oldest messages, as gaps, until they are at half of what the first of them held. What fills it
 * then are gaps that wait to be told: the subscription with the most of them ends, and its client resumes it.
 */
import type { MemoryBudget } from '#base/memory-budget'

/** Something that holds parcels or a page, and can do with fewer. */
export interface Holder {
  readonly bytes: number
  /** What the gaps take that wait to be told: nothing of that can be dropped. */
  readonly gapBytes: number
  /** Gives something up, until it holds so many bytes at most. */
  dropTo(bytes: number): void
  /** Ends its subscription, which the client then resumes: more is missing than can be told. */
  end(): void
}

/** What one client's subscriptions may take of the whole. */
const sharePart = 1 / 4
/** Nobody is cut to less for the others' sake. */
const leastBytes = 64 * 1024

/** What one gap that waits to be told costs, in bytes. */
export const bytesPerGap = 100

export class Holdings {
  readonly memory: MemoryBudget
  readonly #shares = new Map<number, Share>()

  constructor(memory: MemoryBudget) {
    this.memory = memory
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

  /** Makes room in the whole budget. False if nobody has anything worth taking. */
  relieve(): boolean {
    return halve(this.#holders())
  }

  /** Where dropping does not help: ends the subscription with the most gaps. */
  endLargest(): void {
    endLargest(this.#holders())
  }

  #holders(): Holder[] {
    const holders: Holder[] = []
    for (const share of this.#shares.values()) for (const holder of share.holders) holders.push(holder)
    return holders
  }
}

export class Share {
  readonly linkId: number
  readonly holders = new Set<Holder>()
  members = 0
  bytes = 0
  readonly #all: Holdings
  readonly #limit: number

  constructor(all: Holdings, linkId: number) {
    this.#all = all
    this.linkId = linkId
    this.#limit = all.memory.limit * sharePart
  }

  get memory(): MemoryBudget {
    return this.#all.memory
  }

  /** Counts bytes more, or fewer, in the share and in the whole. */
  charge(bytes: number): void {
    this.bytes += bytes
    this.memory.add(bytes)
  }

  leave(): void {
    this.members--
    if (this.members === 0) this.#all.left(this)
  }

  /** Called after a holder has taken more. Where nobody else holds much, it has to keep within what it had before. */
  relieve(holder: Holder, more: number): void {
    const isOver = this.bytes > this.#limit && !halve([...this.holders])
    const isFull = this.memory.isFull && !this.#all.relieve()
    if (!isOver && !isFull) return
    holder.dropTo(Math.max(0, holder.bytes - more))
    if (this.bytes > this.#limit) endLargest([...this.holders])
    else if (this.memory.isFull) this.#all.endLargest()
  }
}

/** Cuts all to half of what the largest holds, unless that is little. */
function halve(holders: readonly Holder[]): boolean {
  let most = 0
  for (const { bytes } of holders) most = Math.max(most, bytes)
  if (most < 2 * leastBytes) return false
  for (const holder of holders) if (holder.bytes > most / 2) holder.dropTo(most / 2)
  return true
}

function endLargest(holders: readonly Holder[]): void {
  let largest: Holder | undefined
  for (const holder of holders) if (holder.gapBytes > (largest?.gapBytes ?? leastBytes)) largest = holder
  largest?.end()
}
