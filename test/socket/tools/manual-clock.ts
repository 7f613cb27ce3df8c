/**
 * A clock that stands still until it is told to go on. Turns of the event loop are the real ones, for sockets need
 * them.
 */
import type { Cancel, Clock } from '../../../base/clock.ts'

interface Timer {
  readonly call: () => void
  readonly everyMs: number | undefined
  due: number
}

export class ManualClock implements Clock {
  /** Monotonic. */
  #now = 0
  /** When it began, by the clock on the wall. */
  #epoch = 1_700_000_000_000
  #seed: number
  readonly #timers = new Set<Timer>()

  constructor(seed = 1) {
    this.#seed = seed
  }

  /** Timers that wait. */
  get timers(): number {
    return this.#timers.size
  }

  now(): number {
    return this.#epoch + this.#now
  }

  monotonic(): number {
    return this.#now
  }

  after(ms: number, call: () => void): Cancel {
    return this.#add({ call, everyMs: undefined, due: this.#now + ms })
  }

  every(ms: number, call: () => void): Cancel {
    return this.#add({ call, everyMs: ms, due: this.#now + ms })
  }

  turn(call: () => void): void {
    setImmediate(call)
  }

  /** The same numbers for the same seed (mulberry32). */
  random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  entropy(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.random() * 256)
  }

  /** Lets time pass, and calls what falls due on the way, in order. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (let timer = this.#next(end); timer; timer = this.#next(end)) {
      this.#now = Math.max(this.#now, timer.due)
      if (timer.everyMs === undefined) this.#timers.delete(timer)
      else timer.due += timer.everyMs
      timer.call()
    }
    this.#now = end
  }

  /** The process was held up: time has passed, and only then do the timers get their turn, each of them once. */
  holdUp(ms: number): void {
    this.#now += ms
    for (const timer of [...this.#timers].filter(({ due }) => due <= this.#now)) {
      if (timer.everyMs === undefined) this.#timers.delete(timer)
      else timer.due = this.#now + timer.everyMs
      timer.call()
    }
  }

  /** Time has passed, and the timers have not had their turn yet. */
  pass(ms: number): void {
    this.#now += ms
  }

  /** Somebody sets the clock on the wall, which concerns no timer. */
  set(ms: number): void {
    this.#epoch += ms
  }

  #add(timer: Timer): Cancel {
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  #next(end: number): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.#timers) {
      if (timer.due <= end && (first === undefined || timer.due < first.due)) first = timer
    }
    return first
  }
}
