/**
 * Which Provider gets the next message.
 *
 * Floor 3. There is a stream to each Provider of the channel. The one with the fewest requests unanswered is chosen, of
 * those that can take the message now; among equals they take turns.
 */
import type { Stream } from '../../stream/stream.ts'

export class Picker {
  #streams: Stream[] = []
  /** The stream that is first asked, so that equals take turns. */
  #turn = 0

  get streams(): readonly Stream[] {
    return this.#streams
  }

  /** Bytes that can be sent now, over all streams. */
  get credit(): number {
    let sum = 0
    for (const stream of this.#streams) if (stream.canBegin(0, true)) sum += stream.credit
    return sum
  }

  add(stream: Stream): void {
    // Made as one of one, for an array that is pushed to reserves room for sixteen more.
    if (this.#streams.length === 0) this.#streams = [stream]
    else this.#streams.push(stream)
  }

  remove(stream: Stream): void {
    const at = this.#streams.indexOf(stream)
    if (at >= 0) this.#streams.splice(at, 1)
  }

  clear(): void {
    this.#streams = []
  }

  /** The stream for a message of that size, or `undefined` while there is none that can take it. */
  choose(size: number, ordered: boolean): Stream | undefined {
    const streams = this.#streams
    if (streams.length === 1) return streams[0]?.canBegin(size, ordered) ? streams[0] : undefined
    const first = this.#turn
    let best: Stream | undefined
    for (let i = 0; i < streams.length; i++) {
      const at = (first + i) % streams.length
      const stream = streams[at] as Stream
      if (!stream.canBegin(size, ordered) || (best && stream.outstanding >= best.outstanding)) continue
      best = stream
      this.#turn = at + 1
    }
    return best
  }
}
