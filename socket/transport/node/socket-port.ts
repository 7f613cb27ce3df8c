/**
 * A port over a byte stream of the operating system: TCP, TLS or a unix socket.
 *
 * Floor 2. Node only. While the socket has not taken what it was given, little is gathered here until it has: each piece
 * that waits in a socket takes some objects of Node's, which may be far more than its bytes.
 */
import type { Socket } from 'node:net'
import type { Cancel, Clock } from '#base/clock'
import { Dispatch } from '#base/dispatch'
import { Decoder } from '../../wire/decoder.ts'
import { Baggage } from '../baggage.ts'
import { Output } from '../output.ts'
import type { Port, PortOwner } from '../port.ts'
import type { Intake, IntakeOwner } from './intake.ts'

/** Gathered output is handed over at this size, without waiting for the end of the turn. */
const flushBytes = 64 * 1024
/** How much the operating system's side may hold back before the port calls itself congested. */
export const highWaterBytes = 256 * 1024
/** A peer that takes nothing for so long when the connection closes is cut ... */
const closeWaitMs = 1_000
/** ... and one that takes a little at a time, after so many times that. */
const closeWaits = 10

function nothing(): void {}

export class SocketPort implements Port, IntakeOwner {
  readonly transport: string
  readonly address: string
  received = 0
  readonly #socket: Socket
  readonly #clock: Clock
  readonly #intake: Intake | undefined
  /** What is to go out at the end of the turn, or when the socket takes more. An idle port has none. */
  #output: Output | undefined
  readonly #baggage = new Baggage()
  #decoder: Decoder | undefined
  #owner: PortOwner | undefined
  readonly #dispatch: Dispatch
  /** The socket has taken a piece that it was given. */
  readonly #written = (): void => {
    if (this.#socket.writableLength > 0) return
    if (this.#output === undefined) this.#baggage.clear()
    else if (!this.#congested && !this.#dispatch.isPlanned) this.#flush()
  }
  /** Frames since it last left. */
  #frames = 0
  #congested = false
  #ended = false
  #closing: Cancel | undefined

  /** `intake`: where the socket reads to, if it was made with one; else it is read in Node's chunks. */
  constructor(socket: Socket, transport: string, clock: Clock, intake?: Intake) {
    this.#intake = intake
    this.transport = transport
    this.address = socket.remoteAddress === undefined ? '' : `${socket.remoteAddress}:${socket.remotePort}`
    this.#socket = socket
    this.#clock = clock
    this.#dispatch = new Dispatch(clock, () => this.#leave())
    socket.setNoDelay(true)
    // Its `close` follows, and says which error it was.
    socket.on('error', nothing)
    socket.on('close', () => this.#finish())
  }

  get isPartial(): boolean {
    return (this.#intake ?? this.#decoder)?.isPartial === true
  }

  get buffered(): number {
    return this.#gatheredBytes + this.#socket.writableLength
  }

  get isCongested(): boolean {
    return this.#congested
  }

  attach(owner: PortOwner): void {
    this.#owner = owner
    this.#decoder = new Decoder(0, owner)
    if (this.#intake) this.#intake.attach(this)
    else this.#socket.on('data', (chunk: Buffer) => this.#takeChunk(chunk))
  }

  /** @internal What the intake has read. */
  take(count: number, bytes: Uint8Array, from: number, to: number): number {
    this.received += count
    try {
      return (this.#decoder as Decoder).cut(bytes, from, to)
    } catch (error) {
      this.#garbled(error)
      return to
    }
  }

  #takeChunk(chunk: Uint8Array): void {
    this.received += chunk.length
    try {
      this.#decoder?.push(chunk)
    } catch (error) {
      this.#garbled(error)
    }
  }

  #garbled(error: unknown): void {
    this.#decoder?.stop()
    this.#owner?.garbled(error as Error)
  }

  limit(maxFrameBytes: number): void {
    if (this.#decoder) this.#decoder.maxFrameBytes = maxFrameBytes
  }

  send(
    kind: number,
    flags: number,
    stream: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    isLent = false,
  ): void {
    this.#frames++
    this.#output ??= new Output(this.#baggage)
    this.#output.frame(kind, flags, stream, id, bytes, start, end, isLent)
    if (!this.#dispatch.isPlanned || this.#output.bytes >= flushBytes) this.#gathered()
  }

  relay(bytes: Uint8Array, start: number, end: number): void {
    this.#frames++
    this.#output ??= new Output(this.#baggage)
    this.#output.relay(bytes, start, end)
    if (!this.#dispatch.isPlanned || this.#output.bytes >= flushBytes) this.#gathered()
  }

  close(): void {
    if (this.#ended || this.#closing) return
    this.#flush()
    this.#socket.end()
    this.#awaitEnd(closeWaits)
  }

  #awaitEnd(waits: number): void {
    const before = this.#untaken
    this.#closing = this.#clock.after(closeWaitMs, () => {
      if (waits > 1 && this.#untaken !== before) this.#awaitEnd(waits - 1)
      else this.destroy()
    })
  }

  /** Changes whenever the system takes something. What it has taken of the present piece is not in Node's documentation. */
  get #untaken(): number {
    const { _handle: handle } = this.#socket as { _handle?: { readonly writeQueueSize?: number } | null }
    return this.#socket.writableLength + (handle?.writeQueueSize ?? 0)
  }

  destroy(): void {
    this.#decoder?.stop()
    this.#socket.destroy()
  }

  get #gatheredBytes(): number {
    return this.#output === undefined ? 0 : this.#output.bytes
  }

  #gathered(): void {
    if (this.#gatheredBytes >= flushBytes && !this.#congested) this.#flush()
    this.#dispatch.plan(this.#gatheredBytes)
  }

  #leave(): boolean {
    const frames = this.#frames
    this.#frames = 0
    if (!this.#congested && this.#socket.writableLength === 0) this.#flush()
    return frames > 1
  }

  #flush(): void {
    if (this.#output === undefined) return
    const output = this.#output
    const socket = this.#socket
    const pieces = output.take()
    this.#output = undefined
    if (socket.destroyed || socket.writableEnded) return
    const isOne = pieces.length === 1
    if (!isOne) socket.cork()
    for (const piece of pieces) socket.write(piece, this.#written)
    if (!isOne) socket.uncork()
    this.#congested = socket.writableNeedDrain
    const isTaken = socket.writableLength === 0
    if (isTaken) this.#baggage.clear()
    if (this.#congested) socket.once('drain', () => this.#drained(output))
    else output.release(isTaken)
  }

  #drained(output: Output): void {
    this.#congested = false
    output.release(true)
    this.#flush()
    if (!this.#congested) this.#owner?.drained()
  }

  #finish(): void {
    if (this.#ended) return
    this.#ended = true
    this.#output = undefined
    this.#baggage.clear()
    this.#closing?.()
    this.#owner?.ended(this.#socket.errored ?? undefined, this)
  }
}
