/**
 * Entries in an order that never changes, of which some are gone: mostly the first ones, now and then one in the midst.
 *
 * Floor 6, pure. What is gone is passed over, and swept when it is more than what is there. So adding, losing and
 * finding the first cost the same however many there are, and a search takes as many steps as a number has bits.
 */
export interface Loseable {
  readonly isGone: boolean
}

/** Few of them are not worth sweeping. */
const leastGone = 4

export class Run<T extends Loseable> {
  #items: T[] = []
  #head = 0
  #gone = 0

  /** The first that is there. */
  get first(): T | undefined {
    let item = this.#items[this.#head]
    while (item?.isGone) item = this.#items[++this.#head]
    return item
  }

  push(item: T): void {
    this.#items.push(item)
  }

  /** One of the items has just been marked as gone. */
  hasLost(): void {
    this.#gone++
    if (this.#gone < leastGone || this.#gone * 2 < this.#items.length) return
    this.#items = this.#items.filter(({ isGone }) => !isGone)
    this.#head = 0
    this.#gone = 0
  }

  /** The item at an index that `search` gave, or a later one; it may be gone. Indices hold until the next change. */
  at(index: number): T | undefined {
    return this.#items[index]
  }

  /** The index of the first that passes; all after one that passes must pass too. */
  search(passes: (item: T) => boolean): number {
    let [low, high] = [this.#head, this.#items.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (passes(this.#items[middle] as T)) high = middle
      else low = middle + 1
    }
    return low
  }

  clear(): void {
    this.#items = []
    this.#head = 0
    this.#gone = 0
  }
}
