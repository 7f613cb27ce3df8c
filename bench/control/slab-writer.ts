/** Packs records side by side into slabs and writes a slab when it is full, or when told. */
import type { Socket } from 'node:net'
import { headerBytes, writeHeader } from './record.ts'

const slabBytes = 64 * 1024
/** Payloads of more than that are written as they are. */
const copiedBytes = slabBytes / 2

export class SlabWriter {
  readonly #socket: Socket
  #slab = Buffer.allocUnsafeSlow(slabBytes)
  /** What is written already, and what is packed. */
  #from = 0
  #to = 0
  #isScheduled = false
  #mayGoOn = true

  constructor(socket: Socket) {
    this.#socket = socket
  }

  /** False when the socket has enough: wait for `drained`. */
  append(route: number, payload: Uint8Array): boolean {
    const bytes = payload.length > copiedBytes ? headerBytes : headerBytes + payload.length
    if (this.#to + bytes > slabBytes) {
      this.flush()
      this.#slab = Buffer.allocUnsafeSlow(slabBytes)
      this.#from = 0
      this.#to = 0
    }
    writeHeader(this.#slab, this.#to, payload.length, route)
    if (bytes > headerBytes) this.#slab.set(payload, this.#to + headerBytes)
    this.#to += bytes
    if (bytes === headerBytes) {
      this.#socket.cork()
      this.flush()
      this.#mayGoOn = this.#socket.write(payload)
      this.#socket.uncork()
    }
    return this.#mayGoOn
  }

  flush(): void {
    if (this.#to === this.#from) return
    this.#mayGoOn = this.#socket.write(this.#slab.subarray(this.#from, this.#to))
    this.#from = this.#to
  }

  /** At the end of this turn of the event loop. */
  flushSoon(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.flush()
    })
  }

  async drained(): Promise<void> {
    if (this.#socket.writableNeedDrain) await new Promise((resolve) => this.#socket.once('drain', resolve))
    this.#mayGoOn = true
  }
}
