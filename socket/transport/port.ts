/**
 * The contract of a transport: one connection that carries frames. A suite in test/ runs on every implementation.
 *
 * Floor 1. What is sent goes out in order and together, at the end of the turn of the event loop or earlier when much
 * has gathered; `send` and `relay` never fail and never block. Whoever sends watches `isCongested` and `buffered`.
 * Bytes handed over belong to the port until they are out; bytes received belong to the owner.
 */
import type { FrameSink } from '../wire/frame.ts'

export interface PortOwner extends FrameSink {
  /** The port was congested and is not any more. */
  drained(): void
  /** What was received is no frame; nothing more will be handed over. The owner may say why, and must close. */
  garbled(error: Error): void
  /** The connection over this port is over; called once. Without an error the peer closed it in good order. */
  ended(error: Error | undefined, port: Port): void
}

export interface Port {
  /** 'tcp', 'tls', 'unix' or 'local'. */
  readonly transport: string
  /** The peer's address, '' where it has none. */
  readonly address: string
  /** Payloads up to so many bytes are copied by `send`; longer ones it keeps as they are until they are out. */
  readonly copies: number
  /** Bytes received so far; liveness is judged by it. */
  readonly received: number
  /** Whether a frame has begun to arrive and is not complete. */
  readonly isPartial: boolean
  /** Bytes that were sent and that the operating system has not taken yet. */
  readonly buffered: number
  /** Whether the peer reads more slowly than this side sends. */
  readonly isCongested: boolean

  /** Begins to hand frames to the owner. */
  attach(owner: PortOwner): void
  /** Sets the largest frame payload that is taken. */
  limit(maxFrameBytes: number): void
  send(kind: number, flags: number, stream: number, id: number, bytes: Uint8Array, start: number, end: number): void
  /** Sends a frame that lies in `bytes[start, end)` with its header, as it is. */
  relay(bytes: Uint8Array, start: number, end: number): void
  /** Sends what is left and ends the connection; a peer that does not take it is cut after a second. */
  close(): void
  /** Ends the connection now. */
  destroy(): void
}
