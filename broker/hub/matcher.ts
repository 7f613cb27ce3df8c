/**
 * Who gets a topic: values filed under patterns, found by topic name.
 *
 * Floor 6. Pure. Exact names are in a Map; patterns are in a trie whose edges are segments with the separator before
 * them ('dev', '.7', '.*'). Invariants:
 * - Every branch but the root leads to two patterns or more. What is left of a pattern below the last branch it shares
 *   is not taken apart: its leaf compares it as text. So a pattern costs one leaf, and the shape depends on what is
 *   filed, not on the order of adding and deleting.
 * - A cached list is used only in the generation it was made in. Adding or deleting a pattern starts a new generation,
 *   which costs the same however many topics are cached; an exact name outdates the entry of that one topic.
 */
import { isPattern, isReserved, matchesFrom, segmentEnd } from '../shared/topic-name.ts'

/** A class of its own, to tell the values of a leaf from a value that is a Set. */
class Several<T> extends Set<T> {}

/** The values under one pattern, of which there is always one at least. */
class Leaf<T> {
  /** What is left of the pattern after the edges that led here. */
  rest: string
  /** One value lies bare: most patterns have one, and a Set weighs 200 bytes. */
  #values: T | Several<T>

  constructor(rest: string, value: T) {
    this.rest = rest
    this.#values = value
  }

