/**
 * The history of one topic, in memory: its latest batches, bounded in messages and bytes.
 *
 * Floor 6, pure. Batches are kept as they are; only the oldest is cut to the exact number when it is read.
 */
import { Fifo } from '#base/fifo'
import { BatchHeader, withoutFirst } from '../../shared/batch.ts'

/** A batch with the numbers that it was stamped with. */
export interface StoredBatch {
  readonly bytes: Uint8Array
  readonly count: number
  readonly seq: number
  readonly position: number
  readonly time: number
}

export class MemoryLog {
  readonly #maxMessages: number
  readonly #maxBytes: number
  readonly #batches = new Fifo<StoredBatch>()
  #messages = 0
  #bytes = 0
  /** The position of the newest message that is not kept any more; 0 when all are. */
  #forgotten = 0

  constructor(maxMessages: number, maxBytes: number) {
    this.#maxMessages = maxMessages
    this.#maxBytes = maxBytes
  }

  /** Messages that `read` gives. */
  get length(): number {
    return Math.min(this.#messages, this.#maxMessages)
  }

  /** The position of the newest message that was kept once and is not any more. */
  get forgotten(): number {
    const first = this.#batches.peek()
    const surplus = this.#messages - this.length
    return first && surplus > 0 ? first.position + surplus - 1 : this.#forgotten
  }

  append(batch: StoredBatch): void {
    this.#batches.push(batch)
    this.#messages += batch.count
    this.#bytes += batch.bytes.length
    for (let first = this.#batches.peek(); first; first = this.#batches.peek()) {
      const isSpare = this.#messages - first.count >= this.#maxMessages
      if (!isSpare && this.#bytes <= this.#maxBytes) return
      this.#batches.shift()
      this.#messages -= first.count
      this.#bytes -= first.bytes.length
      this.#forgotten = first.position + first.count - 1
    }
  }

  /** What is kept, oldest first, from the first message that passes `isWanted(seq, position, time)`. */
  read(isWanted: (seq: number, position: number, time: number) => boolean): StoredBatch[] {
    const surplus = this.#messages - this.length
    const batches: StoredBatch[] = []
    this.#batches.each((batch, index) => {
      const { count, seq, position, time } = batch
      let skip = index === 0 ? surplus : 0
      if (batches.length === 0) while (skip < count && !isWanted(seq + skip, position + skip, time)) skip++
      const rest = skip < count ? cut(batch, skip) : undefined
      if (rest) batches.push(rest)
    })
    return batches
  }
}

/** Nothing when there is nothing left of it, or it turns out to be malformed. */
function cut(batch: StoredBatch, skip: number): StoredBatch | undefined {
  if (skip === 0) return batch
  const { count, seq, position, time } = batch
  const bytes = withoutFirst(new BatchHeader(batch.bytes), skip)
  return bytes && { bytes, count: count - skip, seq: seq + skip, position: position + skip, time }
}
