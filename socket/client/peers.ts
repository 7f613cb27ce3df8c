/**
 * Who is at the other ends of a connection's streams.
 *
 * Floor 1. A link may have thousands of streams here, and what is told of it with each may be kilobytes: what two streams
 * are told of the same link is kept once. Each has an object of its own all the same.
 */
import type { PeerInfo } from '../wire/peer.ts'

interface Known {
  readonly peer: PeerInfo
  streams: number
}

export class Peers {
  /** By the number of the link, which is unique while the server runs, and so while its connection lasts. */
  readonly #known = new Map<number, Known>()

  /** What to keep of who is at the other end of a new stream. */
  add(peer: PeerInfo): PeerInfo {
    const known = this.#known.get(peer.linkId)
    if (known === undefined) {
      this.#known.set(peer.linkId, { peer, streams: 1 })
      return peer
    }
    known.streams++
    return { ...known.peer }
  }

  /** The stream is over. */
  remove({ linkId }: PeerInfo): void {
    const known = this.#known.get(linkId)
    if (known !== undefined && --known.streams === 0) this.#known.delete(linkId)
  }
}
