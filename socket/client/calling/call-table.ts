/**
 * The requests of one Consumer that have no answer yet, by their id.
 *
 * Floor 4. Only the stream that a request was sent on may answer it: what comes for it from elsewhere, or for one that
 * was not sent yet, is nobody's.
 */
import { SmallMap } from '#base/small-map'
import type { Stream } from '../../stream/stream.ts'
import type { Call } from './calls.ts'

export class CallTable {
  /** Many Consumers only ever post. */
  #calls: SmallMap<number, Call> | undefined
  #lastId = 0

  get size(): number {
    return this.#calls === undefined ? 0 : this.#calls.size
  }

  /** An id for the next request: never 0, which stands for one way, and none that is in use. */
  nextId(): number {
    do {
      this.#lastId = (this.#lastId + 1) >>> 0 || 1
    } while (this.#calls?.has(this.#lastId))
    return this.#lastId
  }

  add(call: Call): void {
    this.#calls ??= new SmallMap()
    this.#calls.set(call.id, call)
  }

  remove(call: Call): void {
    this.#calls?.delete(call.id)
  }

  /** The request that may be answered on that stream under that id. */
  find(stream: Stream, id: number): Call | undefined {
    const call = this.#calls?.get(id)
    return call?.stream === stream ? call : undefined
  }

  /** Fails those that were sent on `stream`; without one, all. */
  fail(error: Error, stream?: Stream): void {
    for (const call of this.#calls?.values() ?? []) if (stream === undefined || call.stream === stream) call.fail(error)
  }
}
