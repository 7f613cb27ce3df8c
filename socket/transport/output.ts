/**
 * Gathers frames into few large pieces for the operating system, for one portion of output.
 *
 * Floor 1, pure. Small frames are copied one after the other into a slab; large payloads go out by reference between
 * two pieces of slab. Frames relayed from one received chunk that lie side by side in it stay one run and are sent as
 * one slice. (A system call for each frame, or a writev of many small slices, costs several times as much.) A portion
 * begins in a small slab and goes on in a large one, so that a thousand connections that say a word each in one turn do
 * not take a thousand large ones. Slabs are shared by all connections, and idle ones hold none. What lies in much more
 * memory than it takes is referenced as long as little comes along that way: what waits is counted by its own length.
 */
import { allocate, allocateSmall } from '#base/allocate'
import { copy, copyOf } from '#base/bytes'
import { headerBytes, writeHeader } from '../wire/frame.ts'
import { Baggage } from './baggage.ts'

/** Twice what is sent at a time, so that one piece is enough for it, and for two of the largest frames. */
const slabBytes = 130 * 1024
/** For the first frames of a portion. When more come, these move to a large slab, so that they stay one piece. */
const smallSlabBytes = 1024
/** Payloads and runs up to this size are copied, larger ones referenced. */
export const copyBytes = 8 * 1024
/** What waits for long keeps the memory alive that it lies in; from this part of it on it is worth that. */
const worthHolding = 1 / 2
/** What is left of a large slab, or of a small one, is worth keeping from this size. */
const worthKeeping = 4 * 1024
const worthKeepingSmall = 128
const maxSpare = 8
const maxSpareSmall = 64

/** Slabs, or their unused ends, for whichever connection is the next. */
const spare: Uint8Array[] = []
const spareSmall: Uint8Array[] = []

export class Output {
  #slab: Uint8Array | undefined
  #isLarge = false
  /** The slab's bytes from `#from` to `#at` are filled and not yet in `#pieces`. */
  #from = 0
  #at = 0
  readonly #pieces: Uint8Array[] = []
  #run: Uint8Array | undefined
  #runStart = 0
  #runEnd = 0
  #bytes = 0
  readonly #baggage: Baggage

  /** `baggage`: that of the port. */
  constructor(baggage = new Baggage()) {
    this.#baggage = baggage
  }

  /** Bytes gathered and not taken. */
  get bytes(): number {
    return this.#bytes
  }

  /** Bytes that are lent are copied, whatever their length. */
  frame(
    kind: number,
    flags: number,
    stream: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    isLent = false,
  ): void {
    if (this.#run) this.#endRun()
    const length = end - start
    const copied = isLent || length <= copyBytes
    const slab = this.#room(headerBytes + (copied ? length : 0))
    writeHeader(slab, this.#at, kind, flags, stream, id, length)
    this.#at += headerBytes
    this.#bytes += headerBytes + length
    if (copied) this.#copy(slab, bytes, start, end)
    else this.#refer(bytes, start, end)
  }

  /** Frames with their headers, as they lie in `bytes[start, end)`. */
  relay(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes += end - start
    if (this.#run === bytes && this.#runEnd === start) {
      this.#runEnd = end
      return
    }
    if (this.#run) this.#endRun()
    this.#run = bytes
    this.#runStart = start
    this.#runEnd = end
  }

  /** All that was gathered, in order. Nothing more is to be added then. */
  take(): readonly Uint8Array[] {
    if (this.#run) this.#endRun()
    this.#seal()
    return this.#pieces
  }

  /** Gives back what may be written to again: all of the last slab if the operating system has taken everything. */
  release(isGone: boolean): void {
    const slab = this.#slab
    if (slab === undefined) return
    const free = isGone ? slab : slab.subarray(this.#at)
    if (!this.#isLarge) keepSmall(free)
    else if (free.length >= worthKeeping && spare.length < maxSpare) spare.push(free)
  }

  #endRun(): void {
    const run = this.#run as Uint8Array
    this.#run = undefined
    const length = this.#runEnd - this.#runStart
    if (length <= copyBytes) this.#copy(this.#room(length), run, this.#runStart, this.#runEnd)
    else this.#refer(run, this.#runStart, this.#runEnd)
  }

  #copy(slab: Uint8Array, bytes: Uint8Array, start: number, end: number): void {
    copy(slab, this.#at, bytes, start, end)
    this.#at += end - start
  }

  #refer(bytes: Uint8Array, start: number, end: number): void {
    this.#seal()
    const { buffer } = bytes
    const length = end - start
    const isReferred = length >= buffer.byteLength * worthHolding || this.#baggage.takes(buffer, length)
    this.#pieces.push(isReferred ? bytes.subarray(start, end) : copyOf(bytes, start, end))
  }

  #room(size: number): Uint8Array {
    const slab = this.#slab
    if (slab && slab.length - this.#at >= size) return slab
    const isSmall = slab === undefined && size <= smallSlabBytes
    const next = isSmall ? small(size) : this.#large(size)
    if (slab && !this.#isLarge) {
      // Its frames move along, and it is free again, unless pieces of it are to go out.
      copy(next, 0, slab, this.#from, this.#at)
      if (this.#from === 0) keepSmall(slab)
      this.#at -= this.#from
    } else {
      this.#seal()
      this.#at = 0
    }
    this.#slab = next
    this.#isLarge = !isSmall
    this.#from = 0
    return next
  }

  /** With room for `size` and for what moves along. A spare one may be short, so it is only a portion's first. */
  #large(size: number): Uint8Array {
    const kept = this.#isLarge ? undefined : spare.pop()
    return kept && kept.length >= size + smallSlabBytes ? kept : allocate(slabBytes)
  }

  #seal(): void {
    if (this.#slab === undefined || this.#at === this.#from) return
    this.#pieces.push(this.#slab.subarray(this.#from, this.#at))
    this.#from = this.#at
  }
}

function small(size: number): Uint8Array {
  const kept = spareSmall.pop()
  return kept && kept.length >= size ? kept : allocateSmall(smallSlabBytes)
}

function keepSmall(free: Uint8Array): void {
  if (free.length >= worthKeepingSmall && spareSmall.length < maxSpareSmall) spareSmall.push(free)
}
