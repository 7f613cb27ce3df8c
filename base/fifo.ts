/**
 * A first-in first-out list whose shift costs the same however long it is.
 *
 * Floor 0, pure. It has no bound of its own: whoever pushes keeps one.
 */
export class Fifo<T> {
  #items: T[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  push(item: T): void {
    this.#items.push(item)
  }

  peek(): T | undefined {
    return this.#items[this.#head]
  }

  shift(): T | undefined {
    const item = this.#items[this.#head]
    if (this.#head === this.#items.length) return undefined
    this.#items[this.#head] = undefined as T
    this.#head++
    if (this.#head * 2 >= this.#items.length) {
      this.#items = this.#head === this.#items.length ? [] : this.#items.slice(this.#head)
      this.#head = 0
    }
    return item
  }

  /** Puts an item before the first; to be used seldom, for all may have to move. */
  unshift(item: T): void {
    if (this.#head === 0) this.#items.unshift(item)
    else this.#items[--this.#head] = item
  }

  /** Calls with every item, first to last, but for the first `skip`. */
  each(call: (item: T, index: number) => void, skip = 0): void {
    for (let at = this.#head + skip; at < this.#items.length; at++) call(this.#items[at] as T, at - this.#head)
  }

  /** Empties the list and returns what was in it. */
  clear(): T[] {
    const items = this.#items.slice(this.#head)
    this.#items = []
    this.#head = 0
    return items
  }

  /** Keeps only the items that pass. */
  keep(test: (item: T) => boolean): void {
    this.#items = this.#items.slice(this.#head).filter(test)
    this.#head = 0
  }
}
