/**
 * Finds peers that are gone without saying so. Judged by bytes received, whatever they are.
 *
 * Floor 2. A check every half interval, for all links together, for a timer of its own would be a good part of what an
 * idle link takes. After a check without input a PING goes out, after three the peer counts as gone; that is between 1.5
 * and 2 intervals after its last byte. A frame begun and not finished for that long is a peer that drips. When this
 * process itself was held up, nothing is judged: what the peer sent may still lie unread. [SOCK 7]
 */
import { none } from '#base/bytes'
import type { Cancel, Clock } from '#base/clock'
import { socketError } from '#base/errors'
import type { Port } from '../transport/port.ts'
import { Kind } from '../wire/frame.ts'

/** A frame that grows by less than this between two checks is dripping. */
const leastProgressBytes = 1024

/** A link whose peer is to be alive. */
export interface Watched {
  readonly port: Port
  /** Its peer is gone (HEARTBEAT_LOST), or drips (FRAME_TIMEOUT). Called once; it is not watched any more. */
  silent(error: Error): void
}

/** What the last check saw. */
class Pulse {
  /** The first check finds progress, whenever it comes. */
  received = -1
  silentChecks = 0
  dripChecks = 0
}

export class Heartbeat {
  readonly #checkMs: number
  readonly #clock: Clock
  readonly #pulses = new Map<Watched, Pulse>()
  #lastCheck = 0
  #stop: Cancel | undefined

  /** `intervalMs`: `Infinity` watches nobody. */
  constructor(intervalMs: number, clock: Clock) {
    this.#checkMs = intervalMs / 2
    this.#clock = clock
  }

  watch(link: Watched): void {
    if (this.#checkMs === Number.POSITIVE_INFINITY) return
    this.#pulses.set(link, new Pulse())
    if (this.#stop) return
    this.#lastCheck = this.#clock.monotonic()
    this.#stop = this.#clock.every(this.#checkMs, () => this.#check())
  }

  /** Harmless when it is not watched. */
  forget(link: Watched): void {
    if (!this.#pulses.delete(link) || this.#pulses.size > 0) return
    this.#stop?.()
    this.#stop = undefined
  }

  #check(): void {
    const now = this.#clock.monotonic()
    const heldUp = now - this.#lastCheck > this.#checkMs * 2
    this.#lastCheck = now
    for (const [link, pulse] of this.#pulses) this.#feel(link, pulse, heldUp)
  }

  #feel(link: Watched, pulse: Pulse, heldUp: boolean): void {
    const { port } = link
    const progress = port.received - pulse.received
    pulse.received = port.received
    pulse.silentChecks = progress === 0 && !heldUp ? pulse.silentChecks + 1 : 0
    pulse.dripChecks = port.isPartial && progress < leastProgressBytes && !heldUp ? pulse.dripChecks + 1 : 0
    if (pulse.silentChecks >= 3 || pulse.dripChecks >= 4) {
      this.forget(link)
      link.silent(socketError(pulse.silentChecks >= 3 ? 'HEARTBEAT_LOST' : 'FRAME_TIMEOUT'))
    } else if (pulse.silentChecks > 0) {
      port.send(Kind.PING, 0, 0, 0, none, 0, 0)
    }
  }
}
