/**
 * A pair of ports joined in memory: what is sent on one is handed to the owner of the other. No socket, no copy.
 *
 * Floor 2. Frames are handed over soon, and never within `send`, so two services that answer each other take turns
 * with everybody else instead of calling each other until the stack is full.
 */

import { allocateSmall } from '#base/allocate'
import { copy, copyOf, readU32 } from '#base/bytes'
import type { Clock } from '#base/clock'
import { headerBytes } from '../wire/frame.ts'
import { FrameRing } from './frame-ring.ts'
import type { Port, PortOwner } from './port.ts'

/**
 * Milliseconds after which what is left waits for the next turn. One frame may go to ten thousand subscriptions, and what one
 * socket has sent in one piece be a thousand of them: the others must be read meanwhile.
 */
const longMs = 20
/** As long as no more than that is left: what is read meanwhile comes on top, and not all of it costs its sender credit. */
const maxLateBytes = 8 * 1024 * 1024
/** What a frame takes that waits, beside its bytes. */
const placeBytes = 128

class LocalPort implements Port {
  readonly transport = 'local'
  readonly address = ''
  readonly isPartial = false
  readonly isCongested = false
  received = 0
  readonly #clock: Clock
  /** What the other side has sent and this side has not taken. */
  readonly #arriving = new FrameRing()
  readonly #handOver = (): void => this.#take()
  #owner: PortOwner | undefined
  #other: LocalPort | undefined
  #isScheduled = false
  /** Frames have been left for the next turn. */
  #isLate = false
  /** Nothing more is sent from here; what the other side has sent until it notices still comes. */
  isClosing = false
  #isOver = false
  /** Something came that was no frame of the protocol; nothing after it is wanted. */
  #isDeaf = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get buffered(): number {
    return this.#other === undefined ? 0 : this.#other.#arriving.bytes
  }

  join(other: LocalPort): void {
    this.#other = other
  }

  attach(owner: PortOwner): void {
    this.#owner = owner
    this.#schedule()
  }

  limit(): void {}

  send(
    kind: number,
    flags: number,
    stream: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    isLent = false,
  ): void {
    if (this.isClosing) return
    if (!isLent) {
      this.#other?.arrive(kind, flags, stream, id, bytes, start, end, false)
      return
    }
    const own = allocateSmall(end - start)
    copy(own, 0, bytes, start, end)
    this.#other?.arrive(kind, flags, stream, id, own, 0, own.length, false)
  }

  relay(bytes: Uint8Array, start: number, end: number): void {
    if (this.isClosing) return
    const kind = bytes[start + 4] as number
    const flags = bytes[start + 5] as number
    const [stream, id] = [readU32(bytes, start + 8), readU32(bytes, start + 12)]
    this.#other?.arrive(kind, flags, stream, id, bytes, start + headerBytes, end, true)
  }

  arrive(
    kind: number,
    flags: number,
    stream: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    framed: boolean,
  ): void {
    if (this.#isDeaf) return
    const length = end - start
    this.received += headerBytes + length
    // It waits for longer now, and must not keep a large buffer alive meanwhile.
    if (this.#isLate && bytes.buffer.byteLength > length * 2) {
      this.#arriving.push(kind, flags, stream, id, copyOf(bytes, start, end), 0, length, false)
    } else this.#arriving.push(kind, flags, stream, id, bytes, start, end, framed)
    if (!this.#isScheduled) this.#schedule()
  }

  close(): void {
    if (this.isClosing) return
    this.isClosing = true
    const other = this.#other
    if (other !== undefined) other.#schedule()
  }

  destroy(): void {
    const other = this.#other
    this.isClosing = true
    this.#arriving.clear()
    if (other === undefined) return
    other.#arriving.clear()
    this.#part(other)
  }

  #part(other: LocalPort): void {
    this.#other = undefined
    other.#other = undefined
    for (const port of [this, other]) {
      port.isClosing = true
      port.#isOver = true
      port.#schedule()
    }
  }

  /** Before it has an owner it keeps what comes, and so also its end. */
  #schedule(): void {
    if (this.#isScheduled || this.#owner === undefined) return
    this.#isScheduled = true
    this.#clock.soon(this.#handOver)
  }

  get #mayWait(): boolean {
    const { bytes, length } = this.#arriving
    return bytes + length * placeBytes <= maxLateBytes
  }

  #later(): void {
    this.#isScheduled = true
    this.#isLate = true
    this.#clock.turn(this.#handOver)
  }

  /** Takes what is there now. What that brings about has to wait for the next turn. */
  #take(): void {
    this.#isScheduled = false
    this.#isLate = false
    const owner = this.#owner
    if (owner === undefined) return
    let left = this.#arriving.length
    const end = left > 1 ? this.#clock.monotonic() + longMs : 0
    for (; left > 0 && this.#arriving.length > 0; left--) {
      this.#hand(owner)
      if (left > 1 && this.#clock.monotonic() >= end && this.#mayWait) break
    }
    const other = this.#other
    if (left > 1 && this.#arriving.length > 0) this.#later()
    else if (this.#arriving.length > 0) this.#schedule()
    else if (other?.isClosing) this.#part(other)
    else if (this.#isOver) {
      this.#owner = undefined
      owner.ended(undefined, this)
    }
  }

  #hand(owner: PortOwner): void {
    try {
      this.#arriving.hand(owner)
    } catch (error) {
      // The fault of what was sent must not become the sender's exception.
      this.#isDeaf = true
      this.#arriving.clear()
      owner.garbled(error as Error)
    }
  }
}

/** Two ports, each the other's peer. */
export function joinedPorts(clock: Clock): [Port, Port] {
  const one = new LocalPort(clock)
  const two = new LocalPort(clock)
  one.join(two)
  two.join(one)
  return [one, two]
}
