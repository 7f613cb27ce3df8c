/**
 * Messages that a Provider has received and not handed out.
 *
 * Floor 4. The windows of its streams bound what they put here. One-way messages outlive their stream, so what streams
 * that ended have left has a bound of its own: beyond it the oldest of those are dropped, and counted. Whatever leaves
 * the inbox unread gives its credit back: nobody else would. The window counts the bytes of a message in the memory
 * budget as long as its stream is there; the inbox counts what a message takes beside them, and what outlives its stream.
 */
import { Fifo } from '#base/fifo'
import type { MemoryBudget } from '#base/memory-budget'
import { entryBytes } from '../../stream/backlog.ts'
import type { Stream } from '../../stream/stream.ts'
import type { Request } from './request.ts'

export class Inbox {
  /** Messages that were dropped because nobody read and their stream was over. */
  dropped = 0
  readonly #maxOrphanBytes: number
  readonly #memory: MemoryBudget
  readonly #queue = new Fifo<Request>()
  readonly #orphans = new Set<Request>()
  #orphanBytes = 0
  /** Requests in the queue that were given up. */
  #unwanted = 0

  constructor(maxOrphanBytes: number, memory: MemoryBudget) {
    this.#maxOrphanBytes = maxOrphanBytes
    this.#memory = memory
  }

  /** Messages that are still wanted. */
  get length(): number {
    return this.#queue.length - this.#unwanted
  }

  push(request: Request): void {
    request.isQueued = true
    request.compact()
    this.#queue.push(request)
    this.#memory.add(entryBytes)
  }

  /** The next message that is still wanted. */
  shift(): Request | undefined {
    for (let request = this.#queue.shift(); request; request = this.#queue.shift()) {
      request.isQueued = false
      this.#forget(request)
      if (!request.isCancelled) return request
      this.#unwanted--
      request.consumed()
    }
    return undefined
  }

  /** A request in the queue was given up. To look for each at once would take time squared when there are many. */
  cancelled(): void {
    this.#unwanted++
    if (this.#queue.length <= 2 * this.#unwanted) this.#sweep((request) => request.isCancelled)
  }

  /** The stream is over: nobody waits for its requests, and its one-way messages count as left behind. */
  orphan(stream: Stream, mayDrop: boolean): void {
    this.#sweep((request) => request.isCancelled)
    this.#unwanted = 0
    this.#queue.each((request) => {
      if (!request.isOf(stream) || this.#orphans.has(request)) return
      this.#orphans.add(request)
      this.#orphanBytes += request.weight + entryBytes
      this.#memory.add(request.weight)
    })
    if (mayDrop && this.#orphanBytes > this.#maxOrphanBytes) this.#dropOldest()
  }

  clear(): void {
    this.#sweep(() => true)
    this.#unwanted = 0
  }

  #dropOldest(): void {
    const dropped = new Set<Request>()
    let left = this.#orphanBytes
    for (const request of this.#orphans) {
      if (left <= this.#maxOrphanBytes) break
      left -= request.weight + entryBytes
      dropped.add(request)
    }
    this.dropped += dropped.size
    this.#sweep((request) => dropped.has(request))
  }

  /** Takes out of the queue what passes. Credit goes back last: in one process it can bring the next message at once. */
  #sweep(test: (request: Request) => boolean): void {
    if (this.#queue.length === 0) return
    const swept: Request[] = []
    this.#queue.keep((request) => {
      if (!test(request)) return true
      swept.push(request)
      return false
    })
    for (const request of swept) {
      request.isQueued = false
      this.#forget(request)
      if (request.isCancelled) this.#unwanted--
    }
    for (const request of swept) request.consumed()
  }

  #forget(request: Request): void {
    this.#memory.give(entryBytes)
    if (this.#orphans.size === 0 || !this.#orphans.delete(request)) return
    this.#orphanBytes -= request.weight + entryBytes
    this.#memory.give(request.weight)
  }
}
