/**
 * Gathers frames into few large pieces for the operating system.
 *
 * Floor 1, pure. Small frames are copied one after the other into a slab; large payloads go out by reference between
 * two pieces of slab. Frames relayed from one received chunk that lie side by side in it stay one run and are sent as
 * one slice. (A system call for each frame, or a writev of many small slices, costs several times as much.) Slabs are
 * borrowed for a turn, so that idle connections hold none.
 */
import { allocate, copy } from '#base/bytes'
import { headerBytes, writeHeader } from '../frame.ts'

/** Twice what is sent at a time, so that one piece is enough for it. */
const slabBytes = 128 * 1024
/** Payloads and runs up to this size are copied, larger ones referenced. */
const copyBytes = 8 * 1024
/** What is left of a slab is worth keeping above this size. */
const worthKeeping = 4 * 1024
const maxSpare = 8

/** Unused ends of slabs, shared by all connections of the process. */
const spare: Uint8Array[] = []

export class Output {
  #slab: Uint8Array | undefined
  /** The slab's bytes from `#from` to `#at` are filled and not yet in `#pieces`. */
  #from = 0
  #at = 0
  #pieces: Uint8Array[] = []
  #run: Uint8Array | undefined
  #runStart = 0
  #runEnd = 0
  #bytes = 0

  /** Bytes gathered and not taken. */
  get bytes(): number {
    return this.#bytes
  }

  frame(kind: number, flags: number, stream: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#run) this.#endRun()
    const length = end - start
    const copied = length <= copyBytes
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

  /** All that was gathered, in order; empty when there is nothing. */
  take(): Uint8Array[] {
    if (this.#run) this.#endRun()
    this.#seal()
    this.#putBack()
    const pieces = this.#pieces
    this.#pieces = []
    this.#bytes = 0
    return pieces
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
    this.#pieces.push(bytes.subarray(start, end))
  }

  #room(size: number): Uint8Array {
    if (this.#slab && this.#slab.length - this.#at >= size) return this.#slab
    this.#seal()
    const kept = this.#slab === undefined ? spare.pop() : undefined
    this.#slab = kept && kept.length >= size ? kept : allocate(slabBytes)
    this.#from = 0
    this.#at = 0
    return this.#slab
  }

  #seal(): void {
    if (this.#slab === undefined || this.#at === this.#from) return
    this.#pieces.push(this.#slab.subarray(this.#from, this.#at))
    this.#from = this.#at
  }

  #putBack(): void {
    const slab = this.#slab
    this.#slab = undefined
    if (slab && slab.length - this.#at >= worthKeeping && spare.length < maxSpare) spare.push(slab.subarray(this.#at))
    this.#at = 0
    this.#from = 0
  }
}
