/**
 * What has come and waits for long is moved out of the large buffers that it came in.
 *
 * Floor 2. After a moment and not at once: what flows is read before, and not worth a copy. One timer for all.
 */
import type { Clock } from '#base/clock'

const afterMs = 100

const byClock = new WeakMap<Clock, Compaction>()

export interface Compactable {
  compact(): void
}

export class Compaction {
  readonly #clock: Clock
  #due: Compactable[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The one that goes by this clock. */
  static of(clock: Clock): Compaction {
    let compaction = byClock.get(clock)
    if (compaction === undefined) {
      compaction = new Compaction(clock)
      byClock.set(clock, compaction)
    }
    return compaction
  }

  /** Something has come there. Is told once, until it is compacted. */
  add(one: Compactable): void {
    this.#due.push(one)
    if (this.#due.length === 1) this.#clock.after(afterMs, () => this.#compact())
  }

  #compact(): void {
    const due = this.#due
    this.#due = []
    for (const one of due) one.compact()
  }
}
