/**
 * What the switchboard joins: links, the channel ends on them, and the streams between two ends.
 *
 * Floor 3. Plain data, and what a link can be told.
 */
import type { SocketErrorCode } from '#base/errors'
import type { SmallMap } from '#base/small-map'
import type { Port } from '../transport/port.ts'
import type { Open } from '../wire/control-frames.ts'
import type { LinkInfo } from '../wire/peer.ts'
import type { Waiting } from './waiting.ts'

/** A link as the switchboard sees it. */
export interface Line {
  readonly port: Port
  readonly info: LinkInfo
  /** No limits apply to it, and it is told where others are. */
  readonly isTrusted: boolean
  readonly maxStreams: number
  /** Channel ends by the number that the client gave them. */
  readonly ends: SmallMap<number, SwitchEnd>
  /** Streams by their number on this link. */
  readonly sides: SmallMap<number, Side>
  /** What others are told of it, and what those are told who are trusted, once somebody has been. */
  introduction: Uint8Array | undefined
  fullIntroduction: Uint8Array | undefined
  /** What waits for it, while it is congested. */
  waiting: Waiting | undefined
  /** A number that no stream of this link has. */
  nextStream(): number
  /** Sends a frame of the server's own. It counts as sent by `source`, if that is who makes it necessary. */
  tell(kind: number, stream: number, id: number, payload: Uint8Array, source?: Line): void
  /** The server has taken an end off its channel. */
  evicted(end: SwitchEnd, code: SocketErrorCode): void
  /** More waits for it than there may be; it is to be cut. */
  overflowed(limit: number, actual: number): void
}

/** One side of a stream. */
export interface Side {
  readonly line: Line
  readonly number: number
  readonly end: SwitchEnd
  other: Side
  /** Its place among the sides of its end. */
  at: number
  /** Whether both links have been told of the stream: until then nothing passes. */
  isTold: boolean
}

export interface SwitchEnd {
  readonly line: Line
  readonly number: number
  readonly open: Open
  /** Its place among the ends of its kind on the channel. */
  at: number
  /** Of its streams, also when it has been shut. */
  sides: Side[]
}
