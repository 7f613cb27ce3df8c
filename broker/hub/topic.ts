/**
 * A topic at the broker: its sequence, and its history if it keeps one.
 *
 * Floor 7, pure.
 */
import type { BatchHeader } from '../shared/batch.ts'
import type { TopicGap } from '../shared/gap.ts'
import type { From, Resume } from '../shared/requests.ts'
import type { MemoryLog, StoredBatch } from './engine/memory.ts'

export class Topic {
  readonly name: string
  /** Which life of the topic its sequences belong to. Never 0. */
  readonly epoch: number
  /** The sequence of the latest message; 0 before the first. */
  seq = 0
  /** The positions of the first and the latest message. */
  firstPosition = 0
  lastPosition = 0
  readonly #log: MemoryLog | undefined

  constructor(name: string, epoch: number, log: MemoryLog | undefined) {
    this.name = name
    this.epoch = epoch
    this.#log = log
  }

  /** Takes a batch that has just been stamped with the numbers after the present ones. */
  append(header: BatchHeader, position: number, time: number): void {
    const { bytes, at, end, count } = header
    if (this.seq === 0) this.firstPosition = position
    // Copied: what is kept long must not keep the large buffer alive that it was received in.
    this.#log?.append({
      bytes: Uint8Array.prototype.slice.call(bytes, at, end),
      count,
      seq: this.seq + 1,
      position,
      time,
    })
    this.seq += count
    this.lastPosition = position + count - 1
  }

  /** What a new subscription gets of the history. */
  replay(from: From): StoredBatch[] {
    if (from === 'new' || this.#log === undefined) return []
    if (from === 'all') return this.#log.read(() => true)
    if ('seq' in from) return this.#log.read((seq) => seq >= from.seq)
    if ('position' in from) return this.#log.read((_seq, position) => position >= from.position)
    if ('after' in from) {
      const { seq, epoch } = from.after
      return this.#log.read((at) => epoch !== this.epoch || at > seq)
    }
    if ('time' in from) return this.#log.read((_seq, _position, time) => time >= from.time)
    const first = this.seq - from.last + 1
    return this.#log.read((seq) => seq >= first)
  }

  /** What was asked for by `{ seq }` and is not kept any more. */
  missingFrom(from: From): TopicGap | undefined {
    if (from === 'new' || from === 'all' || !('seq' in from) || from.seq > this.seq) return undefined
    const last = this.#firstKept() - 1
    const first = Math.max(1, from.seq)
    return first > last ? undefined : { topic: this.name, first, last, epoch: this.epoch }
  }

  /** What an interrupted subscription gets, and what of it is lost. */
  resume({ position }: Resume, seen: number | undefined): { batches: StoredBatch[]; gap: TopicGap | undefined } {
    if (this.lastPosition <= position) return { batches: [], gap: undefined }
    // What was told as a gap is not delivered after all, though its position is later than that of the last message
    // seen.
    const batches = this.#log?.read((seq, at) => at > position && seq > (seen ?? 0)) ?? []
    const last = (batches[0]?.seq ?? this.seq + 1) - 1
    // What was seen, else nothing of a topic that is younger; else only the message before the replay is known for
    // lost.
    const known = seen ?? (this.firstPosition > position ? 0 : undefined)
    const first = known === undefined ? last : known + 1
    const isWhole = known === undefined ? this.#log !== undefined && this.#log.forgotten <= position : first > last
    return { batches, gap: isWhole ? undefined : { topic: this.name, first, last, epoch: this.epoch } }
  }

  #firstKept(): number {
    return this.seq - (this.#log?.length ?? 0) + 1
  }
}
