/**
 * Packs messages into record batches, and batches into parcels. [BROKER 2.2]
 *
 * Floor 7, pure. Messages to one topic, one after the other, share a batch; another topic begins another, so that
 * everything keeps the order in which it was published. Batches lie side by side in a slab; a run of them is a parcel.
 * A slab is written to again when all parcels in it have come back: so a publisher at full speed stays in the same few
 * pages of memory, which the processor has at hand, and leaves nothing to be collected.
 */
import { allocate } from '#base/allocate'
import { copy, encodeText, slice, writeU32 } from '#base/bytes'
import { socketError } from '#base/errors'
import { Fifo } from '#base/fifo'
import { maxFrameBytes } from '#socket/client'
import { encodeHeading, RecordFlag, recordHeaderBytes, seal } from '../../shared/batch.ts'
import { checkTopic } from '../../shared/topic-name.ts'
import { type Packed, repack } from './repack.ts'

/** The largest slab has room for two full parcels. The first is small: of a thousand clients most publish little. */
const slabBytes = 2 * maxFrameBytes
const firstSlabBytes = 4 * 1024
const slabGrowth = 4
/** Topics whose encoded names are kept. */
const maxKnownTopics = 10_000
const nothing: Packed = Object.freeze({ bytes: allocate(0), count: 0 })

/** Memory that batches are written to. */
interface Slab {
  readonly bytes: Uint8Array
  /** Parcels in it that have not come back. */
  out: number
}

/** A parcel that was wrapped up, or a piece of one. */
export interface Parcel extends Packed {
  /** Where it lies, if it may come back. */
  readonly slab?: Slab
  /** Whether it is the last piece. */
  readonly isLast: boolean
  /** Messages that were in it, and are too large for the broker that it is for. */
  readonly tooLarge: number
}

/** A topic's batch header with its names, encoded once. */
export interface Heading {
  readonly topic: string
  readonly bytes: Uint8Array
}

export class Packer {
  /** Parcels that were wrapped up and not taken, oldest first. */
  readonly parcels = new Fifo<Parcel>()
  /** How many were wrapped up; the open one has this number. */
  wrapped = 0
  readonly #producerId: string
  #sender: string
  /** The largest parcel. */
  #maxMessageBytes: number
  readonly #headings = new Map<string, Heading>()
  #parcelBytes = 0
  #slab = noSlab()
  /** One that is free. */
  #spare: Slab | undefined
  #at = 0
  /** Where the open parcel begins, and its messages. */
  #parcelAt = 0
  #parcelCount = 0
  /** The open batch in it: its topic, where it begins, and how many records it has. */
  #open: Heading | undefined
  #openAt = 0
  #count = 0
  #producerSeq = 0

  constructor(producerId: string, sender: string, maxMessageBytes: number) {
    this.#producerId = producerId
    this.#sender = sender
    this.#maxMessageBytes = maxMessageBytes
  }

  /** Bytes in it that were not taken. */
  get bytes(): number {
    return this.#parcelBytes + this.openBytes
  }

  /** Messages in it that were not taken. */
  get messages(): number {
    let sum = this.#parcelCount + this.#count
    this.parcels.each(({ count, tooLarge }) => {
      sum += count + tooLarge
    })
    return sum
  }

  /** Bytes of the parcel that is open. */
  get openBytes(): number {
    return this.#at - this.#parcelAt
  }

