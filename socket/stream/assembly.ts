/**
 * Puts the fragments of one large payload together.
 *
 * Floor 1, pure. Its length is judged before its first byte: one that is refused is thrown away as it comes, so that
 * its sender gets an error and nothing else on the link is lost. Fragments are kept as they came and copied once, at
 * the end; nothing is reserved for bytes that were only announced. Where the end is long in coming they are copied before,
 * if they lie in far more memory than they take: what is held is counted by its own length.
 */
import { copyOf, join, slice } from '#base/bytes'
import { type SignalboxError, socketError } from '#base/errors'
import { Deadline, type Deadlines } from '../time/deadlines.ts'
import { maxFrameBytes, wholeCostOf } from '../wire/frame.ts'

/** Milliseconds after which the end of a message is long in coming. */
const compactMs = 100

export class Assembly extends Deadline {
  readonly id: number
  /** Bytes announced. */
  readonly total: number
  /** Credit that is owed when the application is done with the message. */
  cost = 0
  /** Credit that has come back although the bytes are still held. */
  early = 0
  readonly #mayComeEarly: number
  #parts: Uint8Array[] = []
  #filled = 0
  #refusal: SignalboxError | undefined

  constructor(id: number, total: number, mayComeEarly: number) {
    super()
    this.id = id
    this.total = total
    this.#mayComeEarly = mayComeEarly
  }

  /** Why its bytes are not kept, if they are not. */
  get refusal(): SignalboxError | undefined {
    return this.#refusal
  }

  /** Keeps none of it from here on. */
  refuse(why: SignalboxError): void {
    this.#refusal = why
    this.#parts = []
    this.cost = 0
    this.early = 0
  }

  /** Takes a fragment. Returns how much of its cost is to be given back at once. */
  add(bytes: Uint8Array, start: number, end: number, cost: number, isLast: boolean): number {
    // Many small ones would take far more memory than what they carry.
    if (!isLast && end - start !== maxFrameBytes)
      throw socketError('BAD_FRAME', 'A fragment before the last is not full.')
    this.#filled += end - start
    if (this.#filled > this.total || (!isLast && this.#filled === this.total)) {
      throw socketError('BAD_FRAME', 'A message is longer than it was announced.')
    }
    if (this.#refusal) return cost
    this.#parts.push(slice(bytes, start, end))
    const early = Math.min(cost, this.#mayComeEarly - this.early)
    this.early += early
    this.cost += cost - early
    return early
  }

  /** It may be long until more comes. */
  wait(deadlines: Deadlines): void {
    if (this.#refusal === undefined && !this.isKept) deadlines.add(this, compactMs)
  }

  /** The end is long in coming. */
  expire(): void {
    const used = new Map<ArrayBufferLike, number>()
    for (const { buffer, length } of this.#parts) used.set(buffer, (used.get(buffer) ?? 0) + length)
    this.#parts = this.#parts.map((part) => {
      const isPinning = part.buffer.byteLength > 2 * (used.get(part.buffer) as number)
      return isPinning ? copyOf(part, 0, part.length) : part
    })
  }

  /** The payload, or nothing if it was refused. Throws BAD_FRAME when bytes are missing. */
  whole(): Uint8Array | undefined {
    if (this.#filled !== this.total) throw socketError('BAD_FRAME', 'A message is shorter than it was announced.')
    return this.#refusal ? undefined : join(this.#parts, this.total)
  }
}

/**
 * A message larger than the window could never arrive if all its credit were held until it is read. What exceeds half
 * the window is given back as it comes: half, because credit is granted in steps of half a window, and less would
 * leave a message stuck a few bytes before its end. A stream so holds a window and at most two messages unread. In whole
 * bytes, for a window may be odd: half a byte cannot be granted, and each message would cost the sender one.
 */
export function beginAssembly(id: number, total: number, maxMessageBytes: number, windowBytes: number): Assembly {
  const assembly = new Assembly(id, total, Math.max(0, wholeCostOf(total) - Math.floor(windowBytes / 2)))
  if (total > maxMessageBytes) assembly.refuse(tooLarge(total, maxMessageBytes))
  return assembly
}

export function tooLarge(size: number, limit: number): SignalboxError {
  const what = `A payload of ${size} bytes came; the limit here is ${limit}.`
  return socketError('MESSAGE_TOO_LARGE', what, { details: { limit, actual: size } })
}
