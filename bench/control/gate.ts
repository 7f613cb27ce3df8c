/** Forwards from one socket to others, and stops reading while one of them does not keep up. */
import type { Socket } from 'node:net'

export class Gate {
  readonly #source: Socket
  #waiting = 0

  constructor(source: Socket) {
    this.#source = source
  }

  forward(to: readonly Socket[], bytes: Buffer): void {
    for (const socket of to) if (!socket.write(bytes)) this.#wait(socket)
  }

  #wait(socket: Socket): void {
    if (this.#waiting++ === 0) this.#source.pause()
    socket.once('drain', () => {
      if (--this.#waiting === 0) this.#source.resume()
    })
  }
}
