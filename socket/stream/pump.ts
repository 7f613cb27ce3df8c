/**
 * Sends the fragments of large payloads, a few of each stream in turn, as fast as the port takes them.
 *
 * Floor 3. Between two rounds the event loop turns, so that small messages of other streams go out between fragments.
 */
import type { Clock } from '#base/clock'
import { Fifo } from '#base/fifo'
import type { Port } from '../transport/port.ts'
import type { Stream } from './stream.ts'

/** Fragments of one stream in a round: 256 KiB. */
const fragmentsPerRound = 4

export class Pump {
  readonly #clock: Clock
  readonly #port: Port
  readonly #waiting = new Fifo<Stream>()
  readonly #known = new Set<Stream>()
  #scheduled = false

  constructor(port: Port, clock: Clock) {
    this.#port = port
    this.#clock = clock
  }

  add(stream: Stream): void {
    if (this.#known.has(stream)) return
    this.#known.add(stream)
    this.#waiting.push(stream)
    this.#schedule()
  }

  /** The port can take more. */
  resume(): void {
    if (this.#waiting.length > 0) this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#clock.turn(() => {
      this.#scheduled = false
      this.#round()
    })
  }

  #round(): void {
    for (let left = this.#waiting.length; left > 0 && !this.#port.isCongested; left--) {
      const stream = this.#waiting.shift() as Stream
      this.#known.delete(stream)
      if (stream.pump(fragmentsPerRound)) this.add(stream)
    }
    if (this.#waiting.length > 0 && !this.#port.isCongested) this.#schedule()
  }
}
