/**
 * Messages that a Provider has received and not handed out.
 *
 * Floor 4. The windows of its streams bound what they put here. One-way messages outlive their stream, so what streams
 * that ended have left has a bound of its own: beyond it the oldest of those are dropped, and counted. Whatever leaves
 * the inbox unread gives its credit back: nobody else would. The window counts the bytes of a message in the memory
 * budget as long as its stream is there; the inbox counts what a message takes beside them, and what outlives its stream.
 * Their sum is bounded by that budget: beyond it nothing waits, one way or not.
 */
import { Fifo } from '#base/fifo'
import type { MemoryBudget } from '#base/memory-budget'
import { entryBytes } from '../../stream/backlog.ts'
import type { Request } from './request.ts'

export class Inbox {
  /** Messages that were dropped because nobody read and their stream was over. */
  dropped = 0
  readonly #maxOrphanBytes: number
  readonly #memory: MemoryBudget
  readonly #queue = new Fifo<Request>()
  readonly #orphans = new Set<Request>()
  #orphanBytes = 0
  /** Bytes that wait, by the number of the link that sent them. */
  readonly #shares = new Map<number, number>()
  /** Places in the queue whose message nobody will get. */
  #unwanted = 0

  constructor(maxOrphanBytes: number, memory: MemoryBudget) {
    this.#maxOrphanBytes = maxOrphanBytes
    this.#memory = memory
  }

  /** Messages that are still wanted. */
  get length(): number {
    return this.#queue.length - this.#unwanted
  }

  /**
   * Whether a message may wait: first windows alone would be gigabytes, for a link may have very many streams. Where
   * memory is tight it may not if its link has more than an equal part of it here, so that something is left for others.
   */
  takes({ peer }: Request): boolean {
    if (!this.#memory.isTight) return true
    const part = this.#memory.limit / (this.#shares.size + 1)
    return !this.#memory.isFull && (this.#shares.get(peer.linkId) ?? 0) < part
  }

  /** `takes` has just said yes. */
  push(request: Request): void {
    request.isQueued = true
    request.compact()
    this.#queue.push(request)
    this.#memory.add(entryBytes)
    this.#share(request, request.weight + entryBytes)
  }

  /** The next message that is still wanted. */
  shift(): Request | undefined {
    for (let request = this.#queue.shift(); request; request = this.#queue.shift()) {
      this.#memory.give(entryBytes)
      if (!request.isQueued) {
        this.#unwanted--
        continue
      }
      this.#takeOut(request)
      if (!request.isCancelled) return request
      // Whoever was told that it was given up asks for the next one before this was told.
      request.discard()
    }
    return undefined
  }

  /** A request in the queue was given up. */
  cancelled(request: Request): void {
    this.#discard(request)
    this.#sweep()
  }

  /** Their stream is over: nobody waits for its requests, and its one-way messages count as left behind. */
  orphan(requests: Iterable<Request>, mayDrop: boolean): void {
    for (const request of requests) {
      if (request.isCancelled) this.#discard(request)
      else {
        this.#orphans.add(request)
        this.#orphanBytes += request.weight + entryBytes
        this.#memory.add(request.weight)
      }
    }
    if (mayDrop) this.#dropOldest()
    this.#sweep()
  }

  clear(): void {
    this.#queue.each((request) => {
      if (request.isQueued) this.#discard(request)
    })
    this.#sweep()
  }

  #dropOldest(): void {
    for (const request of this.#orphans) {
      if (this.#orphanBytes <= this.#maxOrphanBytes) return
      this.dropped++
      this.#discard(request)
    }
  }

  /** Nobody will get it. Its place in the queue stays for a while: to look for each would take time squared. */
  #discard(request: Request): void {
    this.#takeOut(request)
    this.#unwanted++
    request.discard()
  }

  #share({ peer }: Request, bytes: number): void {
    const share = (this.#shares.get(peer.linkId) ?? 0) + bytes
    if (share === 0) this.#shares.delete(peer.linkId)
    else this.#shares.set(peer.linkId, share)
  }

  #takeOut(request: Request): void {
    request.isQueued = false
    this.#share(request, -request.weight - entryBytes)
    if (this.#orphans.size === 0 || !this.#orphans.delete(request)) return
    this.#orphanBytes -= request.weight + entryBytes
    this.#memory.give(request.weight)
  }

  /** Takes the places of those out that nobody will get, once they are half of all. */
  #sweep(): void {
    if (this.#unwanted === 0 || this.#queue.length > 2 * this.#unwanted) return
    this.#queue.keep((request) => request.isQueued)
    this.#memory.give(entryBytes * this.#unwanted)
    this.#unwanted = 0
  }
}