  /** The heading under which a record of that size may go. Throws INVALID_TOPIC, FORBIDDEN, MESSAGE_TOO_LARGE. */
  admit(topic: string, size: number): Heading {
    const open = this.#open
    const heading = open && open.topic === topic ? open : (this.#headings.get(topic) ?? this.#heading(topic))
    const limit = this.#maxMessageBytes - heading.bytes.length
    if (size > limit) {
      const details = { limit, actual: size }
      const what = `The message takes ${size} bytes; the limit is ${limit}.`
      throw socketError('MESSAGE_TOO_LARGE', what, { details })
    }
    return heading
  }

  /** Adds a record of `size` bytes. Returns its producer sequence. */
  append(
    heading: Heading,
    payload: Uint8Array,
    isRaw: boolean,
    attributes: Uint8Array | undefined,
    size: number,
  ): number {
    if (this.#open !== heading || !this.#fits(size)) this.#begin(heading, size)
    const slab = this.#slab.bytes
    let at = this.#at
    writeU32(slab, at, payload.length)
    slab[at + 4] = (isRaw ? RecordFlag.RAW : 0) | (attributes ? RecordFlag.ATTRIBUTES : 0)
    at += recordHeaderBytes
    if (attributes) {
      writeU32(slab, at, attributes.length)
      slab.set(attributes, at + 4)
      at += 4 + attributes.length
    }
    copy(slab, at, payload, 0, payload.length)
    this.#at = at + payload.length
    this.#count++
    return this.#producerSeq++
  }

  /** Ends the open parcel. */
  wrap(): void {
    this.#seal()
    if (this.#at === this.#parcelAt) return
    const slab = this.#slab
    const bytes = slice(slab.bytes, this.#parcelAt, this.#at)
    this.#parcelAt = this.#at
    slab.out++
    this.#keep({ bytes, count: this.#parcelCount, isLast: true, tooLarge: 0, slab })
    this.#parcelCount = 0
    this.wrapped++
    // That of a large message goes with it: it may be long before there is another message.
    if (slab.bytes.length > slabBytes) this.#turnTo(noSlab())
  }

  /** The oldest parcel that was wrapped up. */
  take(): Parcel | undefined {
    const parcel = this.parcels.shift()
    if (parcel) this.#parcelBytes -= parcel.bytes.length
    return parcel
  }

  /** A parcel that was taken comes back: nobody reads its bytes any more. */
  giveBack({ slab }: Parcel): void {
    if (slab === undefined || --slab.out > 0) return
    if (slab !== this.#slab) {
      if (slab.bytes.length === slabBytes) this.#spare = slab
    } else if (this.openBytes === 0) this.#turnTo(slab)
  }

  /**
   * What comes is for a broker that knows this client by that name, and takes so much at once; also what waits, which may
   * fall into pieces.
   */
  suit(sender: string, maxMessageBytes: number): void {
    const fits = sender === this.#sender && maxMessageBytes >= this.#maxMessageBytes
    this.#maxMessageBytes = maxMessageBytes
    if (fits) return
    this.wrap()
    this.#sender = sender
    this.#headings.clear()
    const name = encodeText(sender)
    for (const whole of this.parcels.clear()) {
      const { parcels, tooLarge } = repack(whole.bytes, name, maxMessageBytes)
      const last = parcels.pop() ?? nothing
      for (const piece of parcels) this.#keep({ ...piece, isLast: false, tooLarge: 0 })
      this.#keep({ ...last, isLast: whole.isLast, tooLarge: whole.tooLarge + tooLarge })
      this.#parcelBytes -= whole.bytes.length
    }
  }

  clear(): void {
    this.parcels.clear()
    this.#parcelBytes = 0
    this.#open = undefined
    this.#parcelAt = this.#at
    this.#parcelCount = 0
  }

  #keep(parcel: Parcel): void {
    this.parcels.push(parcel)
    this.#parcelBytes += parcel.bytes.length
  }

  /** Begins a batch: in the open parcel if it may go there, else in a new one. */
  #begin(heading: Heading, size: number): void {
    this.#seal()
    const needed = heading.bytes.length + size
    if (!this.#fits(needed)) {
      this.wrap()
      if (this.#slab.bytes.length - this.#at < Math.max(needed, maxFrameBytes)) this.#turnTo(this.#free(needed))
    }
    this.#open = heading
    this.#openAt = this.#at
    copy(this.#slab.bytes, this.#at, heading.bytes, 0, heading.bytes.length)
    this.#at += heading.bytes.length
  }

  #fits(size: number): boolean {
    const end = this.#at + size
    const limit = Math.min(maxFrameBytes, this.#maxMessageBytes)
    return end - this.#parcelAt <= limit && end <= this.#slab.bytes.length
  }

  #turnTo(slab: Slab): void {
    this.#slab = slab
    this.#at = 0
    this.#parcelAt = 0
  }

  #free(needed: number): Slab {
    const spare = this.#spare
    if (spare === undefined || needed > slabBytes) {
      const grown = Math.min(slabBytes, this.#slab.bytes.length * slabGrowth)
      return { bytes: allocate(Math.max(needed, grown, firstSlabBytes)), out: 0 }
    }
    this.#spare = undefined
    return spare
  }

  #heading(topic: string): Heading {
    checkTopic(topic)
    // '$...' is the system's, but for the inboxes to which answers go.
    if (topic.charCodeAt(0) === 0x24 && !topic.startsWith('$inbox.')) {
      throw socketError('FORBIDDEN', `Only the broker publishes to ${JSON.stringify(topic)}, as to all of '$'.`)
    }
    const bytes = encodeHeading(encodeText(topic), encodeText(this.#producerId), encodeText(this.#sender))
    const heading: Heading = { topic, bytes }
    if (this.#headings.size >= maxKnownTopics) this.#headings.clear()
    this.#headings.set(topic, heading)
    return heading
  }

  /** Ends the open batch. */
  #seal(): void {
    if (this.#open === undefined) return
    seal(this.#slab.bytes, this.#openAt, this.#at, this.#count, this.#producerSeq - this.#count)
    this.#open = undefined
    this.#parcelCount += this.#count
    this.#count = 0
  }
}

function noSlab(): Slab {
  return { bytes: allocate(0), out: 0 }
}
