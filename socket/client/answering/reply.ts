/**
 * An answer that waits to leave, or whose fragments do.
 *
 * Floor 3. It makes a promise only for whoever asks for one: most handlers do not wait for their answer to be out.
 */
import { type Deferred, deferred } from '#base/deferred'
import type { Outgoing } from '../../stream/stream.ts'

export interface ReplyOwner {
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
  #isOver = false
  #error: Error | undefined

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
    if (this.#isOver) this.#settle()
    return this.#gone.promise
  }

  leaving(): void {}

  left(): void {
    this.#end(undefined)
  }

  fail(error: Error): void {
    this.#end(error)
  }

  #end(error: Error | undefined): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#error = error
    this.#settle()
    this.#owner.over(this)
  }

  #settle(): void {
    if (this.#error) this.#gone?.reject(this.#error)
    else this.#gone?.resolve()
  }
}
