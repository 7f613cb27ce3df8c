/** Cuts what a socket receives into records. Whole ones are views of the chunk; one that straddles chunks is copied. */
import { headerBytes, payloadBytesAt, routeAt } from './record.ts'

export class RecordReader {
  readonly #take: (payload: Uint8Array, route: number) => void
  /** Of a record whose header is not complete. */
  #head: Buffer = Buffer.alloc(0)
  /** A record being put together, and how much of it is there. */
  #whole: Buffer | undefined
  #filled = 0

  constructor(take: (payload: Uint8Array, route: number) => void) {
    this.#take = take
  }

  read(received: Buffer): void {
    const chunk = this.#head.length > 0 ? Buffer.concat([this.#head, received]) : received
    this.#head = this.#head.subarray(0, 0)
    let at = this.#whole ? this.#fill(this.#whole, chunk, 0) : 0
    while (chunk.length - at >= headerBytes) {
      const end = at + headerBytes + payloadBytesAt(chunk, at)
      if (end > chunk.length) {
        this.#whole = Buffer.allocUnsafe(end - at)
        this.#filled = 0
        at = this.#fill(this.#whole, chunk, at)
        return
      }
      this.#take(chunk.subarray(at + headerBytes, end), routeAt(chunk, at))
      at = end
    }
    if (at < chunk.length) this.#head = chunk.subarray(at)
  }

  #fill(whole: Buffer, chunk: Buffer, at: number): number {
    const taken = chunk.copy(whole, this.#filled, at)
    this.#filled += taken
    if (this.#filled === whole.length) {
      this.#whole = undefined
      this.#take(whole.subarray(headerBytes), routeAt(whole, 0))
    }
    return at + taken
  }
}
