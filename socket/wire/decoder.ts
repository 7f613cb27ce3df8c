/**
 * Cuts a stream of byte chunks into frames, without copying those that lie whole in a chunk.
 *
 * Floor 1, pure. A length is judged as soon as its header is there and before a byte of the payload is kept, so a
 * decoder never holds more than one frame of `maxFrameBytes`. A frame that is split over chunks is put together in an
 * array of its own; every byte is copied at most once.
 */
import { allocate } from '#base/allocate'
import { copy, readU32 } from '#base/bytes'
import { socketError } from '#base/errors'
import type { FrameSink } from '../transport/port.ts'
import { headerBytes, isKnownHeader } from './frame.ts'

export class Decoder {
  /** The largest payload taken; may be changed between frames (it is small until the handshake is done). */
  maxFrameBytes: number
  readonly #sink: FrameSink
  /** The first bytes of a frame whose header is not complete. */
  #header: Uint8Array | undefined
  #partial: Uint8Array | undefined
  #filled = 0
  #stopped = false

  constructor(maxFrameBytes: number, sink: FrameSink) {
    this.maxFrameBytes = maxFrameBytes
    this.#sink = sink
  }

  /** Whether a frame has begun and is not complete. */
  get isPartial(): boolean {
    return this.#filled > 0
  }

  /** Ignores everything from here on, also the rest of the chunk being decoded. */
  stop(): void {
    this.#stopped = true
    this.#partial = undefined
    this.#filled = 0
  }

  /** Hands every complete frame to the sink. Throws BAD_FRAME or FRAME_TOO_LARGE; the decoder is of no use then. */
  push(chunk: Uint8Array): void {
    let at = this.#filled > 0 && !this.#stopped ? this.#complete(chunk) : 0
    at = this.cut(chunk, at, chunk.length)
    if (at < chunk.length) this.#keep(chunk, at)
  }

  /**
   * Hands on the complete frames in `bytes[from, to)`, and returns where the first incomplete one begins: at `to` when
   * there is none, or nothing is wanted any more.
   */
  cut(bytes: Uint8Array, from: number, to: number): number {
    let at = from
    while (!this.#stopped && to - at >= headerBytes) {
      const end = at + headerBytes + this.#judge(bytes, at)
      if (end > to) break
      this.#emit(bytes, at, end)
      at = end
    }
    return this.#stopped ? to : at
  }

  /** Fills the frame that an earlier chunk began. Returns where the next frame begins in `chunk`. */
  #complete(chunk: Uint8Array): number {
    let at = 0
    if (this.#partial === undefined) {
      at = Math.min(chunk.length, headerBytes - this.#filled)
      const header = this.#header as Uint8Array
      copy(header, this.#filled, chunk, 0, at)
      this.#filled += at
      if (this.#filled < headerBytes) return at
      this.#partial = allocate(headerBytes + this.#judge(header, 0))
      this.#partial.set(header)
    }
    const frame = this.#partial
    const count = Math.min(chunk.length - at, frame.length - this.#filled)
    copy(frame, this.#filled, chunk, at, at + count)
    this.#filled += count
    if (this.#filled === frame.length) {
      this.#partial = undefined
      this.#filled = 0
      this.#emit(frame, 0, frame.length)
    }
    return at + count
  }

  #keep(chunk: Uint8Array, at: number): void {
    this.#filled = chunk.length - at
    if (this.#filled < headerBytes) {
      this.#header ??= new Uint8Array(headerBytes)
      copy(this.#header, 0, chunk, at, chunk.length)
      return
    }
    this.#partial = allocate(headerBytes + readU32(chunk, at))
    copy(this.#partial, 0, chunk, at, chunk.length)
  }

  #judge(bytes: Uint8Array, at: number): number {
    const length = readU32(bytes, at)
    if (!isKnownHeader(bytes, at)) throw socketError('BAD_FRAME')
    if (length > this.maxFrameBytes) {
      const details = { limit: this.maxFrameBytes, actual: length }
      throw socketError('FRAME_TOO_LARGE', `A frame of ${length} bytes came; the limit is ${this.maxFrameBytes}.`, {
        details,
      })
    }
    return length
  }

  #emit(bytes: Uint8Array, at: number, end: number): void {
    const kind = bytes[at + 4] as number
    const flags = bytes[at + 5] as number
    this.#sink.frame(kind, flags, readU32(bytes, at + 8), readU32(bytes, at + 12), bytes, at + headerBytes, end, true)
  }
}
