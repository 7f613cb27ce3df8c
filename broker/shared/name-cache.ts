/**
 * Names as text for names as bytes, so that a topic is decoded once and not with every batch.
 *
 * Floor 0, pure. A cache with one place per hash: a name that collides takes the place over, so nobody can make it
 * slow or large by choosing names. A name is compared with its text: the bytes beside it would be two more places in
 * memory to look at, with each batch of a topic that comes seldom. So one that is not all ASCII is decoded every time.
 */
import { decodeText, hashOf, isAscii } from '#base/bytes'

const maxNames = 10_000

export class NameCache {
  readonly #byHash = new Map<number, string>()

  /** The text of `bytes[start, end)`; the same string every time as long as it is cached and ASCII. */
  get(bytes: Uint8Array, start: number, end: number): string {
    const hash = hashOf(bytes, start, end)
    const known = this.#byHash.get(hash)
    if (known !== undefined && isAscii(known, bytes, start, end)) return known
    const text = decodeText(bytes, start, end)
    if (this.#byHash.size >= maxNames) this.#byHash.clear()
    this.#byHash.set(hash, text)
    return text
  }
}
