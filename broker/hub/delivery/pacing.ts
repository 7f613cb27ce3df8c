/**
 * Slows publishers down to what a subscriber that keeps reading can take, and to nothing slower.
 *
 * Floor 10. When a batch goes into an outbox that is pressed, its publisher's credit for it is held back until the
 * outbox is relieved. An outbox that has forwarded nothing between two checks is stalled: until it has caught up it
 * holds nobody back, so a subscriber that sleeps or hangs costs the others one short pause at most; what it cannot take
 * is dropped at its limit, as a gap.
 */
import type { Cancel, Clock } from '#base/clock'
import type { Request } from '#socket/client'
import type { Outbox } from './outbox.ts'

/**
 * Milliseconds between two checks. A subscription without progress is found after one to two of them: long enough for
 * a program that is busy, or not given the processor, and short enough for everybody else.
 */
const checkMs = 500

/** A publish whose credit is held back by one outbox or more. */
export class Held {
  readonly #request: Request
  #holders = 0

  constructor(request: Request) {
    this.#request = request
    request.hold()
  }

  add(): void {
    this.#holders++
  }

  release(): void {
    this.#holders--
    if (this.#holders === 0) this.#request.release()
  }
}

interface Holder {
  /** What the outbox had forwarded at the last check; nothing before the first. */
  forwarded: number | undefined
  readonly held: Held[]
}

export class Pacer {
  readonly #clock: Clock
  readonly #holders = new Map<Outbox, Holder>()
  /** Outboxes that made no progress and have not caught up since. */
  readonly #stalled = new WeakSet<Outbox>()
  #stop: Cancel | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Publishes held back at the moment, counted once per outbox. */
  get size(): number {
    let sum = 0
    for (const { held } of this.#holders.values()) sum += held.length
    return sum
  }

  /** Holds a publish back for a pressed outbox, unless that is stalled. `held`: what an earlier outbox made of it. */
  hold(outbox: Outbox, request: Request, held: Held | undefined): Held | undefined {
    if (this.#stalled.has(outbox)) return held
    let holder = this.#holders.get(outbox)
    if (holder === undefined) {
      holder = { forwarded: undefined, held: [] }
      this.#holders.set(outbox, holder)
      outbox.relieved = () => this.#relieved(outbox)
      this.#stop ??= this.#clock.every(checkMs, () => this.#check())
    }
    const hold = held ?? new Held(request)
    hold.add()
    holder.held.push(hold)
    return hold
  }

  close(): void {
    for (const outbox of [...this.#holders.keys()]) this.#release(outbox)
  }

  #check(): void {
    for (const [outbox, holder] of [...this.#holders]) {
      if (outbox.forwarded === holder.forwarded) {
        this.#stalled.add(outbox)
        this.#release(outbox)
      }
      holder.forwarded = outbox.forwarded
    }
  }

  #relieved(outbox: Outbox): void {
    this.#stalled.delete(outbox)
    this.#release(outbox)
  }

  #release(outbox: Outbox): void {
    const holder = this.#holders.get(outbox)
    if (holder === undefined) return
    this.#holders.delete(outbox)
    for (const held of holder.held) held.release()
    if (this.#holders.size > 0) return
    this.#stop?.()
    this.#stop = undefined
  }
}
