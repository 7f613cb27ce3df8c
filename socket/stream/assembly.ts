/**
 * Puts the fragments of one large payload together.
 *
 * Floor 1, pure. Its length is judged before its first byte: one over the limit is thrown away as it comes, so that
 * its sender gets an error and nothing else on the link is lost. Fragments are kept as they came and copied once, at
 * the end; nothing is reserved for bytes that were only announced.
 */
import { join, slice } from '#base/bytes'
import { socketError } from '#base/errors'
import { headerBytes, maxFrameBytes } from '../wire/frame.ts'

export class Assembly {
  readonly id: number
  /** Bytes announced. */
  readonly total: number
  /** Too large: its bytes are not kept. */
  readonly isRefused: boolean
  /** Credit that is owed when the application is done with the message. */
  cost = 0
  readonly #parts: Uint8Array[] = []
  #filled = 0
  #early: number

  constructor(id: number, total: number, isRefused: boolean, early: number) {
    this.id = id
    this.total = total
    this.isRefused = isRefused
    this.#early = early
  }

  /** Takes a fragment. Returns how much of its cost is to be given back at once. */
  add(bytes: Uint8Array, start: number, end: number, cost: number, isLast: boolean): number {
    // Many small ones would take far more memory than what they carry.
    if (!isLast && end - start !== maxFrameBytes)
      throw socketError('BAD_FRAME', 'A fragment before the last is not full.')
    this.#filled += end - start
    if (this.#filled > this.total) throw socketError('BAD_FRAME', 'A message is longer than it was announced.')
    if (this.isRefused) return cost
    this.#parts.push(slice(bytes, start, end))
    const early = Math.min(cost, this.#early)
    this.#early -= early
    this.cost += cost - early
    return early
  }

  /** The payload, or nothing if it was too large. Throws BAD_FRAME when bytes are missing. */
  whole(): Uint8Array | undefined {
    if (this.#filled !== this.total) throw socketError('BAD_FRAME', 'A message is shorter than it was announced.')
    return this.isRefused ? undefined : join(this.#parts, this.total)
  }
}

/**
 * A message larger than the window could never arrive if all its credit were held until it is read. What exceeds half
 * the window is given back as it comes: half, because credit is granted in steps of half a window, and less would
 * leave a message stuck a few bytes before its end. A stream so holds a window and at most two messages unread.
 */
export function beginAssembly(id: number, total: number, maxMessageBytes: number, windowBytes: number): Assembly {
  const cost = total + headerBytes * Math.ceil(total / maxFrameBytes)
  return new Assembly(id, total, total > maxMessageBytes, Math.max(0, cost - windowBytes / 2))
}
