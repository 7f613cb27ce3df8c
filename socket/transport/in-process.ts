/**
 * A pair of ports joined in memory: what is sent on one is at once with the owner of the other. No socket, no copy.
 *
 * Floor 2. The owner is called within `send`, so it must be ready for an answer before it sends.
 */

import { readU32 } from '#base/bytes'
import type { Clock } from '#base/clock'
import { headerBytes } from '../wire/frame.ts'
import type { Port, PortOwner } from './port.ts'

class LocalPort implements Port {
  readonly transport = 'local'
  readonly address = ''
  readonly copies = 0
  readonly isPartial = false
  readonly buffered = 0
  readonly isCongested = false
  received = 0
  readonly #clock: Clock
  #owner: PortOwner | undefined
  #other: LocalPort | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  join(other: LocalPort): void {
    this.#other = other
  }

  attach(owner: PortOwner): void {
    this.#owner = owner
  }

  limit(): void {}

  send(kind: number, flags: number, stream: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    this.#other?.take(kind, flags, stream, id, bytes, start, end, false)
  }

  relay(bytes: Uint8Array, start: number, end: number): void {
    const kind = bytes[start + 4] as number
    const flags = bytes[start + 5] as number
    const [stream, id] = [readU32(bytes, start + 8), readU32(bytes, start + 12)]
    this.#other?.take(kind, flags, stream, id, bytes, start + headerBytes, end, true)
  }

  take(
    kind: number,
    flags: number,
    stream: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    framed: boolean,
  ): void {
    this.received += headerBytes + end - start
    const owner = this.#owner
    try {
      owner?.frame(kind, flags, stream, id, bytes, start, end, framed)
    } catch (error) {
      // The fault of what was sent must not become the sender's exception.
      owner?.garbled(error as Error)
    }
  }

  close(): void {
    this.destroy()
  }

  destroy(): void {
    const other = this.#other
    if (other === undefined) return
    this.#other = undefined
    other.#other = undefined
    this.#end()
    other.#end()
  }

  /** In a turn of its own: whoever ended the connection may be in the middle of something. */
  #end(): void {
    this.#clock.turn(() => {
      const owner = this.#owner
      this.#owner = undefined
      owner?.ended(undefined, this)
    })
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
