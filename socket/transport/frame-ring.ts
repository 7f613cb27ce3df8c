/**
 * Frames on their way within one program, first in first out.
 *
 * Floor 1, pure. A frame is written into a place that was used before, so a queue that is emptied as fast as it fills
 * makes no objects. It has no bound of its own: it is emptied each turn, or down to a bound (in-process.ts).
 */
import { none } from '#base/bytes'
import { headerBytes } from '../wire/frame.ts'
import type { FrameSink } from './port.ts'

interface Place {
  kind: number
  flags: number
  stream: number
  id: number
  bytes: Uint8Array
  start: number
  end: number
  framed: boolean
}

const fewest = 8
/** A burst may have made more places than this; they are let go when it is over. */
const maxKept = 1_024

export class FrameRing {
  /** Frames that wait. */
  length = 0
  /** What they would be as bytes, headers included. */
  bytes = 0
  /** Their number is a power of two. */
  #places: Place[] = []
  #first = 0

  push(
    kind: number,
    flags: number,
    stream: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    framed: boolean,
  ): void {
    if (this.length === this.#places.length) this.#grow()
    const place = this.#places[(this.#first + this.length) & (this.#places.length - 1)] as Place
    place.kind = kind
    place.flags = flags
    place.stream = stream
    place.id = id
    place.bytes = bytes
    place.start = start
    place.end = end
    place.framed = framed
    this.length++
    this.bytes += headerBytes + end - start
  }

  /** Takes the first frame out and hands it to the sink, which may push others meanwhile. There must be one. */
  hand(sink: FrameSink): void {
    const place = this.#places[this.#first] as Place
    const { kind, flags, stream, id, bytes, start, end, framed } = place
    // Else the place would keep a payload that nobody else needs.
    place.bytes = none
    this.#first = (this.#first + 1) & (this.#places.length - 1)
    this.length--
    this.bytes -= headerBytes + end - start
    if (this.length === 0 && this.#places.length > maxKept) this.clear()
    sink.frame(kind, flags, stream, id, bytes, start, end, framed)
  }

  clear(): void {
    this.#places = []
    this.#first = 0
    this.length = 0
    this.bytes = 0
  }

  #grow(): void {
    const places: Place[] = []
    for (let at = 0; at < this.length; at++) {
      places.push(this.#places[(this.#first + at) & (this.#places.length - 1)] as Place)
    }
    const size = Math.max(fewest, this.length * 2)
    while (places.length < size) {
      places.push({ kind: 0, flags: 0, stream: 0, id: 0, bytes: none, start: 0, end: 0, framed: false })
    }
    this.#places = places
    this.#first = 0
  }
}
