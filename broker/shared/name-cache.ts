/**
 * Names as text for names as bytes, so that a topic is decoded once and not with every batch.
 *
 * Floor 0, pure. A cache with one place per hash: a name that collides takes the place over, so nobody can make it
 * slow or large by choosing names.
 */
import { decodeText } from '#base/bytes'

interface Name {
  readonly bytes: Uint8Array
  readonly text: string
}

const maxNames = 10_000

export class NameCache {
  readonly #byHash = new Map<number, Name>()

  /** The text of `bytes[start, end)`; the same string every time as long as it is cached. */
  get(bytes: Uint8Array, start: number, end: number): string {
    // FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/
    let hash = 0x811c9dc5
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193)
    const known = this.#byHash.get(hash)
    if (known && isSame(known.bytes, bytes, start, end)) return known.text
    const text = decodeText(bytes, start, end)
    if (this.#byHash.size >= maxNames) this.#byHash.clear()
    this.#byHash.set(hash, { bytes: Uint8Array.prototype.slice.call(bytes, start, end), text })
    return text
  }
}

function isSame(known: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (known.length !== end - start) return false
  for (let i = 0; i < known.length; i++) if (known[i] !== bytes[start + i]) return false
  return true
}
