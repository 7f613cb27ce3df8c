/**
 * How much memory a program may spend on what it holds for others.
 *
 * Floor 0, pure. Every queue has a bound of its own; this bounds their sum. Budgets form a tree: what a link takes, the
 * program's budget counts too. Whoever holds something counts it here, and gives it back when it is gone. What happens
 * at the limit is for the holder to say (docs/limits.md): this class only counts.
 */

/** Above this part of a limit nothing that could do without grows any more. */
const tightPart = 3 / 4
/** Below this part what keeps four times as much memory alive as is counted for it does not pass a limit either. */
const amplePart = 1 / 4

export class MemoryBudget {
  /** Bytes. */
  readonly limit: number
  readonly #parent: MemoryBudget | undefined
  #used = 0

  constructor(limit: number, parent?: MemoryBudget) {
    this.limit = limit
    this.#parent = parent
  }

  /** Bytes held at the moment; after `add` it may be more than the limit. */
  get used(): number {
    return this.#used
  }

  /** Whether nothing more is to be held. */
  get isFull(): boolean {
    return this.#used >= this.limit || this.#parent?.isFull === true
  }

  /** Whether so much is held that nothing should grow. */
  get isTight(): boolean {
    return this.#used >= this.limit * tightPart || this.#parent?.isTight === true
  }

  /** Whether so little is held that it need not lie close together. */
  get isAmple(): boolean {
    return this.#used < this.limit * amplePart && this.#parent?.isAmple !== false
  }

  /** A budget within this one. */
  child(limit: number): MemoryBudget {
    return new MemoryBudget(Math.min(limit, this.limit), this)
  }

  /** Counts the bytes if they fit, here and in every budget above; else it counts nothing and says false. */
  take(bytes: number): boolean {
    if (this.#used + bytes > this.limit) return false
    if (this.#parent?.take(bytes) === false) return false
    this.#used += bytes
    return true
  }

  /** Counts bytes that are held already, whether they fit or not. */
  add(bytes: number): void {
    this.#used += bytes
    this.#parent?.add(bytes)
  }

  /** The bytes are not held any more. */
  give(bytes: number): void {
    this.#used -= bytes
    this.#parent?.give(bytes)
  }
}

interface HeapStatistics {
  readonly heap_size_limit: number
}

interface Platform {
  getBuiltinModule?(name: 'node:v8'): { getHeapStatistics(): HeapStatistics } | undefined
}

/** For where nobody tells how large the heap may become. */
const unknownHeapBytes = 1024 * 1024 * 1024

/** A quarter of what V8's heap may grow to (`--max-old-space-size`, else by the machine's memory), in bytes. */
export function defaultMemoryBytes(): number {
  const platform = (globalThis as { process?: Platform }).process
  const limit = platform?.getBuiltinModule?.('node:v8')?.getHeapStatistics().heap_size_limit
  return Math.floor((limit ?? unknownHeapBytes) / 4)
}
