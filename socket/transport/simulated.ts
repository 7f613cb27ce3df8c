/**
 * A pair of ports over a network that is made up: it takes its time, cuts pieces anywhere, loses its tongue on one side
 * or both, and has readers that do not read. For tests of whatever is built on links; the same seed does the same again.
 *
 * Floor 3. What is sent becomes bytes and is decoded again, so that frames arrive in pieces as they do from a socket.
 */
import { allocate } from '#base/allocate'
import { copy, copyOf, join } from '#base/bytes'
import { type Cancel, type Clock, systemClock } from '#base/clock'
import { Fifo } from '#base/fifo'
import { isClock, type OwnClock, wholeClock } from '#base/own-clock'
import { defined, isInteger, isNumber, isText, type Rules, verify } from '#base/verify'
import { Decoder } from '../wire/decoder.ts'
import { headerBytes, writeHeader } from '../wire/frame.ts'
import type { Port, PortOwner } from './port.ts'

export interface SimulationOptions {
  /** Milliseconds that everything takes to arrive. Default 0: at the end of the turn. */
  readonly latencyMs?: number
  /** Milliseconds, of which each piece takes a random part longer; the order is kept. Default 0. */
  readonly jitterMs?: number
  /** What is sent in a turn arrives in pieces of random sizes up to this. Default `Infinity`: whole. */
  readonly maxPieceBytes?: number
  /** Bytes on the way from which the sender's port calls itself congested. Default 256 KiB. */
  readonly highWaterBytes?: number
  /** The same seed makes the same pieces and delays. Default 1. */
  readonly seed?: number
  /** What the ports call their transport. Default 'simulated'. */
  readonly transport?: string
  /** Default the system's. */
  readonly clock?: OwnClock
}

export type SimulatedSide = 'near' | 'far'

/** Two ports, each the other's peer, and what may happen between them. */
export interface SimulatedPorts {
  readonly near: Port
  readonly far: Port
  /** Ends the connection as a broken cable does: both sides notice, and what is on the way is lost, mid-frame or not. */
  cut(): void
  /** From now on nothing that this side sends arrives, and nobody is told: half open. Both sides: a hole. */
  mute(side: SimulatedSide): void
  /** Whether this side reads what arrives. */
  stall(side: SimulatedSide, isStalled?: boolean): void
}

const simulationRules: Rules = {
  latencyMs: isNumber(0),
  jitterMs: isNumber(0),
  maxPieceBytes: isNumber(1),
  highWaterBytes: isInteger(1),
  seed: isInteger(0),
  transport: isText(20),
  clock: isClock,
}
const closeWaitMs = 1_000

interface Simulation extends Required<SimulationOptions> {
  readonly clock: Clock
}

/** A piece, or the end of the sender's output. */
interface Parcel {
  readonly bytes: Uint8Array | undefined
  readonly dueMs: number
}

/** One of the two directions. */
class Way {
  isMute = false
  isStalled = false
  /** Bytes on the way. */
  waiting = 0
  readonly #simulation: Simulation
  readonly #random: () => number
  readonly #parcels = new Fifo<Parcel>()
  /** Whether there is somebody to take what arrives. */
  readonly #isAwaited: () => boolean
  readonly #arrived: (bytes: Uint8Array | undefined) => void
  #lastDueMs = 0
  #isScheduled = false

  constructor(
    simulation: Simulation,
    random: () => number,
    isAwaited: () => boolean,
    arrived: (bytes: Uint8Array | undefined) => void,
  ) {
    this.#simulation = simulation
    this.#random = random
    this.#isAwaited = isAwaited
    this.#arrived = arrived
  }

  send(bytes: Uint8Array): void {
    const { maxPieceBytes } = this.#simulation
    for (let at = 0; at < bytes.length && !this.isMute; ) {
      const size = maxPieceBytes === Number.POSITIVE_INFINITY ? bytes.length : 1 + this.#random() * (maxPieceBytes - 1)
      const end = Math.min(bytes.length, at + Math.floor(size))
      this.#push(bytes.subarray(at, end))
      at = end
    }
  }

  end(): void {
    if (!this.isMute) this.#push(undefined)
  }

  clear(): void {
    this.#parcels.clear()
    this.waiting = 0
  }

  resume(): void {
    this.#schedule()
  }

  #push(bytes: Uint8Array | undefined): void {
    const { latencyMs, jitterMs, clock } = this.#simulation
    const dueMs = clock.monotonic() + latencyMs + this.#random() * jitterMs
    this.#lastDueMs = Math.max(this.#lastDueMs, dueMs)
    this.#parcels.push({ bytes, dueMs: this.#lastDueMs })
    this.waiting += bytes?.length ?? 0
    this.#schedule()
  }

  #schedule(): void {
    const first = this.#parcels.peek()
    if (first === undefined || this.#isScheduled || this.isStalled || !this.#isAwaited()) return
    const { latencyMs, jitterMs, clock } = this.#simulation
    this.#isScheduled = true
    const deliver = (): void => this.#deliver()
    if (latencyMs + jitterMs === 0) clock.turn(deliver)
    else clock.after(Math.max(0, first.dueMs - clock.monotonic()), deliver, true)
  }

  #deliver(): void {
    this.#isScheduled = false
    const { clock } = this.#simulation
    for (let first = this.#parcels.peek(); first && !this.isStalled; first = this.#parcels.peek()) {
      if (first.dueMs > clock.monotonic()) break
      this.#parcels.shift()
      this.waiting -= first.bytes?.length ?? 0
      this.#arrived(first.bytes)
    }
    this.#schedule()
  }
}

