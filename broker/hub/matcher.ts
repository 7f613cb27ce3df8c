/**
 * Who gets a topic: values filed under patterns, found by topic name.
 *
 * Floor 7. Pure. Exact names are in a Map, patterns in a trie (pattern-trie.ts). Invariants:
 * - A cached list is used only in the generation it was made in. Adding or deleting a pattern starts a new generation,
 *   which costs the same however many topics are cached; an exact name outdates the entry of that one topic.
 * - Topics with equal lists share one, so the cache grows with what differs.
 */
import { isPattern } from '../shared/topic-name.ts'
import { Branch, type Child, edgeAt, endEdge, Leaf, Walk } from './pattern-trie.ts'

interface Cached<T> {
  generation: number
  list: readonly T[]
}

const outdated = -1
/** Lists that begin alike are compared with so many others at most, to be shared. */
const maxAlike = 8
/** How many different rests are remembered to be shared; then the memory starts afresh. */
const maxRests = 1_000

export interface MatcherOptions {
  /** For how many topics the list is kept; then the oldest makes room. Default 10 000; 0 keeps none. */
  readonly cacheTopics?: number
  /** How many values all kept lists may have together; then the cache begins afresh. Default 1 000 000. */
  readonly cacheValues?: number
}

/**
 * Values filed under patterns, found by topic. Patterns and topics are taken as checked (`checkPattern`, `checkTopic`).
 *
 * A pair of pattern and value is held once, however often it is added. A value under two patterns that match is found
 * twice: whoever must not deliver twice gives each subscription a value of its own. Lists have the most specific
 * pattern first, as `compareSpecificity` orders them, and the values of one pattern in the order they were added.
 *
 * A cached list holds on to its values until its topic is matched again or makes room, also to deleted ones: release
 * what is large in a value yourself when you delete it.
 */
export class Matcher<T extends NonNullable<unknown>> {
  readonly #exact = new Map<string, Leaf<T>>()
  readonly #root = new Branch<T>()
  readonly #walk = new Walk<T>()
  readonly #rests = new Map<string, string>()
  readonly #cache = new Map<string, Cached<T>>()
  readonly #cacheTopics: number
  readonly #cacheValues: number
  /** Lists made in this generation, by their first value: topics with equal lists share one. */
  readonly #lists = new Map<T, (readonly T[])[]>()
  /** Values in all lists made since the cache began. */
  #values = 0
  /** The topics in the cache, oldest at `#oldest` once it is full. A Map's first key is slow to find after deletes. */
  readonly #ring: string[] = []
  #oldest = 0
  #generation = 0
  #size = 0
  #nodes = 0

  constructor({ cacheTopics = 10_000, cacheValues = 1_000_000 }: MatcherOptions = {}) {
    this.#cacheTopics = cacheTopics
    this.#cacheValues = cacheValues
  }

  /** How many (pattern, value) pairs there are. */
  get size(): number {
    return this.#size
  }

  /** How many nodes the trie has below its root: a leaf for every pattern with a wildcard, and the branches. */
  get nodes(): number {
    return this.#nodes
  }

  /** How many topics are in the cache. */
  get cachedTopics(): number {
    return this.#cache.size
  }

  /** Files a value under a pattern; nothing happens if it is there already. */
  add(pattern: string, value: T): void {
    const leaf = this.#find(pattern)
    if (leaf?.has(value)) return
    if (leaf !== undefined) leaf.add(value)
    else if (isPattern(pattern)) this.#insert(pattern, value)
    else this.#exact.set(pattern, new Leaf('', value))
    this.#size++
    this.#outdate(pattern)
  }

  /** Takes a value from under a pattern. False if it was not there. */
  delete(pattern: string, value: T): boolean {
    const leaf = this.#find(pattern)
    if (!leaf?.has(value)) return false
    if (!leaf.isSingle) leaf.delete(value)
    else if (isPattern(pattern)) this.#remove(pattern)
    else this.#exact.delete(pattern)
    this.#size--
    this.#outdate(pattern)
    return true
  }

