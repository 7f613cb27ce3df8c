/**
 * What waits for one link that does not read as fast as it is sent to, and which links sent it.
 *
 * Floor 1, pure. It is there only while the link is congested, which a busy one is many times a second, and makes
 * little: links of this program, such as a broker's, are not counted. Bytes that went out long ago say nothing about who
 * fills the buffer now, so the counts are halved whenever they have grown to twice of what waits.
 */
import type { MemoryBudget } from '#base/memory-budget'

/** Of what may wait: who has sent less is joined even where much waits. */
const smallPart = 1 / 1_024
/** So many bytes have to come for each share before all of them are looked at again. */
const bytesPerLook = 8
/** Shares below this are forgotten when they are halved. */
const leastShare = 1_024
const nobody: ReadonlySet<number> = new Set()

export class Waiting {
  /** Links whose streams to this one were reset: they get new ones when it has read what waits. */
  barred: ReadonlySet<number> = nobody
  /** Links with ends that are joined only then, for there was no room to tell of more. */
  late: ReadonlySet<number> = nobody
  readonly #memory: MemoryBudget
  /** Bytes sent to it, by the number of the link that sent them. */
  #shares: Map<number, number> | undefined
  #total = 0
  /** Bytes until the shares are looked at. */
  #untilLook = 0
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
    this.#shares ??= new Map()
    this.#shares.set(linkId, (this.#shares.get(linkId) ?? 0) + bytes)
    this.#total += bytes
    this.#untilLook -= bytes
    if (this.#total > this.#bytes * 2) this.#halve(this.#shares)
  }

  /** The link that has sent the most, if that is more than twice what the others have on average; it is barred then. */
  bar(): number | undefined {
    const shares = this.#shares
    if (shares === undefined || this.#untilLook > 0) return undefined
    this.#untilLook = shares.size * bytesPerLook
    let most = 0
    let greediest: number | undefined
    for (const [linkId, share] of shares) {
      if (share <= most || this.barred.has(linkId)) continue
      most = share
      greediest = linkId
    }
    const others = shares.size - 1
    if (greediest === undefined || (others > 0 && most * others <= (this.#total - most) * 2)) return undefined
    // Its share stays, or the others would be judged as if they had filled everything.
    this.barred = new Set(this.barred).add(greediest)
    return greediest
  }

  /**
   * Whether another end of the link is to be joined later: much of `maxBytes` waits, and the link has its part in that.
   * Else whoever has very many ends could fill everything by what is told of them alone.
   */
  mustWait(linkId: number, maxBytes: number): boolean {
    if (this.#bytes <= maxBytes / 4 || (this.#shares?.get(linkId) ?? 0) <= maxBytes * smallPart) return false
    if (!this.late.has(linkId)) this.late = new Set(this.late).add(linkId)
    return true
  }

  /** Those that were barred or late, and are not any more. */
  release(): ReadonlySet<number> {
    const { barred, late } = this
    if (barred.size + late.size === 0) return nobody
    this.barred = nobody
    this.late = nobody
    return new Set([...barred, ...late])
  }

  #halve(shares: Map<number, number>): void {
    this.#total = 0
    for (const [linkId, share] of shares) {
      if (share < leastShare * 2) shares.delete(linkId)
      else {
        shares.set(linkId, share / 2)
        this.#total += share / 2
      }
    }
  }
}