class SimulatedPort implements Port {
  readonly transport: string
  readonly address = ''
  received = 0
  isCongested = false
  readonly way: Way
  readonly #simulation: Simulation
  #other: SimulatedPort | undefined
  #owner: PortOwner | undefined
  #decoder: Decoder | undefined
  /** What was sent in this turn. */
  #frames: Uint8Array[] = []
  #bytes = 0
  #isScheduled = false
  #isOver = false
  #reason: Error | undefined
  #closing: Cancel | undefined

  constructor(simulation: Simulation, random: () => number) {
    this.transport = simulation.transport
    this.#simulation = simulation
    const isAwaited = (): boolean => this.#other?.isAttached === true
    this.way = new Way(simulation, random, isAwaited, (bytes) => this.#arrivedThere(bytes))
  }

  get isPartial(): boolean {
    return this.#decoder?.isPartial === true
  }

  get isAttached(): boolean {
    return this.#owner !== undefined
  }

  get buffered(): number {
    return this.#bytes + this.way.waiting
  }

  join(other: SimulatedPort): void {
    this.#other = other
  }

  attach(owner: PortOwner): void {
    this.#owner = owner
    this.#decoder = new Decoder(0, owner)
    if (this.#isOver) this.#tellEnd()
    this.#other?.way.resume()
  }

  limit(maxFrameBytes: number): void {
    if (this.#decoder) this.#decoder.maxFrameBytes = maxFrameBytes
  }

  send(kind: number, flags: number, stream: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    const frame = allocate(headerBytes + end - start)
    writeHeader(frame, 0, kind, flags, stream, id, end - start)
    copy(frame, headerBytes, bytes, start, end)
    this.#gather(frame)
  }

  relay(bytes: Uint8Array, start: number, end: number): void {
    this.#gather(copyOf(bytes, start, end))
  }

  close(): void {
    if (this.#isOver || this.#closing) return
    this.#flush()
    this.way.end()
    this.#closing = this.#simulation.clock.after(closeWaitMs, () => this.destroy())
  }

  destroy(): void {
    if (this.#isOver) return
    this.way.end()
    this.finish(undefined)
  }

  /** The connection is over on this side. The owner is told in a turn of its own. */
  finish(error: Error | undefined): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#decoder?.stop()
    this.#closing?.()
    this.#frames = []
    this.#bytes = 0
    this.#reason = error
    if (this.#owner) this.#tellEnd()
  }

  #tellEnd(): void {
    this.#simulation.clock.turn(() => this.#owner?.ended(this.#reason, this))
  }

  #gather(frame: Uint8Array): void {
    if (this.#isOver || this.#closing) return
    this.#frames.push(frame)
    this.#bytes += frame.length
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#simulation.clock.turn(() => {
      this.#isScheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#bytes === 0) return
    this.way.send(join(this.#frames, this.#bytes))
    this.#frames = []
    this.#bytes = 0
    // Only when everything has arrived is it over, and the owner told.
    if (this.way.waiting >= this.#simulation.highWaterBytes) this.isCongested = true
  }

  #arrivedThere(bytes: Uint8Array | undefined): void {
    this.#other?.take(bytes)
    if (!this.isCongested || this.way.waiting > 0) return
    this.isCongested = false
    if (!this.#isOver) this.#owner?.drained()
  }

  take(bytes: Uint8Array | undefined): void {
    if (this.#isOver) return
    if (bytes === undefined) {
      this.#flush()
      this.way.end()
      this.finish(undefined)
      return
    }
    this.received += bytes.length
    try {
      this.#decoder?.push(bytes)
    } catch (error) {
      this.#decoder?.stop()
      this.#owner?.garbled(error as Error)
    }
  }
}

/** Makes a pair. Give one to `server.accept`, and the other to a link by a transport of its own. */
export function simulatedPorts(options: SimulationOptions = {}): SimulatedPorts {
  verify('simulatedPorts', options, simulationRules)
  const simulation = { ...simulationDefaults, ...defined(options), clock: wholeClock(options.clock ?? systemClock) }
  const random = randomOf(simulation.seed)
  const [near, far] = [new SimulatedPort(simulation, random), new SimulatedPort(simulation, random)]
  near.join(far)
  far.join(near)
  const other = { near: far, far: near }
  return {
    near,
    far,
    cut() {
      for (const port of [near, far]) {
        port.way.clear()
        port.finish(new Error('The simulated connection was cut.'))
      }
    },
    mute(side) {
      const { way } = side === 'near' ? near : far
      way.isMute = true
      way.clear()
    },
    stall(side, isStalled = true) {
      const { way } = other[side]
      way.isStalled = isStalled
      way.resume()
    },
  }
}

const simulationDefaults: Simulation = Object.freeze({
  latencyMs: 0,
  jitterMs: 0,
  maxPieceBytes: Number.POSITIVE_INFINITY,
  highWaterBytes: 256 * 1024,
  seed: 1,
  transport: 'simulated',
  clock: systemClock,
})

/** Mulberry32: the same numbers for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
