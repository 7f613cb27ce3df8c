/**
 * The trie of patterns: leaves with values under them, branches between, and the walk of a topic down to them.
 *
 * Floor 6, pure. Edges are segments with the separator before them ('dev', '.7', '.*'). Every branch but the root leads
 * to two patterns or more; what is left of a pattern below the last branch it shares is compared as text by its leaf. So
 * a pattern costs one leaf, and the shape depends on what is filed, not on the order of adding and deleting.
 */
import { isReserved, matchesFrom, segmentEnd } from '../shared/topic-name.ts'

/** A class of its own, to tell the values of a leaf from a value that is a Set. */
class Several<T> extends Set<T> {}

/** The values under one pattern, of which there is always one at least. */
export class Leaf<T> {
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

export type Child<T> = Leaf<T> | Branch<T>

/** The edge of a pattern that ends where others go on. */
export const endEdge = ''
/** The edges that stand for more than themselves. No literal is one: names have no '*' and no empty segment. */
const wildEdges: readonly string[] = [endEdge, '*', '**', '.*', '/*', '.**', '/**']

/** Children by edge: a single one in place, more in a Map (which weighs 200 bytes from the second on). */
export class Branch<T> {
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
export function edgeAt(name: string, at: number): string {
  // The segment has one code unit at least, so the search may skip what is a separator everywhere but at the start.
  return name.substring(at, segmentEnd(name, at + 1))
}

/** A topic on its way down the trie. One walk serves for all topics, and makes nothing new but the list it returns. */
export class Walk<T> {
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
