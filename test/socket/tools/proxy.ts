/**
 * A bad network between a link and its server: a TCP proxy that can cut, swallow, hold up and chop what passes.
 */
import { type AddressInfo, connect, createServer, type Server as NetServer, type Socket } from 'node:net'

interface Passage {
  readonly near: Socket
  readonly far: Socket
}

export class TcpProxy implements AsyncDisposable {
  /** Connections made through it so far. */
  accepted = 0
  /** Refuses everybody from now on: connections end as soon as they are made. */
  isRefusing = false
  /** Swallows what comes, both ways, without a word; new connections too are accepted and then ignored. */
  isHole = false
  /** Hands on what comes in pieces of so many bytes. */
  pieceBytes = Number.POSITIVE_INFINITY
  /** Called for every new connection, before anything passes. */
  onAccept: () => void = () => {}
  readonly #target: number
  readonly #server: NetServer
  readonly #passages = new Set<Passage>()

  constructor(target: number) {
    this.#target = target
    this.#server = createServer((near) => this.#accept(near))
  }

  /** A proxy to the server at `tcp://127.0.0.1:port`. */
  static async to(url: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(Number(new URL(url).port))
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get url(): string {
    return `tcp://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Connections open now. */
  get open(): number {
    return this.#passages.size
  }

  /** Cuts every connection, on both sides at once, as a reset does. */
  cut(): void {
    for (const { near, far } of this.#passages) {
      near.resetAndDestroy()
      far.resetAndDestroy()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
    })
  }

  #accept(near: Socket): void {
    this.accepted++
    near.on('error', () => {})
    if (this.isRefusing) {
      near.resetAndDestroy()
      return
    }
    this.onAccept()
    const far = connect(this.#target, '127.0.0.1').on('error', () => {})
    const passage = { near, far }
    this.#passages.add(passage)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.setNoDelay(true)
      from.on('data', (chunk: Buffer) => this.#pass(chunk, to))
      from.on('end', () => {
        if (!this.isHole) to.end()
      })
      from.on('close', () => {
        this.#passages.delete(passage)
        if (!this.isHole) to.destroy()
      })
    }
  }

  #pass(chunk: Buffer, to: Socket): void {
    if (this.isHole) return
    for (let at = 0; at < chunk.length; at += this.pieceBytes) {
      to.write(chunk.subarray(at, Math.min(chunk.length, at + this.pieceBytes)))
    }
  }
}
