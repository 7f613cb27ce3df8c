/**
 * Credit: how many bytes the other side of a stream may send.
 *
 * Floor 1, pure. The receiver owns the window. It grants it at the start and gives it back as the application
 * consumes, not as bytes arrive, so what lies unread is bounded by the window. The window begins small and doubles
 * when it was the bottleneck (the sender ran out, yet nothing is unread here), within the stream's limit and a budget
 * that all streams of a link share; so a thousand quiet streams cost little and one busy stream is not slowed down.
 * It shrinks again, by not giving back all, when memory is short or other streams want what it does not need.
 * A sender may send one frame while it has any credit, so a window can be overdrawn by one frame. [SOCK 6]
 */
import type { MemoryBudget } from '#base/memory-budget'
import { costOf, maxFrameBytes } from '../wire/frame.ts'

/** No side holds more credit on a stream than this. [SOCK 6.6] */
export const maxCreditBytes = 2 ** 30

/** Credit is given back in steps of half a window, and of no more than this: it also shows that the receiver moves. */
const maxStepBytes = 128 * 1024

/** A sender that has sent so many windows without running out of credit does with less. */
const calmWindows = 4

/** Bytes of window that the streams of one link may grow by, together. */
export class GrowthBudget {
  #left: number
  /** A stream has been refused since something was last given back. */
  isShort = false

  constructor(bytes: number) {
    this.#left = bytes
  }

  /** Takes `bytes` of it, if there are that many. */
  take(bytes: number): boolean {
    this.isShort = bytes > this.#left
    if (!this.isShort) this.#left -= bytes
    return !this.isShort
  }

  give(bytes: number): void {
    this.#left += bytes
    if (bytes > 0) this.isShort = false
  }
}

export class ReceiveWindow {
  readonly #initial: number
  readonly #limit: number
  readonly #budget: GrowthBudget
  readonly #memory: MemoryBudget
  #window: number
  /** What the sender may still send; at worst minus one frame. */
  #available: number
  /** Received, and the credit not given back. */
  #unread = 0
  /** Counted in the memory budget: what is unread, and what large messages have been given back early for. */
  #held = 0
  /** Consumed and not granted again. */
  #owed = 0
  /** Received since the window last changed its size or was found too small. */
  #since = 0
  /** The sender has run out of credit since the window was last found to be the bottleneck. */
  #isStarved = false

  constructor(initial: number, limit: number, budget: GrowthBudget, memory: MemoryBudget) {
    this.#initial = initial
    this.#limit = limit
    this.#budget = budget
    this.#memory = memory
    this.#window = initial
    this.#available = initial
  }

  get size(): number {
    return this.#window
  }

  get unread(): number {
    return this.#unread
  }

  /** Whether all credit is where it belongs: with the sender, or owed to it. */
  get isWhole(): boolean {
    return this.#unread === 0 && this.#held === 0 && this.#available + this.#owed === this.#window
  }

  /** Notes a frame, and whether it used the sender's last credit up. False when the sender had no credit for it. */
  received(cost: number, isStarved = false): boolean {
    const allowed = this.#available > 0
    this.#available -= cost
    this.#unread += cost
    this.#since += cost
    this.#held += cost
    this.#memory.add(cost)
    // Who has really run out of credit has sent a whole window first.
    if (isStarved && this.#since >= this.#window) this.#isStarved = true
    return allowed && this.#available >= -costOf(maxFrameBytes)
  }

  /**
   * Notes that the application is done with a message: its memory, and what of its credit had not come back early.
   * Returns the bytes to grant now, or 0 to wait. `mayShrink`: no large message is on its way, which would need the
   * window that it began with.
   */
  consumed(cost: number, early = 0, mayShrink = false): number {
    this.#held -= cost + early
    this.#memory.give(cost + early)
    return this.returned(cost, mayShrink)
  }

  /** The same for credit alone: what it was taken for is still held. */
  returned(cost: number, mayShrink = false): number {
    this.#unread -= cost
    this.#owed += cost
    const isBottleneck = this.#isStarved && this.#unread === 0
    if (!isBottleneck && this.#owed < Math.min(this.#window / 2, maxStepBytes)) return 0
    let grant = this.#owed
    this.#owed = 0
    if (mayShrink && this.#isTooLarge) grant -= this.#shrink(grant)
    else if (isBottleneck) grant += this.#grow()
    this.#available += grant
    return grant
  }

  #grow(): number {
    this.#isStarved = false
    this.#since = 0
    const more = Math.min(this.#window, this.#limit - this.#window)
    if (more <= 0 || this.#memory.isTight || !this.#budget.take(more)) return 0
    this.#window += more
    return more
  }

  /** With anything unread it stays: a message there may need it. */
  get #isTooLarge(): boolean {
    if (this.#window === this.#initial || this.#unread > 0) return false
    const isCalm = !this.#isStarved && this.#since >= calmWindows * this.#window
    return this.#memory.isTight || (this.#budget.isShort && isCalm)
  }

  #shrink(grant: number): number {
    const half = this.#memory.isTight ? this.#window : Math.floor(this.#window / 2)
    const less = Math.min(grant, half, this.#window - this.#initial)
    this.#window -= less
    this.#budget.give(less)
    this.#isStarved = false
    this.#since = 0
    return less
  }

  /** Gives what it has grown by back to the link, and its memory. Call once, at the end of the stream. */
  release(): void {
    this.#budget.give(this.#window - this.#initial)
    this.#memory.give(this.#held)
    this.#window = this.#initial
    this.#held = 0
    this.#unread = 0
  }
}
