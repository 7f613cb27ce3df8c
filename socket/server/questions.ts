/**
 * Questions to a hook that it has not answered yet, by the memory that they keep.
 *
 * Floor 2. A hook cannot be called off: what it was asked with stays until it answers, also when the one it is about has
 * gone meanwhile and asks again. So questions are bounded together, and not by link. Large ones have half of the room, for
 * those who ask little must not be kept out by those who ask much. A hook that has not answered in time may never do: its
 * question is not counted any more, or nobody could come in for good.
 */
import { encodeText } from '#base/bytes'
import type { Clock } from '#base/clock'
import { MemoryBudget } from '#base/memory-budget'
import { Deadline, Deadlines } from '../time/deadlines.ts'

/** What JSON takes at most for each of these when it is parsed: an object, an array, a hidden class, a place in one. */
const markBytes = 100
const marks: ReadonlySet<number> = new Set(encodeText('{[:,'))

/** A question that waits for its answer. */
export class Question extends Deadline {
  readonly #budget: MemoryBudget
  readonly #deadlines: Deadlines
  #bytes: number

  constructor(budget: MemoryBudget, bytes: number, deadlines: Deadlines) {
    super()
    this.#budget = budget
    this.#bytes = bytes
    this.#deadlines = deadlines
  }

  /** The hook has answered, whatever it said. */
  answered(): void {
    this.#deadlines.remove(this)
    this.expire()
  }

  expire(): void {
    this.#budget.give(this.#bytes)
    this.#bytes = 0
  }
}

export class Questions {
  readonly #all: MemoryBudget
  readonly #large: MemoryBudget
  readonly #deadlines: Deadlines
  readonly #timeoutMs: number

  constructor(maxBytes: number, clock: Clock, timeoutMs: number) {
    this.#all = new MemoryBudget(maxBytes)
    this.#large = this.#all.child(maxBytes / 2)
    this.#deadlines = Deadlines.of(clock)
    this.#timeoutMs = timeoutMs
  }

  /** Nothing when there is no room for it; there always is for one. */
  ask(bytes: number, isLarge: boolean): Question | undefined {
    const budget = isLarge ? this.#large : this.#all
    if (budget.used === 0) budget.add(bytes)
    else if (!budget.take(bytes)) return undefined
    const question = new Question(budget, bytes, this.#deadlines)
    this.#deadlines.add(question, this.#timeoutMs)
    return question
  }
}

/** What the JSON in `bytes[start, end)` takes when it is parsed, at most. */
export function parsedBytes(bytes: Uint8Array, start: number, end: number): number {
  let count = 0
  for (let at = start; at < end; at++) if (marks.has(bytes[at] as number)) count++
  return 2 * (end - start) + count * markBytes
}
