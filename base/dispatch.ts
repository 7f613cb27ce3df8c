/**
 * When what was gathered leaves: a little at once, much together.
 *
 * Floor 1, pure. The only small thing of a turn leaves as soon as whoever made it is done. With a thousand connections it
 * would otherwise wait until all their input is handled, and be out of the processor's cache by then. Where more comes in
 * a turn, or much at a time, it leaves at the end of the turn, for a peer that gets large pieces reads less often. What
 * the last turn with output was like tells what the next will be. docs/decisions/0016-leaving-soon.md has the figures.
 */
import type { Clock } from './clock.ts'

/** What is larger is better sent with what may follow than at once, in bytes. */
const soonBytes = 4 * 1024

export class Dispatch {
  /** Whether it leaves by itself soon, or at the end of the turn. */
  isPlanned = false
  readonly #clock: Clock
  readonly #leave: () => boolean
  readonly #depart = (): void => {
    this.isPlanned = false
    this.#isBusy = this.#leave() || this.#isRepeated
    this.#isRepeated = false
  }
  /** The turn in which something last was to leave. */
  #plannedIn = -1
  #isRepeated = false
  #isBusy = false

  /** `leave` sends what there is, and says whether that was more than one thing, or much. */
  constructor(clock: Clock, leave: () => boolean) {
    this.#clock = clock
    this.#leave = leave
  }

  /** There is something to send; `bytes` of it so far. */
  plan(bytes: number): void {
    if (this.isPlanned) return
    this.isPlanned = true
    const turn = this.#clock.turnNumber()
    this.#isRepeated = turn === this.#plannedIn
    this.#plannedIn = turn
    if (this.#isBusy || this.#isRepeated || bytes > soonBytes) this.#clock.turn(this.#depart)
    else this.#clock.soon(this.#depart)
  }

  /** Whether so many bytes are much. */
  static isMuch(bytes: number): boolean {
    return bytes > soonBytes
  }
}
