/**
 * One stream on the broker channel as the hub sees it: whose it is, what it has brought, and how long it may be held up.
 *
 * Floor 9. A client may have several; each has a peer object of its own, and all of them the client's link.
 */
import { encodeText } from '#base/bytes'
import type { Clock } from '#base/clock'
import type { Identity, PeerInfo } from '#socket/client'
import { Patience } from './delivery/patience.ts'

export class Inlet {
  readonly linkId: number
  /** The name that its batches must carry: the authenticated one where there is one. */
  readonly sender: string
  /** Messages taken and refused. */
  taken = 0
  refused = 0
  readonly senderBytes: Uint8Array
  /** One for each share that its topics have: one, mostly. */
  readonly #patiences: Patience[] = []

  /** `senderBytes`: those of another stream of the link, where they are known. */
  constructor({ linkId, name, identity }: PeerInfo, senderBytes?: Uint8Array) {
    this.linkId = linkId
    this.sender = identity.name ?? name
    this.senderBytes = senderBytes ?? encodeText(this.sender)
  }

  /** Whether `bytes[start, end)` is its sender. */
  isSender(bytes: Uint8Array, start: number, end: number): boolean {
    const own = this.senderBytes
    if (own.length !== end - start) return false
    for (let i = 0; i < own.length; i++) if (own[i] !== bytes[start + i]) return false
    return true
  }

  /** Something has come on it. */
  arrived(now: number): void {
    for (const patience of this.#patiences) patience.arrived(now)
  }

  patience(share: number, clock: Clock): Patience {
    let patience = this.#patiences.find((one) => one.share === share)
    if (patience === undefined) {
      patience = new Patience(share, clock.monotonic())
      this.#patiences.push(patience)
    }
    return patience
  }
}

/** The inlets of all streams. */
export class Inlets {
  readonly #all = new WeakMap<PeerInfo, Inlet>()
  /** By identity, which all streams of a link have in common: its name may have thousands of characters. */
  readonly #senders = new WeakMap<Identity, Uint8Array>()
  #peer: PeerInfo | undefined
  #latest: Inlet | undefined

  of(peer: PeerInfo): Inlet {
    if (this.#latest && peer === this.#peer) return this.#latest
    let inlet = this.#all.get(peer)
    if (inlet === undefined) {
      const { identity } = peer
      inlet = new Inlet(peer, this.#senders.get(identity))
      if (identity.name !== undefined) this.#senders.set(identity, inlet.senderBytes)
      this.#all.set(peer, inlet)
    }
    this.#peer = peer
    this.#latest = inlet
    return inlet
  }
}
