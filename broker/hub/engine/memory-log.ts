/**
 * The log in memory: what is kept of all topics, one order by position, and an index for each topic.
 *
 * Floor 7, pure. A topic keeps so many messages and bytes as its retention says, and all topics together so much as the
 * log's bound and the budget allow: then the oldest of all goes first. Batches are kept whole, as copies of their own;
 * only how many of the first are not kept any more is counted.
 */
import { none } from '#base/bytes'
import type { MemoryBudget } from '#base/memory-budget'
import type { BatchHeader } from '../../shared/batch.ts'
import { isPattern, matches } from '../../shared/topic-name.ts'
import type { EngineHost, Page, Query, Retention, StoredBatch, TopicRef } from './engine.ts'
import { Run } from './run.ts'

/** What a batch costs beside its bytes. */
const entryBytes = 200
/** Batches of other topics that one read passes over at most. */
const maxPassed = 20_000

export class Entry {
  bytes: Uint8Array
  readonly topic: TopicRef
  readonly count: number
  readonly seq: number
  readonly position: number
  readonly time: number
  isGone = false

  constructor({ bytes, at, end, count }: BatchHeader, topic: TopicRef, seq: number, position: number, time: number) {
    // Copied: what is kept long must not keep the large buffer alive that it was received in.
    this.bytes = Uint8Array.prototype.slice.call(bytes, at, end)
    this.topic = topic
    this.count = count
    this.seq = seq
    this.position = position
    this.time = time
  }

  get cost(): number {
    return this.bytes.length + entryBytes
  }

  /** Whoever has read it has its bytes still. */
  go(): void {
    this.isGone = true
    this.bytes = none
  }
}

/** The entries of one topic. */
class Kept {
  readonly run = new Run<Entry>()
  messages = 0
  bytes = 0
}

export class MemoryLog {
  readonly #memory: MemoryBudget
  readonly #maxBytes: number
  readonly #trimmed: EngineHost['trimmed']
  readonly #all = new Run<Entry>()
  readonly #topics = new Map<string, Kept>()
  #bytes = 0

  constructor(memory: MemoryBudget, maxBytes: number, trimmed: EngineHost['trimmed']) {
    this.#memory = memory
    this.#maxBytes = maxBytes
    this.#trimmed = trimmed
  }

  /** Bytes that are kept, with what keeping them costs. */
  get bytes(): number {
    return this.#bytes
  }

  /** Keeps a batch of a topic that has a retention. Its numbers are later than all before. */
  append(header: BatchHeader, topic: TopicRef, keep: Retention, seq: number, position: number, time: number): void {
    const entry = new Entry(header, topic, seq, position, time)
    let kept = this.#topics.get(topic.name)
    if (kept === undefined) {
      kept = new Kept()
      this.#topics.set(topic.name, kept)
    }
    this.#all.push(entry)
    kept.run.push(entry)
    kept.messages += entry.count
    kept.bytes += entry.bytes.length
    this.#bytes += entry.cost
    this.#memory.add(entry.cost)
    this.#keepTo(kept, keep)
    while (this.#bytes > this.#maxBytes || this.#memory.isFull) {
      const oldest = this.#all.first
      if (oldest === undefined) return
      this.#remove(this.#topics.get(oldest.topic.name) as Kept, oldest)
    }
  }

  read({ pattern, from, maxBytes }: Query, position: number): Page {
    const isWide = isPattern(pattern)
    const run = isWide ? this.#all : this.#topics.get(pattern)?.run
    const batches: StoredBatch[] = []
    if (run === undefined) return { batches, next: position + 1, end: true }
    let at = placeIn(run, from)
    let bytes = 0
    for (let passed = 0; ; at++) {
      const entry = run.at(at)
      if (entry === undefined) return { batches, next: position + 1, end: true }
      if (!entry.isGone && (!isWide || matches(pattern, entry.topic.name))) {
        if (bytes > 0 && bytes + entry.bytes.length > maxBytes) return { batches, next: entry.position, end: false }
        bytes += entry.bytes.length
        batches.push(storedOf(entry, from))
      } else if (++passed > maxPassed) {
        return { batches, next: entry.position + entry.count, end: false }
      }
    }
  }

  /** Forgets what is before that sequence. Returns how many messages that were. */
  trim(topic: TopicRef, before: number): number {
    const floor = topic.floorSeq
    const kept = this.#topics.get(topic.name)
    for (let first = kept?.run.first; kept && first; first = kept.run.first) {
      if (first.seq + first.count > before) {
        if (first.seq < before) this.#raise(first, before - first.seq)
        break
      }
      this.#remove(kept, first)
    }
    return topic.floorSeq - floor
  }

  clear(): void {
    this.#memory.give(this.#bytes)
    this.#bytes = 0
    this.#all.clear()
    this.#topics.clear()
  }

  #keepTo(kept: Kept, { messages, bytes }: Retention): void {
    for (let first = kept.run.first; first; first = kept.run.first) {
      if (kept.messages - first.count < messages && kept.bytes <= bytes) {
        if (kept.messages > messages) this.#raise(first, kept.messages - messages)
        return
      }
      this.#remove(kept, first)
    }
  }

  /** Takes the oldest entry of a topic away. */
  #remove(kept: Kept, entry: Entry): void {
    this.#raise(entry, entry.count)
    kept.messages -= entry.count
    kept.bytes -= entry.bytes.length
    this.#bytes -= entry.cost
    this.#memory.give(entry.cost)
    entry.go()
    kept.run.hasLost()
    this.#all.hasLost()
    if (kept.run.first === undefined) this.#topics.delete(entry.topic.name)
  }

  /** The first `count` messages of its topic's oldest entry are not kept any more. */
  #raise({ topic, seq, position }: Entry, count: number): void {
    const first = Math.max(seq, topic.floorSeq + 1)
    const last = seq + count - 1
    if (first > last) return
    topic.floorSeq = last
    topic.floorPosition = position + count - 1
    this.#trimmed(topic, first, last, position + first - seq)
  }
}

function placeIn(run: Run<Entry>, from: Query['from']): number {
  if ('position' in from) return run.search(({ position, count }) => position + count > from.position)
  if ('time' in from) return run.search(({ time }) => time >= from.time)
  return run.search(({ seq, count }) => seq + count > from.seq)
}

function storedOf({ bytes, topic, count, seq, position, time }: Entry, from: Query['from']): StoredBatch {
  let skip = Math.max(0, topic.floorSeq + 1 - seq)
  if ('position' in from) skip = Math.max(skip, from.position - position)
  else if ('seq' in from) skip = Math.max(skip, from.seq - seq)
  return { bytes, topic, count, seq, position, time, skip }
}
