/**
 * One consumer-provider pairing as either side sees it: credit, fragments, half-close and reset.
 *
 * Floor 2. In each direction at most one fragmented payload is on its way at a time; whole messages that need not keep
 * order pass between its fragments. So a stream holds at most a window of unread messages and one unfinished one.
 * END says that a side begins nothing new; answers still go. RESET, by either side, is the end; without a payload it is
 * the Provider's good end: everything was answered. A stream that is over never comes back. [SOCK 5]
 * Every DATA frame's cost goes back once: by `#giveUp`, `#cancelled` and `#assemble` for what is not delivered, and by
 * the owner's `consumed` for what is.
 */

import { none, readU32, writeU32 } from '#base/bytes'
import { type SignalboxError, socketError } from '#base/errors'
import { initialWindowBytes, type LinkSettings } from '../options.ts'
import type { Port } from '../transport/port.ts'
import { decodeFailure, encodeFailure } from '../wire/failure.ts'
import { costOf, Flag, firstOptionalKind, Kind, knownFlags, maxFrameBytes, wholeCostOf } from '../wire/frame.ts'
import type { PeerInfo } from '../wire/peer.ts'
import { type Assembly, beginAssembly, tooLarge } from './assembly.ts'
import { type GrowthBudget, maxCreditBytes, ReceiveWindow } from './credit.ts'

/** What a stream needs of the connection that carries it. */
export interface StreamHost {
  readonly port: Port
  readonly settings: LinkSettings
  readonly growth: GrowthBudget
  /** The stream has fragments to send: call `pump` when the port can take them, in turn with others. */
  wantsPump(stream: Stream): void
  /** The stream is over on this side; its number may be forgotten. */
  forget(stream: Stream): void
}

/** The channel end that a stream belongs to. */
export interface StreamOwner {
  /**
   * A whole message. The owner calls `stream.consumed(cost, end - start)` once, when the application is done with it.
   * Throws BAD_FRAME when the message is not one that the other side may send; the stream takes care of the rest then.
   */
  message(stream: Stream, flags: number, id: number, bytes: Uint8Array, start: number, end: number, cost: number): void
  /** A message that came and was not kept, with the reason. It costs nothing any more. */
  discarded(stream: Stream, id: number, error: SignalboxError): void
  /** The Consumer does not want the answer to `id` any more, or the Provider does not give the rest of it. */
  cancelled(stream: Stream, id: number): void
  /** Something that could not be sent may be possible now. */
  writable(stream: Stream): void
  /** The peer will begin nothing new here. */
  finished(stream: Stream): void
  /** The stream is over; nothing more will come or go. Without an error it ended in good order. */
  gone(stream: Stream, error: SignalboxError | undefined): void
}

/** A message to send, which may have to wait and may take many frames. */
export interface Outgoing {
  readonly flags: number
  readonly id: number
  readonly bytes: Uint8Array
  /** Keeps its place behind what was sent before, also behind a large message. */
  readonly ordered: boolean
  /** The bytes are never written to again; else what a port would keep of them is copied. */
  readonly isGiven: boolean
  /** It waits in a backlog, which keeps this. */
  isWaiting: boolean
  /** It begins to go out on `stream`. */
  leaving(stream: Stream): void
  /** All of it has been handed to the connection. */
  left(): void
  /** It will not go, or not all of it. */
  fail(error: Error): void
}

export class Stream {
  readonly number: number
  readonly peer: PeerInfo
  /** Requests sent and not answered. Kept by the Consumer. */
  outstanding = 0
  readonly #host: StreamHost
  readonly #owner: StreamOwner
  /** Made when a message comes: half of all streams never get one. */
  #window: ReceiveWindow | undefined
  readonly #maxMessageBytes: number
  #credit = initialWindowBytes
  #bulk: Outgoing | undefined
  #bulkAt = 0
  #assembly: Assembly | undefined
  #sentEnd = false
  #gotEnd = false
  #over = false

  constructor(number: number, peer: PeerInfo, host: StreamHost, owner: StreamOwner) {
    this.number = number
    this.peer = peer
    this.#host = host
    this.#owner = owner
    this.#maxMessageBytes = host.settings.maxMessageBytes
  }

  /** Bytes that may be sent now. */
  get credit(): number {
    return this.#credit
  }

  /** Whether all that came has been consumed, and its credit is with the peer or owed to it. */
  get isCreditWhole(): boolean {
    return this.#window === undefined || this.#window.isWhole
  }

