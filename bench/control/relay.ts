/**
 * The control row to be near to: a relay that reads the header of every record, stamps it in place, and forwards runs
 * of records for the same sockets as slices of what it received. It copies nothing and keeps nothing.
 */
import type { Socket } from 'node:net'
import type { Adapter } from '../contract.ts'
import { Gate } from './gate.ts'
import { listen } from './raw-server.ts'
import { publisher, requester, responder, subscriber } from './raw-sides.ts'
import { allRoutes, headerBytes, payloadBytesAt, routeAt, stamp, subscribedTo, subscribing } from './record.ts'

const nobody: readonly Socket[] = []

/** Who gets which route. A list that is one socket is the same list everywhere, so that runs go on across routes. */
class Routes {
  readonly #lists = new Map<number, readonly Socket[]>()
  readonly #alone = new Map<Socket, readonly Socket[]>()

  find(route: number): readonly Socket[] {
    return this.#lists.get(route) ?? this.#lists.get(allRoutes) ?? nobody
  }

  add(route: number, socket: Socket): void {
    const list = this.#lists.get(route)
    const alone = this.#alone.get(socket) ?? [socket]
    this.#alone.set(socket, alone)
    this.#lists.set(route, list ? [...list, socket] : alone)
  }

  remove(socket: Socket): void {
    for (const [route, list] of this.#lists) {
      if (list.includes(socket))
        this.#lists.set(
          route,
          list.filter((other) => other !== socket),
        )
    }
    this.#alone.delete(socket)
  }
}

/** One connection, read. */
class Inlet {
  readonly #socket: Socket
  readonly #routes: Routes
  readonly #gate: Gate
  #sequence = 0
  #head: Buffer | undefined
  /** A record that straddles chunks: its pieces, and how many bytes are to come. */
  #pieces: Buffer[] = []
  #missing = 0
  #to: readonly Socket[] = nobody

  constructor(socket: Socket, routes: Routes) {
    this.#socket = socket
    this.#routes = routes
    this.#gate = new Gate(socket)
  }

  read(received: Buffer): void {
    const chunk = this.#head ? Buffer.concat([this.#head, received]) : received
    this.#head = undefined
    let at = this.#missing > 0 ? this.#goOn(chunk) : 0
    let runFrom = at
    let runTo = nobody
    while (chunk.length - at >= headerBytes) {
      const end = at + headerBytes + payloadBytesAt(chunk, at)
      const to = this.#open(chunk, at)
      if (to !== runTo) {
        this.#forward(runTo, chunk, runFrom, at)
        runFrom = at
        runTo = to
      }
      if (end > chunk.length) {
        this.#forward(runTo, chunk, runFrom, at)
        this.#begin(to, chunk.subarray(at), end - chunk.length)
        return
      }
      at = end
    }
    this.#forward(runTo, chunk, runFrom, at)
    if (at < chunk.length) this.#head = chunk.subarray(at)
  }

  /** Reads and stamps a header; says where its record goes. */
  #open(chunk: Buffer, at: number): readonly Socket[] {
    const route = routeAt(chunk, at)
    const subscribed = subscribedTo(route)
    if (subscribed === undefined) {
      stamp(chunk, at, this.#sequence++)
      return this.#routes.find(route)
    }
    this.#routes.add(subscribed, this.#socket)
    this.#socket.write(subscribing(subscribed))
    return nobody
  }

  #forward(to: readonly Socket[], chunk: Buffer, from: number, end: number): void {
    if (end > from && to !== nobody) this.#gate.forward(to, chunk.subarray(from, end))
  }

  #begin(to: readonly Socket[], piece: Buffer, missing: number): void {
    this.#to = to
    this.#pieces = [piece]
    this.#missing = missing
  }

  #goOn(chunk: Buffer): number {
    const end = Math.min(chunk.length, this.#missing)
    this.#pieces.push(chunk.subarray(0, end))
    this.#missing -= end
    if (this.#missing > 0) return end
    // Whole: only now, or the records of two publishers would get mixed up.
    for (const socket of this.#to) socket.cork()
    for (const piece of this.#pieces) this.#gate.forward(this.#to, piece)
    for (const socket of this.#to) process.nextTick(() => socket.uncork())
    this.#pieces = []
    return end
  }
}

async function start(): Promise<string> {
  const routes = new Routes()
  return await listen((socket) => {
    const inlet = new Inlet(socket, routes)
    socket.on('data', (chunk: Buffer) => inlet.read(chunk))
    socket.on('close', () => routes.remove(socket))
  })
}

export const relay: Adapter = {
  name: 'relay',
  packages: [],
  hasPatterns: true,
  hasRoutes: true,
  styles: ['callback'],
  server: { kind: 'node', start },
  publisher,
  subscriber,
  requester,
  responder,
}