  get isSingle(): boolean {
    return !(this.#values instanceof Several)
  }

  has(value: T): boolean {
    return this.#values instanceof Several ? this.#values.has(value) : this.#values === value
  }

  /** Adds a value that is not there. */
  add(value: T): void {
    if (this.#values instanceof Several) this.#values.add(value)
    else this.#values = new Several([this.#values, value])
  }

  /** Deletes a value that is there and not the only one. */
  delete(value: T): void {
    if (!(this.#values instanceof Several)) return
    this.#values.delete(value)
    if (this.#values.size > 1) return
    for (const last of this.#values) this.#values = last
  }

  toArray(): T[] {
    return this.#values instanceof Several ? [...this.#values] : [this.#values]
  }

  appendTo(list: T[]): void {
    if (!(this.#values instanceof Several)) list.push(this.#values)
    else for (const value of this.#values) list.push(value)
  }
}

/** The list of a topic that nothing matches; frozen, for everybody has the same one. */
const nobody: readonly never[] = Object.freeze([])

type Child<T> = Leaf<T> | Branch<T>

/** The edge of a pattern that ends where others go on. */
const endEdge = ''
/** The edges that stand for more than themselves. No literal is one: names have no '*' and no empty segment. */
const wildEdges: readonly string[] = [endEdge, '*', '**', '.*', '/*', '.**', '/**']

/** Children by edge: a single one in place, more in a Map (which weighs 200 bytes from the second on). */
class Branch<T> {
  /** The only child's edge; undefined if `#children` is a Map or nothing. */
  #edge: string | undefined
  #children: Child<T> | Map<string, Child<T>> | undefined
  /** How many `wildEdges` are here. Where there are none, matching has one edge to look for and not three. */
  #wild = 0

  get isWild(): boolean {
    return this.#wild > 0
  }

  get(edge: string): Child<T> | undefined {
    if (this.#children instanceof Map) return this.#children.get(edge)
    return this.#edge === edge ? this.#children : undefined
  }

  /** Puts a child at an edge, in place of the one that is there. */
  set(edge: string, child: Child<T>): void {
    if (wildEdges.includes(edge) && this.get(edge) === undefined) this.#wild++
    const children = this.#children
    if (children instanceof Map) {
      children.set(edge, child)
    } else if (children === undefined || this.#edge === undefined || this.#edge === edge) {
      this.#edge = edge
      this.#children = child
    } else {
      this.#children = new Map([
        [this.#edge, children],
        [edge, child],
      ])
      this.#edge = undefined
    }
  }

  /** Deletes the child at an edge, which has one. */
  delete(edge: string): void {
    if (wildEdges.includes(edge)) this.#wild--
    if (!(this.#children instanceof Map)) {
      this.#edge = undefined
      this.#children = undefined
      return
    }
    this.#children.delete(edge)
    if (this.#children.size > 1) return
    for (const [lastEdge, last] of this.#children) {
      this.#edge = lastEdge
      this.#children = last
    }
  }

  /** If the only child is a leaf: that leaf, its rest made longer by the edge, to take the place of this branch. */
  collapse(): Leaf<T> | undefined {
    if (!(this.#children instanceof Leaf)) return undefined
    this.#children.rest = `${this.#edge}${this.#children.rest}`
    return this.#children
  }
}

/** The edge at an offset that is 0, or at a separator, or at the end (and then gives `endEdge`). */
function edgeAt(name: string, at: number): string {
  // The segment has one code unit at least, so the search may skip what is a separator everywhere but at the start.
  return name.substring(at, segmentEnd(name, at + 1))
}

/** A topic on its way down the trie. One walk serves for all topics, and makes nothing new but the list it returns. */
class Walk<T> {
  #topic = ''
  /** The topic's edges, of which the first `#known` have been cut: what leaves compare as text is never taken apart. */
  readonly #edges: string[] = []
  #known = 0
  #found: T[] | undefined

  /** The values under `exact`, if given, and under the patterns of the trie that match. */
  collect(topic: string, exact: Leaf<T> | undefined, root: Branch<T>): readonly T[] {
    this.#topic = topic
    this.#known = 0
    this.#take(exact)
    this.#visit(root, 0, 0)
    const found = this.#found
    this.#found = undefined
    return found ?? nobody
  }

  /** Takes what is under a node to which the topic's first `depth` edges have led, `at` code units of it. */
  #visit(node: Child<T> | undefined, depth: number, at: number): void {
    if (node === undefined) return
    if (node instanceof Leaf) {
      if (matchesFrom(node.rest, 0, this.#topic, at)) this.#take(node)
      return
    }
    if (at === this.#topic.length) {
      this.#visitEnd(node)
      return
    }
    const edge = this.#edgeOf(depth, at)
    const next = at + edge.length
    this.#visit(node.get(edge), depth + 1, next)
    if (!node.isWild || (depth === 0 && isReserved(this.#topic))) return
    const dotted = edge[0] === '.'
    this.#visit(node.get(depth === 0 ? '*' : dotted ? '.*' : '/*'), depth + 1, next)
    this.#take(node.get(depth === 0 ? '**' : dotted ? '.**' : '/**'))
  }

  /** The topic ends here, and so has the pattern to, or to have nothing but '**' to come, after either separator. */
  #visitEnd(branch: Branch<T>): void {
    if (!branch.isWild) return
    this.#take(branch.get(endEdge))
    this.#take(branch.get('.**'))
    this.#take(branch.get('/**'))
  }

  #edgeOf(depth: number, at: number): string {
    const known = depth < this.#known ? this.#edges[depth] : undefined
    if (known !== undefined) return known
    const edge = edgeAt(this.#topic, at)
    this.#edges[depth] = edge
    this.#known = depth + 1
    return edge
  }

  /** Takes what matches for certain: a leaf, if anything. */
  #take(node: Child<T> | undefined): void {
    if (!(node instanceof Leaf)) return
    if (this.#found === undefined) this.#found = node.toArray()
    else node.appendTo(this.#found)
  }
}

interface Cached<T> {
  generation: number
  list: readonly T[]
}

const outdated = -1
/** How many different rests are remembered to be shared; then the memory starts afresh. */
const maxRests = 1_000

export interface MatcherOptions {
  /** For how many topics the list is kept; then the oldest makes room. Default 10 000; 0 keeps none. */
  readonly cacheTopics?: number
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
  /** The topics in the cache, oldest at `#oldest` once it is full. A Map's first key is slow to find after deletes. */
  readonly #ring: string[] = []
  #oldest = 0
  #generation = 0
  #size = 0
  #nodes = 0

  constructor({ cacheTopics = 10_000 }: MatcherOptions = {}) {
    this.#cacheTopics = cacheTopics
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
    if (cached === undefined) {
      this.#keep(topic, list)
      return list
    }
    cached.generation = this.#generation
    if (!isSame(cached.list, list)) cached.list = list
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

  #outdate(pattern: string): void {
    if (isPattern(pattern)) {
      this.#generation++
      return
    }
    const cached = this.#cache.get(pattern)
    if (cached !== undefined) cached.generation = outdated
  }

  #keep(topic: string, list: readonly T[]): void {
    if (this.#cacheTopics === 0) return
    if (this.#cache.size < this.#cacheTopics) {
      this.#ring.push(topic)
    } else {
      this.#cache.delete(this.#ring[this.#oldest] ?? topic)
      this.#ring[this.#oldest] = topic
      this.#oldest = (this.#oldest + 1) % this.#cacheTopics
    }
    this.#cache.set(topic, { generation: this.#generation, list })
  }
}

function isSame<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i])
}
