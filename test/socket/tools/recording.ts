/** A port's owner that writes down all it is told. */

import type { PortOwner } from '../../../socket/transport/port.ts'
import type { NaiveFrame } from '../wire/naive-frame.ts'

export class Recording implements PortOwner {
  readonly frames: NaiveFrame[] = []
  readonly garbage: Error[] = []
  readonly ends: (Error | undefined)[] = []
  drains = 0
  /** Called with every frame, before it is written down. */
  onFrame: (frame: NaiveFrame) => void = () => {}

  frame(kind: number, flags: number, stream: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    const frame = { kind, flags, stream, id, payload: Buffer.from(bytes.subarray(start, end)) }
    this.onFrame(frame)
    this.frames.push(frame)
  }

  drained(): void {
    this.drains++
  }

  garbled(error: Error): void {
    this.garbage.push(error)
  }

  ended(error: Error | undefined): void {
    this.ends.push(error)
  }
}
