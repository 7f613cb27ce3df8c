/**
 * Where a socket puts what it receives.
 *
 * Floor 0. Node gives each read of a stream new memory of 64 KiB at most, and a frame that lies over two of them must be
 * copied together. Here a busy socket reads large portions into a slab, one after the other, and frames lie whole in it.
 * A slab is written once, for what was decoded may be kept by anybody. A socket that is quiet has no slab: it reads into
 * memory that all sockets share, and the little that comes is copied out, so a thousand idle connections hold none.
 */
import { allocate, allocateSmall } from '#base/allocate'
import { copy, slice } from '#base/bytes'

const slabBytes = 256 * 1024
/** For the beginning of a frame, of which it is not known yet whether more than that comes. */
const smallSlabBytes = 4 * 1024
/** A read of so much makes a socket busy; one of less than a quarter of it is a quiet one. */
const busyBytes = 16 * 1024
/** Quiet reads, one after the other, that make a socket give its slab up. */
const quietReads = 8
/** The next slab is begun when less than that part of one is left, so that no read has to be small. */
const leastRoom = 1 / 8

/** Read into and copied out of within one callback, so that all sockets of the process can share it. */
const shared = allocate(64 * 1024)

export interface IntakeOwner {
  /** Takes `bytes[from, to)`, the last `count` of them new. Returns where the first frame begins that is not complete. */
  take(count: number, bytes: Uint8Array, from: number, to: number): number
}

export class Intake {
  #owner: IntakeOwner | undefined
  #slab = shared
  /** What has been received and not decoded. */
  #from = 0
  #to = 0
  #quiet = 0

  /** Whether a frame has begun and is not complete. */
  get isPartial(): boolean {
    return this.#to > this.#from
  }

  /** For the option of this name of `net.connect`. */
  get onread(): { buffer(): Uint8Array; callback(count: number): boolean } {
    return { buffer: () => this.#room(), callback: (count) => this.#took(count) }
  }

  attach(owner: IntakeOwner): void {
    this.#owner = owner
  }

  #room(): Uint8Array {
    return this.#slab === shared ? shared : slice(this.#slab, this.#to, this.#slab.length)
  }

  #took(count: number): boolean {
    this.#to += count
    if (this.#slab === shared) this.#move(count < busyBytes ? allocateSmall(count) : allocate(slabBytes))
    this.#from = this.#owner?.take(count, this.#slab, this.#from, this.#to) ?? this.#from
    this.#quiet = count < busyBytes / 4 ? this.#quiet + 1 : 0
    const { length } = this.#slab
    const room = length - this.#to
    if (this.#from === this.#to && (room === 0 || this.#quiet >= quietReads)) this.#rest()
    else if (room < length * leastRoom) this.#move(allocate(length < smallSlabBytes ? smallSlabBytes : slabBytes))
    return true
  }

  /** Takes what is not decoded to another slab. */
  #move(next: Uint8Array): void {
    copy(next, 0, this.#slab, this.#from, this.#to)
    this.#slab = next
    this.#to -= this.#from
    this.#from = 0
  }

  #rest(): void {
    this.#slab = shared
    this.#from = 0
    this.#to = 0
  }
}
