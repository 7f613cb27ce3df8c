/**
 * Stamped batches on their way to any number of subscriptions, in one message of the socket layer.
 *
 * Floor 7, pure. The batches lie one after the other in the bytes that the publisher sent.
 */
import { slice } from '#base/bytes'
import { BatchHeader, withoutFirst } from '../../shared/batch.ts'
import type { TopicGap } from '../../shared/gap.ts'

export class Parcel {
  /** Messages in all its batches. */
  readonly count: number
  #bytes: Uint8Array
  #isCompact = false

  constructor(bytes: Uint8Array, count: number) {
    this.#bytes = bytes
    this.count = count
  }

  get bytes(): Uint8Array {
    return this.#bytes
  }

  /** To be kept for a while: few bytes must not keep the large buffer alive that they were received in. */
  compact(): void {
    if (this.#isCompact) return
    this.#isCompact = true
    if (this.#bytes.buffer.byteLength > this.#bytes.length * 2) this.#bytes = new Uint8Array(this.#bytes)
  }

  /**
   * Drops the first `count` messages: what is missing then, and what is left, if anything. Where the records of a batch
   * are not what its header says, which nobody has looked at before, all of that batch is dropped.
   */
  without(count: number): { readonly gaps: readonly TopicGap[]; readonly rest: Parcel | undefined } {
    const bytes = this.#bytes
    const gaps: TopicGap[] = []
    let left = this.count
    let at = 0
    while (left > this.count - count) {
      const header = new BatchHeader(bytes, at)
      const { topic, seq, end, epoch } = header
      const excess = left - (this.count - count)
      const tail = excess < header.count ? withoutFirst(header, excess) : undefined
      const dropped = tail ? excess : header.count
      gaps.push({ topic, first: seq, last: seq + dropped - 1, epoch })
      left -= dropped
      at = end
      if (tail === undefined) continue
      const rest = new Uint8Array(tail.length + bytes.length - end)
      rest.set(tail)
      rest.set(slice(bytes, end, bytes.length), tail.length)
      return { gaps, rest: new Parcel(rest, left) }
    }
    return { gaps, rest: left > 0 ? new Parcel(slice(bytes, at, bytes.length), left) : undefined }
  }
}
