/** A way round to a server that cuts, refuses and freezes connections: the network at its worst, on purpose. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

interface Pair {
  readonly near: Socket
  readonly far: Socket
}

export class Detour implements AsyncDisposable {
  readonly #server: Server
  readonly #target: URL
  readonly #pairs = new Set<Pair>()
  /** Connections that were made. */
  connections = 0
  /** Cuts the next connection after this many bytes from the client. */
  cutAfter = Number.POSITIVE_INFINITY
  #isClosed = false
  #isFrozen = false

  constructor(server: Server, target: string) {
    this.#server = server
    this.#target = new URL(target)
    server.on('connection', (near) => this.#relay(near))
  }

  static async to(target: string): Promise<Detour> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Detour(server, target)
  }

  get url(): string {
    return `tcp://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Cuts every connection. */
  cut(): void {
    for (const { near, far } of this.#pairs) {
      near.destroy()
      far.destroy()
    }
  }

  /** Cuts every connection and lets nobody through until `open`. */
  close(): void {
    this.#isClosed = true
    this.cut()
  }

  open(): void {
    this.#isClosed = false
  }

  /** Lets no byte through any more, without a word to either side, until it is cut. */
  freeze(): void {
    this.#isFrozen = true
    for (const { near, far } of this.#pairs) {
      near.pause()
      far.pause()
    }
  }

  thaw(): void {
    this.#isFrozen = false
    for (const { near, far } of this.#pairs) {
      near.resume()
      far.resume()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #relay(near: Socket): void {
    near.on('error', () => {})
    if (this.#isClosed) {
      near.destroy()
      return
    }
    this.connections++
    const far = connect(Number(this.#target.port), this.#target.hostname)
    const pair = { near, far }
    let left = this.cutAfter
    this.cutAfter = Number.POSITIVE_INFINITY
    this.#pairs.add(pair)
    const end = (): void => {
      this.#pairs.delete(pair)
      near.destroy()
      far.destroy()
    }
    for (const socket of [near, far]) socket.setNoDelay(true).on('error', end).on('close', end)
    near.on('data', (chunk) => {
      far.write(chunk.subarray(0, left))
      left -= chunk.length
      if (left <= 0) far.end(end)
    })
    far.on('data', (chunk) => near.write(chunk))
    if (this.#isFrozen) this.freeze()
  }
}
