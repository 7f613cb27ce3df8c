/**
 * The contract of a transport: one connection that carries frames, and how it is made. A suite in test/ runs on every
 * implementation.
 *
 * Floor 0. What is sent goes out in order and together, at the end of the turn of the event loop or earlier when much
 * has gathered; `send` and `relay` never fail and never block. Whoever sends watches `isCongested` and `buffered`.
 * Bytes handed over belong to the port until they are out, unless they are lent; bytes received belong to the owner.
 */
import type { Cancel, Clock } from '#base/clock'

/** Takes frames one by one. `bytes[start, end)` is the payload. */
export interface FrameSink {
  /**
   * `framed` tells that the sixteen bytes before `start` are this frame's header, in the same array, so that the
   * frame can be sent on as it lies there. Payload bytes belong to the receiver: nobody writes to them afterwards.
   */
  frame(
    kind: number,
    flags: number,
    stream: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    framed: boolean,
  ): void
}

export interface PortOwner extends FrameSink {
  /** The port was congested and is not any more. */
  drained(): void
  /** What was received is no frame; nothing more will be handed over. The owner may say why, and must close. */
  garbled(error: Error): void
  /** The connection over this port is over; called once. Without an error the peer closed it in good order. */
  ended(error: Error | undefined, port: Port): void
}

export interface Port {
  /** 'tcp', 'tls', 'unix', 'local' or a name of one's own, of which the first 20 characters are told. */
  readonly transport: string
  /** The peer's address, '' where it has none. */
  readonly address: string
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
  /** Bytes that are lent are copied before it returns; nobody writes to others any more. */
  send(
    kind: number,
    flags: number,
    stream: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    isLent?: boolean,
  ): void
  /** Sends a frame that lies in `bytes[start, end)` with its header, as it is. */
  relay(bytes: Uint8Array, start: number, end: number): void
  /** Sends what is left and ends the connection; a peer that takes nothing for a second is cut. */
  close(): void
  /** Ends the connection now. */
  destroy(): void
}

/** What dialling takes of a link's settings. */
export interface DialSettings {
  readonly clock: Clock
  /** Milliseconds until it is given up. */
  readonly connectTimeoutMs: number
  /** For transports that are secured by TLS. */
  readonly tls?: Readonly<Record<string, unknown>> | undefined
}

/**
 * Makes a connection to the server at an address; a secured one is secured when it resolves. Rejects with
 * CONNECT_FAILED, also when it takes too long or the signal is aborted, or with INVALID_OPTION when the text is no
 * address of its kind.
 */
export type Dial = (url: string, settings: DialSettings, signal: AbortSignal) => Promise<Port>

/** Where to listen. Default: TCP on 127.0.0.1, a free port. */
export interface ListenAddress {
  /** TCP port; 0 picks a free one. */
  readonly port?: number
  /** Interface to bind. Default '127.0.0.1', this machine only; '0.0.0.0' is everybody. */
  readonly host?: string
  /** Path of a unix socket, instead of a port. */
  readonly path?: string
  /** The address as text, instead of the three above: `tcp://0.0.0.0:9090`, or one for a transport of `transports`. */
  readonly url?: string
  /** With it the port speaks TLS. */
  readonly tls?: Readonly<Record<string, unknown>>
}

/** What listening takes of a server. */
export interface ListenSettings {
  readonly clock: Clock
  /** For a handshake that comes before the one the server can see, such as that of TLS. */
  readonly handshakeTimeoutMs: number
  /**
   * A place among `maxHandshakes` for one of those: what gives it back; nothing when all are taken by those who have
   * spoken. `cut` is called when its place is needed for a newer one: it ends the connection.
   */
  reserve(cut: () => void): Cancel | undefined
}

export interface Listener {
  /** The address to dial, with the port that was picked. */
  readonly url: string
  /** Stops accepting; connections go on. */
  close(): Promise<void>
}

/** Listens, and calls `accept` with a port for every connection. Rejects with LISTEN_FAILED, or INVALID_OPTION. */
export type Listen = (where: ListenAddress, settings: ListenSettings, accept: (port: Port) => void) => Promise<Listener>