  /** Whether nothing more comes from the peer: it begins nothing new, and what it began is here; or it is all over. */
  get isFinished(): boolean {
    return (this.#gotEnd && this.#assembly === undefined) || this.#over
  }

  /** Whether nothing will come or go any more. */
  get isOver(): boolean {
    return this.#over
  }

  /** Whether `send` may be called for a payload of this size. */
  canSend(size: number, ordered: boolean): boolean {
    if (this.#credit <= 0 || this.#over) return false
    return this.#bulk === undefined || (!ordered && size <= maxFrameBytes)
  }

  /** The same for something new, which is not begun any more after `end`; answers still go. */
  canBegin(size: number, ordered: boolean): boolean {
    return !this.#sentEnd && this.canSend(size, ordered)
  }

  /** Sends a payload of one frame; `canSend` has just said yes. */
  post(flags: number, id: number, bytes: Uint8Array, isGiven: boolean): void {
    this.#credit -= costOf(bytes.length)
    this.#host.port.send(Kind.DATA, flags | this.#starved, this.number, id, bytes, 0, bytes.length, !isGiven)
  }

  /** Sends a message of any size; `canSend` has just said yes. */
  send(message: Outgoing): void {
    if (message.flags & Flag.HEADER && !this.peer.features.includes('header')) {
      message.fail(socketError('FEATURE_MISSING', 'The other end of the channel takes no metadata.'))
      return
    }
    message.leaving(this)
    if (message.bytes.length <= maxFrameBytes) {
      this.post(message.flags, message.id, message.bytes, message.isGiven)
      message.left()
      return
    }
    const total = new Uint8Array(4)
    writeU32(total, 0, message.bytes.length)
    // First: in the same process the other side may end the stream within `send`, and then this has to be told.
    this.#bulk = message
    this.#bulkAt = 0
    this.#host.port.send(Kind.BEGIN, 0, this.number, message.id, total, 0, 4)
    if (this.#bulk) this.#host.wantsPump(this)
  }

  /** Sends fragments while there is credit, `count` at most. True when it wants to go on as soon as the port can. */
  pump(count: number): boolean {
    for (let sent = 0; this.#bulk && this.#credit > 0 && !this.#over; sent++) {
      if (sent === count) return true
      this.#fragment(this.#bulk)
    }
    return false
  }

  #fragment(bulk: Outgoing): void {
    const start = this.#bulkAt
    const end = Math.min(bulk.bytes.length, start + maxFrameBytes)
    const isLast = end === bulk.bytes.length
    this.#bulkAt = end
    this.#credit -= costOf(end - start)
    const flags = (isLast ? bulk.flags : bulk.flags | Flag.MORE) | this.#starved
    if (isLast) this.#bulk = undefined
    this.#host.port.send(Kind.DATA, flags, this.number, bulk.id, bulk.bytes, start, end, !bulk.isGiven)
    if (!isLast) return
    bulk.left()
    this.#owner.writable(this)
  }

  get #receiving(): ReceiveWindow {
    if (this.#window) return this.#window
    const { settings, growth } = this.#host
    this.#window = new ReceiveWindow(initialWindowBytes, settings.windowBytes, growth, settings.memory)
    return this.#window
  }

  /** Tells the receiver that its window is what holds this side up. */
  get #starved(): number {
    return this.#credit <= 0 ? Flag.STARVED : 0
  }

  /** Gives a request up. What has not gone of a large one stays here, for its bytes are the caller's again. */
  cancel(id: number): void {
    if (this.#over) return
    this.#host.port.send(Kind.CANCEL, 0, this.number, id, none, 0, 0)
    if (this.#bulk?.id !== id) return
    this.#bulk = undefined
    this.#owner.writable(this)
  }

  /** The rest of a message of which only a part has gone stays here. False when it is not such a one. */
  abandon(message: Outgoing): boolean {
    if (this.#over || this.#bulk !== message) return false
    this.cancel(message.id)
    return true
  }

  /** Says that nothing new will be begun from this side. Answers may still go either way. */
  end(): void {
    if (this.#sentEnd || this.#over) return
    this.#sentEnd = true
    this.#host.port.send(Kind.END, 0, this.number, 0, none, 0, 0)
  }

  /** Ends the stream now, for both sides; without an error, in good order. The owner is not called. */
  reset(error?: SignalboxError): void {
    if (this.#over) return
    const failure = error === undefined ? none : encodeFailure(error)
    this.#host.port.send(Kind.RESET, 0, this.number, 0, failure, 0, failure.length)
    this.#finish(error ?? socketError('CLOSED'))
  }

  /** The link is lost, or the stream was reset from the other side. */
  lose(error: SignalboxError | undefined): void {
    if (this.#over) return
    this.#finish(error ?? socketError('PROVIDER_CLOSED'))
    this.#owner.gone(this, error)
  }

  /** The peer broke the rules: the stream ends for both sides. */
  fail(error: SignalboxError): void {
    if (this.#over) return
    this.reset(error)
    this.#owner.gone(this, error)
  }

  /** The application is done with a message of `size` bytes: its credit goes back, and its memory is not counted. */
  consumed(cost: number, size: number): void {
    if (this.#over || cost === 0) return
    // What came of a large one beyond its cost has come back early.
    const early = size > maxFrameBytes ? wholeCostOf(size) - cost : 0
    this.#grant(this.#receiving.consumed(cost, early, this.#assembly === undefined))
  }

  #grant(bytes: number): void {
    if (bytes > 0) this.#host.port.send(Kind.CREDIT, 0, this.number, bytes, none, 0, 0)
  }

  /** A frame for this stream. Throws FLOW_VIOLATION or BAD_FRAME; the stream is of no use then. */
  frame(kind: number, flags: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    if (kind === Kind.DATA) {
      this.#data(flags, id, bytes, start, end)
      return
    }
    if (kind >= firstOptionalKind) return
    if (flags !== 0) throw socketError('BAD_FRAME', `A frame of kind ${kind} came with flags.`)
    if (kind === Kind.CREDIT) this.#granted(id)
    else if (kind === Kind.BEGIN) this.#begin(id, bytes, start, end)
    else if (kind === Kind.CANCEL) this.#cancelled(id)
    else if (kind === Kind.END) this.#ended()
    else if (kind === Kind.RESET) this.lose(start === end ? undefined : decodeFailure(bytes, start, end, false))
    else if (kind < firstOptionalKind) throw socketError('BAD_FRAME', `A frame of the unknown kind ${kind} came.`)
  }

  #data(flags: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    if (flags & ~knownFlags) throw socketError('BAD_FRAME', 'A frame with an unknown flag came.')
    const cost = costOf(end - start)
    if (!this.#receiving.received(cost, (flags & Flag.STARVED) !== 0)) throw socketError('FLOW_VIOLATION')
    const assembly = this.#assembly
    if (assembly?.id === id) {
      this.#assemble(assembly, flags, bytes, start, end, cost)
    } else if (flags & Flag.MORE) {
      throw socketError('BAD_FRAME', 'A fragment came that belongs to no message.')
    } else if (end - start > this.#maxMessageBytes && (flags & Flag.FAIL) === 0) {
      this.consumed(cost, end - start)
      this.#owner.discarded(this, id, tooLarge(end - start, this.#maxMessageBytes))
    } else {
      this.#owner.message(this, flags, id, bytes, start, end, cost)
    }
  }

  #begin(id: number, bytes: Uint8Array, start: number, end: number): void {
    if (end - start !== 4 || this.#assembly) throw socketError('BAD_FRAME', 'A second large message began too early.')
    const total = readU32(bytes, start)
    // What is owed for a message is told from its size: one frame's worth gives nothing back early.
    if (total <= maxFrameBytes) throw socketError('BAD_FRAME', 'A message that fits one frame came as a large one.')
    this.#assembly = beginAssembly(id, total, this.#maxMessageBytes, this.#receiving.size)
  }

  #assemble(assembly: Assembly, flags: number, bytes: Uint8Array, start: number, end: number, cost: number): void {
    const { memory } = this.#host.settings
    if (assembly.refusal === undefined && memory.isFull) this.#giveUp(assembly)
    const isLast = (flags & Flag.MORE) === 0
    const early = assembly.add(bytes, start, end, cost, isLast, memory.isAmple)
    const window = this.#receiving
    if (early > 0) this.#grant(assembly.refusal ? window.consumed(early) : window.returned(early))
    if (!isLast) return
    const whole = assembly.whole()
    this.#assembly = undefined
    if (whole) this.#owner.message(this, flags, assembly.id, whole, 0, whole.length, assembly.cost)
    else this.#owner.discarded(this, assembly.id, assembly.refusal as SignalboxError)
    if (this.#gotEnd && !this.#over) this.#owner.finished(this)
  }

  /** Nothing more is to be held here: what has come of a large message goes first. */
  #giveUp(assembly: Assembly): void {
    const { cost, early } = assembly
    assembly.refuse(socketError('MEMORY_FULL'))
    this.#grant(this.#receiving.consumed(cost, early))
  }

  #cancelled(id: number): void {
    const assembly = this.#assembly
    if (assembly?.id === id) {
      this.#assembly = undefined
      this.#grant(this.#receiving.consumed(assembly.cost, assembly.early))
    }
    this.#owner.cancelled(this, id)
    if (this.#gotEnd && !this.#over) this.#owner.finished(this)
  }

  #granted(bytes: number): void {
    if (this.#credit + bytes > maxCreditBytes) {
      throw socketError('FLOW_VIOLATION', `More than ${maxCreditBytes} bytes of credit were given.`)
    }
    this.#credit += bytes
    if (this.#credit <= 0) return
    if (this.#bulk) this.#host.wantsPump(this)
    this.#owner.writable(this)
  }

  #ended(): void {
    this.#gotEnd = true
    this.#owner.finished(this)
  }

  /** What still comes for it is ignored from here on. */
  #finish(error: SignalboxError): void {
    this.#over = true
    const bulk = this.#bulk
    this.#bulk = undefined
    this.#assembly = undefined
    this.#window?.release()
    this.#host.forget(this)
    bulk?.fail(error)
  }
}
