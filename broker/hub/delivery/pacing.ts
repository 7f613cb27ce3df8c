/**
 * Slows publishers down to what their subscribers can take, for a part of their time at most.
 *
 * Floor 9. When a parcel goes into an outbox that is pressed, its publisher's credit for it is held back until the
 * outbox is relieved. Two things bound that. A publisher's patience (patience.ts): when it is used up, all that is held
 * of it is released. And a subscription that keeps a publisher held up for most of the time is slow: it holds
 * nobody up until it has caught up, and what it cannot take is dropped at its limit, as a gap. Only publishers of topics
 * with a share of 1 wait as long as it takes; what is held back for them is bounded, and nothing of those that are gone.
 */
import type { Cancel, Clock } from '#base/clock'
import type { Request } from '#socket/client'
import type { Outbox } from './outbox.ts'
import type { Patience } from './patience.ts'

/** Milliseconds between two looks at who is held up. */
const checkMs = 50
/** Milliseconds over which a subscription is judged, and for which part of them it may hold somebody up. */
const windowMs = 500
const patientShare = 3 / 4
/** What a publish that is held back takes beside its bytes. */
const heldBytes = 300

/** What all publishes that are held back take. */
interface Sum {
  bytes: number
}

/**
 * Places in the lists of what outboxes hold back, of all of them. A client may have thousands of outboxes and publish a
 * thousand times before the first timer fires; beyond that only the first outbox that a publish goes into holds it back.
 */
const maxPlaces = 250_000

/** A publish whose credit is held back by one outbox or more. */
export class Held {
  readonly patience: Patience
  readonly #request: Request
  readonly #sum: Sum
  #holders = 0

  constructor(request: Request, patience: Patience, sum: Sum, now: number) {
    this.patience = patience
    this.#request = request
    this.#sum = sum
    sum.bytes += request.size + heldBytes
    // Credit is all that is wanted of it: its bytes are with the outboxes, which count them.
    request.hold()
    request.letGo()
    patience.hold(request.size, now)
  }

  /** Whether its credit has gone back. */
  get isOver(): boolean {
    return this.#holders === 0
  }

  /** Whether its publisher is gone. */
  get isOrphan(): boolean {
    return this.#request.isOrphan
  }

  add(): void {
    this.#holders++
  }

  release(now: number): void {
    this.#holders--
    if (this.#holders > 0) return
    this.#sum.bytes -= this.#request.size + heldBytes
    this.patience.release(this.#request.size, now)
    this.#request.release()
  }
}

/** A pressed outbox, or one that was lately. */
interface Holder {
  held: Held[]
  /** When its time began to be counted, and for how much of it since then it has held a publisher up. */
  since: number
  heldUpMs: number
}

export class Pacer {
  /** Publishes held back at the moment, counted once per outbox. */
  size = 0
  readonly #clock: Clock
  readonly #maxBytes: number
  readonly #sum: Sum = { bytes: 0 }
  readonly #holders = new Map<Outbox, Holder>()
  /** Outboxes too slow to be waited for, and not caught up since. */
  readonly #slow = new WeakSet<Outbox>()
  #stop: Cancel | undefined
  #isClosed = false

  /** `maxBytes`: how much is held back at most. */
  constructor(clock: Clock, maxBytes: number) {
    this.#clock = clock
    this.#maxBytes = maxBytes
  }

  /** Holds a publish back for a pressed outbox, if it may. `held`: what an earlier outbox made of it. */
  hold(outbox: Outbox, request: Request, patience: Patience, held: Held | undefined): Held | undefined {
    // What held it may have ended while others were offered the same.
    if (this.#isClosed || held?.isOver || (patience.share < 1 && this.#slow.has(outbox))) return held
    if (held === undefined && this.#sum.bytes >= this.#maxBytes) return undefined
    if (held !== undefined && this.size >= maxPlaces) return held
    const now = this.#clock.monotonic()
    if (!patience.has(now)) return held
    let holder = this.#holders.get(outbox)
    if (holder === undefined) {
      holder = { held: [], since: now, heldUpMs: 0 }
      this.#holders.set(outbox, holder)
      outbox.relieved = () => this.#relieved(outbox)
      this.#stop ??= this.#clock.every(checkMs, () => this.#check())
    }
    const hold = held ?? new Held(request, patience, this.#sum, now)
    hold.add()
    holder.held.push(hold)
    this.size++
    return hold
  }

  /** Holds nobody up any more. */
  close(): void {
    this.#isClosed = true
    const now = this.#clock.monotonic()
    for (const holder of this.#holders.values()) this.#release(holder, now)
    this.#holders.clear()
    this.#rest()
  }

  #check(): void {
    const now = this.#clock.monotonic()
    const patiences = new Set<Patience>()
    for (const [outbox, holder] of this.#holders) {
      this.#release(holder, now, ({ isOrphan }) => isOrphan)
      holder.heldUpMs += heldUpBy(holder, now)
      for (const { patience } of holder.held) patiences.add(patience)
      const passed = now - holder.since
      if (passed >= windowMs) this.#judge(outbox, holder, passed, now)
    }
    const spent = new Set([...patiences].filter((patience) => !patience.count(now)))
    if (spent.size > 0) this.#letGo(spent, now)
    if (this.#holders.size === 0) this.#rest()
  }

  #judge(outbox: Outbox, holder: Holder, passed: number, now: number): void {
    if (holder.heldUpMs > passed * patientShare) {
      this.#slow.add(outbox)
      this.#release(holder, now, ({ patience }) => patience.share < 1)
    }
    holder.since = now
    holder.heldUpMs = 0
    if (holder.held.length === 0) this.#holders.delete(outbox)
  }

  /** Whatever is held of those publishers. */
  #letGo(spent: ReadonlySet<Patience>, now: number): void {
    for (const holder of this.#holders.values()) this.#release(holder, now, ({ patience }) => spent.has(patience))
  }

  #relieved(outbox: Outbox): void {
    this.#slow.delete(outbox)
    const holder = this.#holders.get(outbox)
    if (holder === undefined || holder.held.length === 0) return
    const now = this.#clock.monotonic()
    holder.heldUpMs += heldUpBy(holder, now)
    this.#release(holder, now)
  }

  #release(holder: Holder, now: number, which: (held: Held) => boolean = () => true): void {
    const released = holder.held.filter(which)
    holder.held = holder.held.filter((held) => !which(held))
    this.size -= released.length
    for (const held of released) held.release(now)
  }

  #rest(): void {
    this.#stop?.()
    this.#stop = undefined
  }
}

/** For how long it has kept the publisher waiting that it has kept waiting the longest. */
function heldUpBy({ held }: Holder, now: number): number {
  let most = 0
  for (const { patience } of held) most = Math.max(most, patience.heldUpFor(now))
  return most
}
