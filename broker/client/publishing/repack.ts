/**
 * Packs a parcel anew, for a broker that knows the client by another name, or takes less at once.
 *
 * Floor 6, pure. Order, ids and producer sequences stay as they are.
 */
import { join, slice, writeU32 } from '#base/bytes'
import { maxFrameBytes } from '#socket/client'
import { BatchHeader, encodeHeading, nextRecord, seal } from '../../shared/batch.ts'

/** Batches that travel together, and how many messages they carry. */
export interface Packed {
  readonly bytes: Uint8Array
  readonly count: number
}

/** The same messages in parcels that the broker takes, and how many are too large for it by themselves. */
export function repack(
  parcel: Uint8Array,
  sender: Uint8Array,
  maxMessageBytes: number,
): { parcels: Packed[]; tooLarge: number } {
  const repacker = new Repacker(maxMessageBytes)
  for (let at = 0; at < parcel.length; ) {
    const header = new BatchHeader(parcel, at)
    repacker.add(header, sender)
    at = header.end
  }
  repacker.wrap()
  return repacker
}

class Repacker {
  readonly parcels: Packed[] = []
  tooLarge = 0
  readonly #maxMessageBytes: number
  /** Of a parcel with more than one message. */
  readonly #maxParcelBytes: number
  #batches: Uint8Array[] = []
  #bytes = 0
  #count = 0

  constructor(maxMessageBytes: number) {
    this.#maxMessageBytes = maxMessageBytes
    this.#maxParcelBytes = Math.min(maxFrameBytes, maxMessageBytes)
  }

  add(header: BatchHeader, sender: Uint8Array): void {
    const { bytes, recordsAt, end, count } = header
    const head = headOf(header, sender)
    let [from, at, first] = [recordsAt, recordsAt, 0]
    for (let i = 0; i < count; i++) {
      const next = nextRecord(bytes, at, end)
      if (head.length + next - from > this.#maxParcelBytes) {
        this.#push(head, slice(bytes, from, at), i - first, header.producerSeq + first)
        from = at
        first = i
        if (head.length + next - at > this.#maxMessageBytes) {
          this.tooLarge++
          from = next
          first = i + 1
        }
      }
      at = next
    }
    this.#push(head, slice(bytes, from, end), count - first, header.producerSeq + first)
  }

  /** Ends the parcel. */
  wrap(): void {
    if (this.#count > 0) this.parcels.push({ bytes: join(this.#batches, this.#bytes), count: this.#count })
    this.#batches = []
    this.#bytes = 0
    this.#count = 0
  }

  #push(head: Uint8Array, records: Uint8Array, count: number, producerSeq: number): void {
    if (count === 0) return
    const length = head.length + records.length
    if (this.#bytes + length > this.#maxParcelBytes) this.wrap()
    const batch = join([head, records], length)
    seal(batch, 0, length, count, producerSeq)
    this.#batches.push(batch)
    this.#bytes += length
    this.#count += count
  }
}

/** All before the records, under the sender's name. */
function headOf(
  { bytes, flags, topicAt, topicEnd, producerEnd, optionsAt, recordsAt }: BatchHeader,
  sender: Uint8Array,
) {
  const heading = encodeHeading(slice(bytes, topicAt, topicEnd), slice(bytes, topicEnd, producerEnd), sender)
  heading[1] = flags
  writeU32(heading, 20, recordsAt - optionsAt)
  return join([heading, slice(bytes, optionsAt, recordsAt)], heading.length + recordsAt - optionsAt)
}
