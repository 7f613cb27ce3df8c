/**
 * A link as the switchboard sees it, without a connection: what it is told is written down, and nothing is sent.
 */
import { SmallMap } from '../../../base/small-map.ts'
import type { Line, Side, SwitchEnd } from '../../../socket/server/lines.ts'
import type { Waiting } from '../../../socket/server/waiting.ts'
import type { Open } from '../../../socket/wire/control-frames.ts'
import { noIdentity, type Role } from '../../../socket/wire/peer.ts'

let lastLinkId = 0

/** Counts what is looked at. */
class CountedMap<K, V> extends SmallMap<K, V> {
  looked = 0

  override values(): V[] {
    this.looked += this.size
    return super.values()
  }
}

export interface Told {
  readonly kind: number
  readonly number: number
}

export class StubLine implements Line {
  readonly port = {
    transport: 'stub',
    address: '',
    received: 0,
    isPartial: false,
    buffered: 0,
    isCongested: false,
    attach: () => {},
    limit: () => {},
    send: (kind: number, _flags: number, stream: number, _id: number, _bytes: Uint8Array, start: number, end: number) =>
      this.took(kind, stream, end - start),
    relay: () => {},
    close: () => {},
    destroy: () => {},
  }
  readonly info = {
    linkId: ++lastLinkId,
    name: '',
    transport: 'stub',
    address: '',
    identity: noIdentity,
    features: [],
  }
  readonly isTrusted = false
  readonly maxStreams: number
  readonly ends = new SmallMap<number, SwitchEnd>()
  readonly sides = new CountedMap<number, Side>()
  introduction: Uint8Array | undefined
  fullIntroduction: Uint8Array | undefined
  waiting: Waiting | undefined
  /** What it was sent, by others and by the server. */
  readonly told: Told[] = []
  readonly closed: number[] = []
  #lastStream = 0

  constructor(maxStreams = 65_536) {
    this.maxStreams = maxStreams
  }

  /** What waits for it. */
  set waits(bytes: number) {
    this.port.buffered = bytes
    this.port.isCongested = bytes > 0
  }

  nextStream(): number {
    return ++this.#lastStream
  }

  tell(kind: number, number: number, _id: number, payload: Uint8Array, _source?: Line): void {
    this.took(kind, number, payload.length)
  }

  /** A frame has come for it. */
  took(kind: number, number: number, _size: number): void {
    this.told.push({ kind, number })
  }

  evicted(end: SwitchEnd): void {
    this.closed.push(end.number)
  }

  overflowed(): void {}
}

export function openOf(role: Role, channelId: string): Open {
  return { role, channelId, shared: true }
}
