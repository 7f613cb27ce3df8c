/**
 * A map that is small while it has few entries: most of a broker's maps, one or more for each link, hold none or two.
 *
 * Floor 0, pure. Up to `fewest` entries lie in an array that is searched; more go into a `Map`, which then stays. An
 * empty `Map` takes 250 bytes, and a lookup among two in an array is the faster one.
 */

const fewest = 8
const nothing: readonly never[] = Object.freeze([])

export class SmallMap<K, V> {
  /** Keys and values in turns. */
  #few: readonly (K | V)[] = nothing
  #map: Map<K, V> | undefined

  get size(): number {
    return this.#map === undefined ? this.#few.length / 2 : this.#map.size
  }

  has(key: K): boolean {
    return this.#map === undefined ? this.#find(key) >= 0 : this.#map.has(key)
  }

  get(key: K): V | undefined {
    if (this.#map !== undefined) return this.#map.get(key)
    const at = this.#find(key)
    return at < 0 ? undefined : (this.#few[at + 1] as V)
  }

  set(key: K, value: V): void {
    if (this.#map === undefined && this.#few.length >= fewest * 2 && this.#find(key) < 0) this.#grow()
    if (this.#map !== undefined) {
      this.#map.set(key, value)
      return
    }
    this.delete(key)
    // `concat` makes an array that has no room to spare.
    this.#few = this.#few.concat([key, value])
  }

  /** Whether it was there. */
  delete(key: K): boolean {
    if (this.#map !== undefined) return this.#map.delete(key)
    const at = this.#find(key)
    if (at < 0) return false
    this.#few = this.#few.length === 2 ? nothing : this.#few.slice(0, at).concat(this.#few.slice(at + 2))
    return true
  }

  /** The values as they are now, oldest first: entries may be added and deleted while they are gone through. */
  values(): V[] {
    if (this.#map !== undefined) return [...this.#map.values()]
    return this.#few.filter((_, at) => at % 2 === 1) as V[]
  }

  clear(): void {
    this.#few = nothing
    this.#map = undefined
  }

  #find(key: K): number {
    const few = this.#few
    for (let at = 0; at < few.length; at += 2) if (few[at] === key) return at
    return -1
  }

  #grow(): void {
    const map = new Map<K, V>()
    for (let at = 0; at < this.#few.length; at += 2) map.set(this.#few[at] as K, this.#few[at + 1] as V)
    this.#map = map
    this.#few = nothing
  }
}
