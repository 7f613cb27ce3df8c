/**
 * Credit: how many bytes the other side of a stream may send.
 *
 * Floor 1, pure. The receiver owns the window. It grants it at the start and gives it back as the application
 * consumes, not as bytes arrive, so what lies unread is bounded by the window. The window begins small and doubles
 * when it was the bottleneck (the sender ran out, yet nothing is unread here), within the stream's limit and a budget
 * that all streams of a link share; so a thousand quiet streams cost little and one busy stream is not slowed down.
 * A sender may send one frame while it has any credit, so a window can be overdrawn by one frame. [SOCK 6]
 */
import { headerBytes, maxFrameBytes } from '../wire/frame.ts'

/** What a frame of `length` payload bytes costs. The header counts, so that empty messages are bounded too. */
export function costOf(length: number): number {
  return length + headerBytes
}

/** Credit is given back in steps of half a window, and of no more than this: it also shows that the receiver moves. */
const maxStepBytes = 128 * 1024

/** Bytes of window that the streams of one link may grow by, together. */
export class GrowthBudget {
  #left: number

  constructor(bytes: number) {
    this.#left = bytes
  }

  /** Takes `bytes` of it, if there are that many. */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false
    this.#left -= bytes
    return true
  }

  give(bytes: number): void {
    this.#left += bytes
  }
}

export class ReceiveWindow {
  readonly #initial: number
  readonly #limit: number
  readonly #budget: GrowthBudget
  #window: number
  /** What the sender may still send; at worst minus one frame. */
  #available: number
  /** Received and not consumed. */
  #unread = 0
  /** Consumed and not granted again. */
  #owed = 0
  /** The sender has run out of credit since the window was last found to be the bottleneck. */
  #isStarved = false

  constructor(initial: number, limit: number, budget: GrowthBudget) {
    this.#initial = initial
    this.#limit = limit
    this.#budget = budget
    this.#window = initial
    this.#available = initial
  }

  get size(): number {
    return this.#window
  }

  get unread(): number {
    return this.#unread
  }

  /** Notes a frame, and whether it used the sender's last credit up. False when the sender had no credit for it. */
  received(cost: number, isStarved = false): boolean {
    if (isStarved) this.#isStarved = true
    const allowed = this.#available > 0
    this.#available -= cost
    this.#unread += cost
    return allowed && this.#available >= -costOf(maxFrameBytes)
  }

  /** Notes that the application is done with `cost` bytes. Returns the bytes to grant now, or 0 to wait. */
  consumed(cost: number): number {
    this.#unread -= cost
    this.#owed += cost
    const isBottleneck = this.#isStarved && this.#unread === 0
    if (!isBottleneck && this.#owed < Math.min(this.#window / 2, maxStepBytes)) return 0
    let grant = this.#owed
    this.#owed = 0
    if (isBottleneck) {
      this.#isStarved = false
      grant += this.#grow()
    }
    this.#available += grant
    return grant
  }

  #grow(): number {
    const more = Math.min(this.#window, this.#limit - this.#window)
    if (more <= 0 || !this.#budget.take(more)) return 0
    this.#window += more
    return more
  }

  /** Gives what it has grown by back to the link. Call once, at the end of the stream. */
  release(): void {
    this.#budget.give(this.#window - this.#initial)
    this.#window = this.#initial
  }
}
