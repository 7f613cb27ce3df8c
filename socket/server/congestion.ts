/**
 * Judges what waits for links that do not read: who has to go when it becomes too much.
 *
 * Floor 4. From half of a link's bound on, or of the memory where little of that is left, whoever sends it much more than
 * the others has his streams to it reset: a link that is busy for a moment must not be cut because another one floods it.
 * At the whole bound the link itself is cut; and when everything that waits for all links is more than the server may
 * hold, the one with the most. Streams that had to wait begin when an eighth is left, for a link that is always busy may
 * never have read everything. [SOCK 7.4]
 */
import type { MemoryBudget } from '#base/memory-budget'
import type { Line } from './lines.ts'
import { Waiting } from './waiting.ts'

/** Resets the streams between two links, and begins others in their place. */
export interface Joints {
  breakUp(line: Line, linkId: number): void
  rejoin(line: Line, linkIds: ReadonlySet<number>): void
}

export class Congestion {
  readonly #congested = new Set<Line>()
  readonly #maxLinkBytes: number
  /** What may wait for a link when nothing waits for others. */
  readonly #mostBytes: number
  readonly #memory: MemoryBudget
  readonly #joints: Joints

  constructor(maxLinkBytes: number, memory: MemoryBudget, joints: Joints) {
    this.#maxLinkBytes = maxLinkBytes
    this.#mostBytes = Math.min(maxLinkBytes, memory.limit)
    this.#memory = memory
    this.#joints = joints
  }

  /** More waits for a congested link. `source` sent it; without one the server did. */
  grew(line: Line, source: Line | undefined, bytes: number): void {
    const { buffered } = line.port
    const waiting = line.waiting ?? this.#begin(line)
    waiting.hold(buffered)
    const limit = this.#maxLinkBytes
    if (buffered > limit) line.overflowed(limit, buffered)
    else if (source !== undefined && !source.isTrusted) {
      waiting.count(source.info.linkId, bytes)
      const greediest = this.#isMuch(buffered) ? waiting.bar() : undefined
      if (greediest !== undefined) this.#joints.breakUp(line, greediest)
    }
    if (buffered < this.#mostBytes / 8) this.#join(line, waiting)
    if (this.#memory.used > this.#memory.limit) this.#cutLargest()
  }

  /** Of what may wait for one link; or of what may wait for all, when there is little left of that. */
  #isMuch(buffered: number): boolean {
    return buffered > this.#maxLinkBytes / 2 || (this.#memory.isTight && buffered > this.#memory.limit / 2)
  }

  /** Whether ends of the two are to be joined: else it is done once the one that has not read has. */
  mayJoin(one: Line, two: Line): boolean {
    return this.#takes(one, two) && this.#takes(two, one)
  }

  #takes({ waiting }: Line, { info: { linkId } }: Line): boolean {
    if (waiting === undefined) return true
    return !waiting.barred.has(linkId) && !waiting.mustWait(linkId, this.#mostBytes)
  }

  /** The link has read what waited for it. */
  drained(line: Line): void {
    const { waiting } = line
    if (waiting === undefined) return
    this.forget(line)
    this.#join(line, waiting)
  }

  #join(line: Line, waiting: Waiting): void {
    const kept = waiting.release()
    if (kept.size > 0) this.#joints.rejoin(line, kept)
  }

  /** Nothing waits any more: it has been read, or the port is over. */
  forget(line: Line): void {
    line.waiting?.hold(0)
    line.waiting = undefined
    this.#congested.delete(line)
  }

  #begin(line: Line): Waiting {
    const waiting = new Waiting(this.#memory)
    line.waiting = waiting
    this.#congested.add(line)
    return waiting
  }

  /** The one that is cut takes what waited for it along in the next turn; until then it stays the largest. */
  #cutLargest(): void {
    let largest: Line | undefined
    for (const line of this.#congested) {
      if ((line.waiting?.bytes ?? 0) > (largest?.waiting?.bytes ?? 0)) largest = line
    }
    largest?.overflowed(this.#memory.limit, this.#memory.used)
  }
}
