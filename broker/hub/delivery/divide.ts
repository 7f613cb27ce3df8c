/**
 * Divides a parcel for a subscriber that takes less than that in one message of its channel. [BROKER 3.7]
 *
 * Floor 7, pure. What comes of it is made as it is asked for, in the order of positions: parcels that fit, and gaps for
 * single messages that are too large by themselves, and for batches that cannot be divided.
 */
import { join, slice } from '#base/bytes'
import { maxFrameBytes } from '#socket/client'
import { BatchHeader, nextRecord, seal, stamp } from '../../shared/batch.ts'
import type { TopicGap } from '../../shared/gap.ts'
import { Parcel } from './parcel.ts'

/** What the headings of all parts of one batch may take: names and options can be long, and records many and small. */
const maxHeadingBytes = 4 * 1024 * 1024

/** Some of a batch's records, from `first` on; they do not fit when it is one that is too large. */
interface Part {
  readonly first: number
  readonly count: number
  readonly from: number
  readonly to: number
  readonly fits: boolean
}

export function* divide(parcel: Uint8Array, maxMessageBytes: number): Generator<Parcel | TopicGap, void> {
  /** Of a parcel with more than one message. */
  const maxBytes = Math.min(maxFrameBytes, maxMessageBytes)
  let batches: Uint8Array[] = []
  let [size, count] = [0, 0]
  const wrap = (): Parcel => {
    const whole = new Parcel(join(batches, size), count)
    batches = []
    size = 0
    count = 0
    return whole
  }
  for (let at = 0; at < parcel.length; ) {
    const header = new BatchHeader(parcel, at)
    at = header.end
    for (const { first, fits, ...part } of partsOf(header, maxBytes, maxMessageBytes)) {
      const bytes = fits ? withOnly(header, { first, fits, ...part }) : undefined
      if (batches.length > 0 && (bytes === undefined || size + bytes.length > maxBytes)) yield wrap()
      if (bytes === undefined) {
        const { topic, seq, epoch } = header
        yield { topic, first: seq + first, last: seq + first + part.count - 1, epoch }
      } else {
        batches.push(bytes)
        size += bytes.length
        count += part.count
      }
    }
  }
  if (batches.length > 0) yield wrap()
}

/** Neighbours that do not fit are one part. */
function partsOf(header: BatchHeader, maxBytes: number, maxMessageBytes: number): readonly Part[] {
  const { bytes, at, recordsAt, end, count } = header
  const whole = { first: 0, count, from: recordsAt, to: end }
  if (end - at <= maxBytes) return [{ ...whole, fits: true }]
  const undivided = [{ ...whole, fits: count === 1 && end - at <= maxMessageBytes }]
  if (count === 1) return undivided
  const heading = recordsAt - at
  const parts: Part[] = []
  let [first, from, to, fits] = [0, recordsAt, recordsAt, true]
  try {
    for (let i = 0; i < count; i++) {
      const next = nextRecord(bytes, to, end)
      const fitsAlone = heading + next - to <= maxMessageBytes
      const isJoined = fitsAlone ? fits && heading + next - from <= maxBytes : !fits
      if (i > first && !isJoined) {
        parts.push({ first, count: i - first, from, to, fits })
        if (parts.length * heading > maxHeadingBytes) return undivided
        first = i
        from = to
      }
      fits = fitsAlone
      to = next
    }
  } catch {
    // Its records are not what its header says, which nobody has looked at before.
    return undivided
  }
  parts.push({ first, count: count - first, from, to, fits })
  return parts
}

function withOnly(header: BatchHeader, { first, count, from, to }: Part): Uint8Array {
  const { bytes, at, end, recordsAt } = header
  if (count === header.count) return slice(bytes, at, end)
  const part = join([slice(bytes, at, recordsAt), slice(bytes, from, to)], recordsAt - at + to - from)
  seal(part, 0, part.length, count, header.producerSeq + first)
  stamp(part, 0, header.epoch, header.seq + first, header.position + first, header.time)
  return part
}
