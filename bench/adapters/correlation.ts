/** Requests over plain publish and subscribe: an answer finds its request by the sequence that both begin with. */
import { read32, sequenceAt } from '../payload.ts'

export const requestTopic = 'bench/request'
export const replyTopic = 'bench/reply'

export class Correlation {
  readonly #waiting = new Map<number, (reply: Uint8Array) => void>()

  /** Call before the request is sent. */
  reply(payload: Uint8Array): Promise<Uint8Array> {
    const id = read32(payload, sequenceAt)
    return new Promise((resolve) => this.#waiting.set(id, resolve))
  }

  take(reply: Uint8Array): void {
    const id = read32(reply, sequenceAt)
    this.#waiting.get(id)?.(reply)
    this.#waiting.delete(id)
  }
}
