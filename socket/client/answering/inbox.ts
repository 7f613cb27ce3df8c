/**
 * Messages that a Provider has received and not handed out.
 *
 * Floor 4. The windows of its streams bound what they put here. One-way messages outlive their stream, so what dead
 * streams have left has a bound of its own: beyond it the oldest of those are dropped, and counted.
 */
import { Fifo } from '#base/fifo'
import type { Stream } from '../../stream/stream.ts'
import type { Request } from './request.ts'

export class Inbox {
  /** Messages of dead streams that were dropped because nobody read. */
  dropped = 0
  readonly #maxOrphanBytes: number
  readonly #queue = new Fifo<Request>()
  readonly #orphans = new Set<Request>()
  #orphanBytes = 0

  constructor(maxOrphanBytes: number) {
    this.#maxOrphanBytes = maxOrphanBytes
  }

  get length(): number {
    return this.#queue.length
  }

  push(request: Request): void {
    this.#queue.push(request)
  }

  /** The next message that is still wanted. */
  shift(): Request | undefined {
    for (let request = this.#queue.shift(); request; request = this.#queue.shift()) {
      if (this.#orphans.delete(request)) this.#orphanBytes -= request.size
      if (!request.isCancelled) return request
      request.consumed()
    }
    return undefined
  }

  /** The stream is over: nobody waits for its requests, and its one-way messages count as left behind. */
  orphan(stream: Stream): void {
    this.#queue.keep((request) => !request.isCancelled)
    this.#queue.each((request) => {
      if (!request.isOf(stream)) return
      this.#orphans.add(request)
      this.#orphanBytes += request.size
    })
    if (this.#orphanBytes > this.#maxOrphanBytes) this.#dropOldest()
  }

  clear(): void {
    this.#queue.clear()
    this.#orphans.clear()
    this.#orphanBytes = 0
  }

  #dropOldest(): void {
    const dropped = new Set<Request>()
    for (const request of this.#orphans) {
      if (this.#orphanBytes <= this.#maxOrphanBytes) break
      this.#orphans.delete(request)
      this.#orphanBytes -= request.size
      dropped.add(request)
    }
    this.dropped += dropped.size
    this.#queue.keep((request) => !dropped.has(request))
  }
}
