/**
 * Payloads that say which they are: four bytes sequence, four bytes lane, the rest filler. A lane is what has an order
 * of its own: a topic of one publisher, or a publisher.
 */
import type { Feed, Intake } from './contract.ts'

export const sequenceAt = 0
export const laneAt = 4
/** The least that a payload holds. */
export const minPayloadBytes = 8

const ringBytes = 8 * 1024 * 1024

export function write32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}

export function read32(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16)
  return (low | ((bytes[at + 3] as number) << 24)) >>> 0
}

/** Payloads made once and used in turn: what is measured is the publishing, not the making. */
export class PayloadRing {
  readonly length: number
  readonly #payloads: Buffer[]
  #at = 0

  constructor(size: number) {
    this.length = Math.max(16, Math.min(4096, Math.floor(ringBytes / size)))
    this.#payloads = Array.from({ length: this.length }, () => Buffer.alloc(size, 'signalbox '))
  }

  next(lane: number, sequence: number): Buffer {
    const payload = this.#payloads[this.#at] as Buffer
    this.#at = this.#at + 1 === this.length ? 0 : this.#at + 1
    write32(payload, sequenceAt, sequence)
    write32(payload, laneAt, lane)
    return payload
  }
}

/** Gives payloads for `lanes` lanes in turn, from `firstLane` on, as long as `goesOn` says so. */
export class SequencedFeed implements Feed {
  /** Payloads given. */
  sent = 0
  readonly size: number
  readonly holds: number
  readonly #ring: PayloadRing
  readonly #firstLane: number
  readonly #lanes: number
  readonly #goesOn: () => boolean
  /** How often `goesOn` is asked: the clock must not be what is measured. */
  readonly #stride: number
  #lane = 0
  #round = 0

  constructor(size: number, firstLane: number, lanes: number, goesOn: () => boolean) {
    this.size = size
    this.#ring = new PayloadRing(size)
    this.holds = this.#ring.length >> 1
    this.#firstLane = firstLane
    this.#lanes = lanes
    this.#goesOn = goesOn
    this.#stride = strideFor(size)
  }

  next(): Buffer | undefined {
    if (this.sent % this.#stride === 0 && !this.#goesOn()) return undefined
    this.sent++
    const payload = this.#ring.next(this.#firstLane + this.#lane, this.#round)
    if (++this.#lane === this.#lanes) {
      this.#lane = 0
      this.#round++
    }
    return payload
  }

  /** What was given, per lane. */
  perLane(): number[] {
    return Array.from({ length: this.#lanes }, (_, lane) => this.#round + (lane < this.#lane ? 1 : 0))
  }
}

/** Messages between two looks at the clock: about a millisecond's worth. */
export function strideFor(size: number): number {
  return Math.max(1, Math.min(64, Math.floor((64 * 1024) / size)))
}

/** Counts what comes, and notices what is missing, comes twice or comes out of order. */
export class Ledger implements Intake {
  received = 0
  /** Messages that were passed over. */
  missing = 0
  /** Messages that came twice, or after a later one, or whose bytes make no sense. */
  late = 0
  readonly #next: Uint32Array
  readonly #counted: (messages: number) => void
  #isBlind = false

  constructor(lanes: number, counted: (messages: number) => void) {
    this.#next = new Uint32Array(lanes)
    this.#counted = counted
  }

  take(payload: Uint8Array): void {
    const sequence = read32(payload, sequenceAt)
    const lane = read32(payload, laneAt)
    if (this.#next[lane] === sequence) this.#next[lane] = sequence + 1
    else this.#outOfStep(lane, sequence)
    this.received++
    this.#counted(1)
  }

  count(messages: number): void {
    this.#isBlind = true
    this.received += messages
    this.#counted(messages)
  }

  /** Whether all that was sent has come, as far as can be told. */
  isComplete(sent: readonly number[]): boolean {
    return this.received >= total(sent) && (this.#isBlind || sent.every((count, lane) => this.#next[lane] === count))
  }

  /** Messages that never came. */
  lost(sent: readonly number[]): number {
    if (this.#isBlind) return Math.max(0, total(sent) - this.received)
    return this.missing + sent.reduce((sum, count, lane) => sum + Math.max(0, count - (this.#next[lane] as number)), 0)
  }

  #outOfStep(lane: number, sequence: number): void {
    const expected = this.#next[lane]
    if (expected !== undefined && sequence > expected) {
      this.missing += sequence - expected
      this.#next[lane] = sequence + 1
    } else {
      this.late++
    }
  }
}

function total(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0)
}