  /**
   * The values under every pattern that matches a topic. The same array every time, until what it says changes or
   * the topic has made room in the cache for others: do not modify it.
   */
  match(topic: string): readonly T[] {
    const cached = this.#cache.get(topic)
    if (cached !== undefined && cached.generation === this.#generation) return cached.list
    const list = this.matchUncached(topic)
    if (cached === undefined) return this.#keep(topic, this.#interned(list))
    cached.generation = this.#generation
    if (!isSame(cached.list, list)) cached.list = this.#interned(list)
    return cached.list
  }

  /** As `match`, without looking in the cache or adding to it; for topics that will not come again. */
  matchUncached(topic: string): readonly T[] {
    return this.#walk.collect(topic, this.#exact.get(topic), this.#root)
  }

  #find(pattern: string): Leaf<T> | undefined {
    if (!isPattern(pattern)) return this.#exact.get(pattern)
    let node: Child<T> | undefined = this.#root
    let at = 0
    while (node instanceof Branch) {
      const edge = edgeAt(pattern, at)
      node = node.get(edge)
      at += edge.length
    }
    return node?.rest === pattern.substring(at) ? node : undefined
  }

  #insert(pattern: string, value: T): void {
    let branch = this.#root
    for (let at = 0; ; ) {
      const edge = edgeAt(pattern, at)
      at += edge.length
      const child = branch.get(edge)
      if (child instanceof Branch) {
        branch = child
        continue
      }
      this.#nodes++
      if (child === undefined) {
        branch.set(edge, new Leaf(this.#shared(pattern.substring(at)), value))
        return
      }
      // Two patterns from here on: the leaf that had this edge to itself goes one down, perhaps to be met there again.
      const fork = new Branch<T>()
      const forkEdge = edgeAt(child.rest, 0)
      child.rest = this.#shared(child.rest.substring(forkEdge.length))
      fork.set(forkEdge, child)
      branch.set(edge, fork)
      branch = fork
    }
  }

  #remove(pattern: string): void {
    const branches: Branch<T>[] = []
    const edges: string[] = []
    let node: Child<T> | undefined = this.#root
    for (let at = 0; node instanceof Branch; ) {
      const edge = edgeAt(pattern, at)
      branches.push(node)
      edges.push(edge)
      node = node.get(edge)
      at += edge.length
    }
    this.#nodes--
    branches.at(-1)?.delete(edges.at(-1) ?? endEdge)
    // A branch left with one pattern gives its place to that leaf, and then so may the branch above it.
    for (let i = branches.length - 1; i > 0; i--) {
      const leaf = branches[i]?.collapse()
      if (leaf === undefined) return
      branches[i - 1]?.set(edges[i - 1] ?? endEdge, leaf)
      this.#nodes--
    }
  }

  /** One string for all equal rests, while they are remembered: the leaf at hand then says it without a cache miss. */
  #shared(rest: string): string {
    const known = this.#rests.get(rest)
    if (known !== undefined) return known
    if (this.#rests.size === maxRests) this.#rests.clear()
    this.#rests.set(rest, rest)
    return rest
  }

  /** A list that says the same, if one was made lately; else this one. */
  #interned(list: readonly T[]): readonly T[] {
    const [first] = list
    if (first === undefined || this.#cacheTopics === 0) return list
    let alike = this.#lists.get(first)
    const known = alike?.find((one) => isSame(one, list))
    if (known) return known
    this.#values += list.length
    if (this.#values > this.#cacheValues) {
      this.#forget()
      this.#values = list.length
      alike = undefined
    }
    if (alike === undefined) this.#lists.set(first, [list])
    else if (alike.push(list) > maxAlike) alike.shift()
    return list
  }

  #forget(): void {
    this.#cache.clear()
    this.#lists.clear()
    this.#ring.length = 0
    this.#oldest = 0
  }

  #outdate(pattern: string): void {
    // They would hold on to what was deleted.
    this.#lists.clear()
    if (isPattern(pattern)) {
      this.#generation++
      return
    }
    const cached = this.#cache.get(pattern)
    if (cached !== undefined) cached.generation = outdated
  }

  #keep(topic: string, list: readonly T[]): readonly T[] {
    if (this.#cacheTopics === 0) return list
    if (this.#cache.size < this.#cacheTopics) {
      this.#ring.push(topic)
    } else {
      this.#cache.delete(this.#ring[this.#oldest] ?? topic)
      this.#ring[this.#oldest] = topic
      this.#oldest = (this.#oldest + 1) % this.#cacheTopics
    }
    this.#cache.set(topic, { generation: this.#generation, list })
    return list
  }
}

function isSame<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i])
}
