/**
 * An answer that waits to leave, or whose fragments do.
 *
 * Floor 3. It makes a promise only for whoever asks for one: most handlers do not wait for their answer to be out. That
 * the Consumer is gone is no failure of whoever answers it, so the promise is never rejected. While it is on its way its
 * bytes count in the memory budget, as they do in the backlog before.
 */
import { type Deferred, deferred } from '#base/deferred'
import type { MemoryBudget } from '#base/memory-budget'
import type { Outgoing } from '../../stream/stream.ts'

export interface ReplyOwner {
  readonly memory: MemoryBudget
  /** It has left, or will not. */
  over(reply: Reply): void
}

export class Reply implements Outgoing {
  readonly id: number
  readonly flags: number
  readonly bytes: Uint8Array
  readonly isGiven: boolean
  readonly ordered = false
  isWaiting = false
  readonly #owner: ReplyOwner
  #gone: Deferred<void> | undefined
  #isLeaving = false
  #isOver = false

  constructor(id: number, flags: number, bytes: Uint8Array, isGiven: boolean, owner: ReplyOwner) {
    this.id = id
    this.flags = flags
    this.bytes = bytes
    this.isGiven = isGiven
    this.#owner = owner
  }

  /** Resolves when it has left, or nobody wants it any more. */
  get promise(): Promise<void> {
    this.#gone ??= deferred()
    if (this.#isOver) this.#gone.resolve()
    return this.#gone.promise
  }

  leaving(): void {
    this.#isLeaving = true
    this.#owner.memory.add(this.bytes.length)
  }

  left(): void {
    if (this.#isOver) return
    this.#isOver = true
    if (this.#isLeaving) this.#owner.memory.give(this.bytes.length)
    this.#gone?.resolve()
    this.#owner.over(this)
  }

  /** Nobody hears it any more. */
  fail(): void {
    this.left()
  }
}
