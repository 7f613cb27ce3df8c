/**
 * Stamped batches on their way to any number of subscriptions, in one message of the socket layer.
 *
 * Floor 6. The batches lie one after the other in the bytes that the publisher sent; nobody writes to them any more.
 * However many outboxes hold a parcel, its bytes are there once and are counted once.
 */
import { slice } from '#base/bytes'
import type { MemoryBudget } from '#base/memory-budget'
import { BatchHeader, withoutFirst } from '../../shared/batch.ts'
import { encodeGaps, type TopicGap } from '../../shared/gap.ts'

/** What a notice takes beside its bytes, and each gap in it. */
const noticeBytes = 200
const noticedBytes = 100

export class Parcel {
  /** Messages in all its batches. */
  readonly count: number
  /** What it tells as missing, when it is a notice and no messages: a place in the order for what was never held. */
  readonly gaps: readonly TopicGap[] | undefined
  #bytes: Uint8Array
  #isCompact = false
  #holders = 0

  constructor(bytes: Uint8Array, count: number, gaps?: readonly TopicGap[]) {
    this.#bytes = bytes
    this.count = count
    this.gaps = gaps
  }

  /** A notice of gaps that is to arrive after what is on its way. */
  static notice(gaps: readonly TopicGap[]): Parcel {
    return new Parcel(encodeGaps(gaps), 0, gaps)
  }

  get bytes(): Uint8Array {
    return this.#bytes
  }

  /** Bytes that holding it takes; of a notice with its gaps, which are there twice. */
  get size(): number {
    const { length } = this.#bytes
    return this.gaps === undefined ? length : length + noticeBytes + this.gaps.length * noticedBytes
  }

  /** The position of its first message. */
  get position(): number {
    return new BatchHeader(this.#bytes).position
  }

  /** It is kept for a while, by one outbox more. Few bytes must not keep the large buffer alive that they came in. */
  hold(memory: MemoryBudget): void {
    if (!this.#isCompact) {
      this.#isCompact = true
      if (this.#bytes.buffer.byteLength > this.#bytes.length * 2) this.#bytes = new Uint8Array(this.#bytes)
    }
    if (this.#holders === 0) memory.add(this.size)
    this.#holders++
  }

  /** One outbox has sent or dropped it. */
  release(memory: MemoryBudget): void {
    this.#holders--
    if (this.#holders === 0) memory.give(this.size)
  }

  /**
   * What is left of the bytes without the first `count` messages. Where the records of a batch are not what its header
   * says, which nobody has looked at before, all of that batch goes, and is a gap.
   */
  cut(count: number): { readonly bytes: Uint8Array; readonly count: number; readonly gap: TopicGap | undefined } {
    const bytes = this.#bytes
    let at = 0
    let header = new BatchHeader(bytes, at)
    let excess = count
    let left = this.count - count
    for (; excess >= header.count; header = new BatchHeader(bytes, at)) {
      excess -= header.count
      at = header.end
    }
    if (excess === 0) return { bytes: slice(bytes, at, bytes.length), count: left, gap: undefined }
    const { topic, seq, end, epoch } = header
    const tail = withoutFirst(header, excess)
    if (tail === undefined) {
      left -= header.count - excess
      const gap = { topic, first: seq + excess, last: seq + header.count - 1, epoch }
      return { bytes: slice(bytes, end, bytes.length), count: left, gap }
    }
    const rest = new Uint8Array(tail.length + bytes.length - end)
    rest.set(tail)
    rest.set(slice(bytes, end, bytes.length), tail.length)
    return { bytes: rest, count: left, gap: undefined }
  }
}

/** What the first messages of a parcel are, batch by batch, without cutting it: for those that are dropped. */
export class Skipper {
  readonly #parcel: Parcel
  #header: BatchHeader
  #topic: string
  /** Messages of the present batch that are skipped. */
  #inBatch = 0
  /** Messages of the parcel that are. */
  skipped = 0

  constructor(parcel: Parcel) {
    this.#parcel = parcel
    this.#header = new BatchHeader(parcel.bytes)
    this.#topic = this.#header.topic
  }

  /** Skips `count` more, and calls with what is missing then. */
  skip(count: number, missing: (topic: string, first: number, last: number, epoch: number) => void): void {
    for (let left = count; left > 0; ) {
      if (this.#inBatch === this.#header.count) this.#next()
      const { seq, epoch, count: inBatch } = this.#header
      const now = Math.min(left, inBatch - this.#inBatch)
      const first = seq + this.#inBatch
      missing(this.#topic, first, first + now - 1, epoch)
      this.#inBatch += now
      this.skipped += now
      left -= now
    }
  }

  #next(): void {
    this.#header = new BatchHeader(this.#parcel.bytes, this.#header.end)
    this.#topic = this.#header.topic
    this.#inBatch = 0
  }
}
