/**
 * Memory that a port keeps alive beside the bytes that wait in it: the rest of the buffers in which those lie.
 *
 * Floor 0, pure. A frame of 9 KB may lie in a slab of 256 KiB with others that went elsewhere long ago. Where much of that
 * has come together, what is to wait is copied. Of a buffer that is sent on piece by piece only the rest counts.
 */

const mostBytes = 512 * 1024

export class Baggage {
  readonly #maxBytes: number
  #bytes = 0
  /** What has not been sent of each buffer that something has been sent of. Made when there is one. */
  #rests: Map<ArrayBufferLike, number> | undefined

  constructor(maxBytes = mostBytes) {
    this.#maxBytes = maxBytes
  }

  /** Whether a piece of `length` bytes may wait as it lies in the buffer; else it is to be copied. */
  takes(buffer: ArrayBufferLike, length: number): boolean {
    const before = this.#rests?.get(buffer)
    const rest = Math.max(0, (before ?? buffer.byteLength) - length)
    const bytes = this.#bytes + rest - (before ?? 0)
    if (bytes > this.#maxBytes) return false
    this.#bytes = bytes
    this.#rests ??= new Map()
    this.#rests.set(buffer, rest)
    return true
  }

  /** Nothing waits any more. */
  clear(): void {
    this.#bytes = 0
    this.#rests = undefined
  }
}
