/**
 * What waits for one link that does not read as fast as it is sent to, and which links sent it.
 *
 * Floor 1, pure. It is there only while the link is congested. Bytes that went out long ago say nothing about who fills
 * the buffer now, so the counts are halved whenever they have grown to twice of what waits.
 */
import type { MemoryBudget } from '#base/memory-budget'

/** Shares below this are forgotten when they are halved. */
const leastShare = 1_024

export class Waiting {
  /** Links whose streams to this one were reset: they get new ones when it has read what waits. */
  readonly barred = new Set<number>()
  readonly #memory: MemoryBudget
  /** Bytes sent to it, by the number of the link that sent them. */
  readonly #shares = new Map<number, number>()
  #total = 0
  /** What is counted in the budget. */
  #bytes = 0

  constructor(memory: MemoryBudget) {
    this.#memory = memory
  }

  get bytes(): number {
    return this.#bytes
  }

  /** So much waits now. */
  hold(bytes: number): void {
    if (bytes > this.#bytes) this.#memory.add(bytes - this.#bytes)
    else this.#memory.give(this.#bytes - bytes)
    this.#bytes = bytes
  }

  /** Counts what a link has sent to it. */
  count(linkId: number, bytes: number): void {
    this.#shares.set(linkId, (this.#shares.get(linkId) ?? 0) + bytes)
    this.#total += bytes
    if (this.#total > this.#bytes * 2) this.#halve()
  }

  /** The link that has sent the most, if that is more than twice what the others have on average; it is barred then. */
  bar(): number | undefined {
    let most = 0
    let greediest: number | undefined
    for (const [linkId, share] of this.#shares) {
      if (share <= most || this.barred.has(linkId)) continue
      most = share
      greediest = linkId
    }
    const others = this.#shares.size - 1
    if (greediest === undefined || (others > 0 && most * others <= (this.#total - most) * 2)) return undefined
    // Its share stays, or the others would be judged as if they had filled everything.
    this.barred.add(greediest)
    return greediest
  }

  #halve(): void {
    this.#total = 0
    for (const [linkId, share] of this.#shares) {
      if (share < leastShare * 2) this.#shares.delete(linkId)
      else {
        this.#shares.set(linkId, share / 2)
        this.#total += share / 2
      }
    }
  }
}
