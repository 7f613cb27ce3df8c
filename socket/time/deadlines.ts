/**
 * One timer for any number of deadlines: a wheel of slots, each a list of what is due there.
 *
 * Floor 0. Adding and removing cost the same however many there are, and make no object and no timer. A deadline is
 * kept to within two ticks, always late and never early. The timer runs only while something is waiting. All links of a
 * program that have the same clock share one wheel, for its slots are most of what an idle link would take.
 */
import type { Cancel, Clock } from '#base/clock'

const tickMs = 10
const slots = 512

/** Something that is due at a time. Extend it, and hand it to `Deadlines.add`. */
export abstract class Deadline {
  /** @internal */ dueTick = 0
  /** @internal */ before: Deadline | undefined
  /** @internal */ after: Deadline | undefined

  /** Whether it waits for its time. */
  get isKept(): boolean {
    return this.before !== undefined
  }

  /** Called once, when the time has come; it has been removed by then. */
  abstract expire(): void
}

class Slot extends Deadline {
  expire(): void {}
}

const wheels = new WeakMap<Clock, Deadlines>()

export class Deadlines {
  readonly #clock: Clock
  /** Made with the first deadline. */
  #wheel: readonly Deadline[] = []
  #startedAt = 0
  #tick = 0
  #count = 0
  #stop: Cancel | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The one that goes by this clock. */
  static of(clock: Clock): Deadlines {
    let wheel = wheels.get(clock)
    if (wheel === undefined) {
      wheel = new Deadlines(clock)
      wheels.set(clock, wheel)
    }
    return wheel
  }

  get size(): number {
    return this.#count
  }

  /** Calls `entry.expire()` once `ms` have passed. An `Infinity` is never due, and not kept. */
  add(entry: Deadline, ms: number): void {
    if (ms === Number.POSITIVE_INFINITY) return
    if (this.#count === 0) this.#start()
    entry.dueTick = this.#present() + Math.ceil(ms / tickMs) + 1
    const slot = this.#wheel[entry.dueTick % slots] as Deadline
    entry.before = slot
    entry.after = slot.after
    if (slot.after) slot.after.before = entry
    slot.after = entry
    this.#count++
  }

  /** Forgets the entry; harmless when it is not there. */
  remove(entry: Deadline): void {
    if (entry.before === undefined) return
    entry.before.after = entry.after
    if (entry.after) entry.after.before = entry.before
    entry.before = undefined
    entry.after = undefined
    this.#count--
    if (this.#count === 0) this.#halt()
  }

  #start(): void {
    if (this.#wheel.length === 0) this.#wheel = Array.from({ length: slots }, () => new Slot())
    this.#startedAt = this.#clock.monotonic()
    this.#tick = 0
    this.#stop ??= this.#clock.every(tickMs, () => this.#advance())
  }

  #halt(): void {
    this.#stop?.()
    this.#stop = undefined
  }

  /** Read anew each time: when the process was held up, the tick last visited lies behind. */
  #present(): number {
    return Math.floor((this.#clock.monotonic() - this.#startedAt) / tickMs)
  }

  #advance(): void {
    const now = this.#present()
    // After a pause longer than a turn of the wheel every slot is looked at once; that is enough.
    const first = Math.max(this.#tick + 1, now - slots + 1)
    this.#tick = now
    for (let tick = first; tick <= now && this.#count > 0; tick++) this.#visit(tick % slots)
  }

  #visit(slot: number): void {
    // Collected first: expire() may remove its neighbours or add to this very slot.
    const due: Deadline[] = []
    for (let entry = (this.#wheel[slot] as Deadline).after; entry; entry = entry.after) {
      if (entry.dueTick <= this.#tick) due.push(entry)
    }
    for (const entry of due) {
      if (entry.before === undefined) continue
      this.remove(entry)
      entry.expire()
    }
  }
}
