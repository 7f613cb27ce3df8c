/**
 * The one error class, and the table of every code the socket layer can give.
 *
 * Floor 0. A code is matched by `err.code`, never by text. On the wire a code is its number: 1xxx says "connect
 * again", 2xxx says "do not, the same would happen", 3xxx concerns one request or channel and leaves the link alone.
 * `docs/errors.md` is kept in step with this table by a test.
 */

export interface ErrorEntry {
  /** The number on the wire. */
  readonly number: number
  /** Whether the same call may succeed when it is made again. */
  readonly retryable: boolean
  /** One sentence: what happened. */
  readonly meaning: string
  /** One sentence: what to do. */
  readonly advice: string
}

export const socketErrors = {
  LINK_LOST: {
    number: 1001,
    retryable: true,
    meaning: 'The connection was lost while the request was in flight; the other side may or may not have seen it.',
    advice: 'Send it again if it may run twice; the link reconnects by itself.',
  },
  CONNECT_FAILED: {
    number: 1002,
    retryable: true,
    meaning: 'No connection could be made.',
    advice: 'Check the address and that a server listens there.',
  },
  LISTEN_FAILED: {
    number: 1010,
    retryable: true,
    meaning: 'The server could not listen on the address.',
    advice: 'Choose a free port (port 0 picks one) or an address of this machine.',
  },
  HANDSHAKE_TIMEOUT: {
    number: 1003,
    retryable: true,
    meaning: 'The peer connected but did not finish the handshake in time.',
    advice: 'Check that both sides speak Signalbox; raise handshakeTimeoutMs on a very slow network.',
  },
  HEARTBEAT_LOST: {
    number: 1004,
    retryable: true,
    meaning: 'Nothing was received for twice the heartbeat interval.',
    advice: 'The link reconnects by itself; raise heartbeatMs if a peer is known to pause for longer.',
  },
  FRAME_TIMEOUT: {
    number: 1005,
    retryable: true,
    meaning: 'A frame was begun and not finished in time.',
    advice: 'The peer or the network is too slow for this link; send smaller frames or raise heartbeatMs.',
  },
  SLOW_LINK: {
    number: 1006,
    retryable: true,
    meaning: 'A peer did not read, and what was waiting for it passed maxLinkBufferBytes.',
    advice: 'Make the peer read faster, use fewer streams on one link, or raise maxLinkBufferBytes.',
  },
  SERVER_CLOSING: {
    number: 1007,
    retryable: true,
    meaning: 'The server is closing.',
    advice: 'Connect again; another server may have taken its place.',
  },
  REPLACED: {
    number: 1008,
    retryable: true,
    meaning: 'The same link has connected again, so the server ended its older connection.',
    advice: 'Nothing: the newer connection carries on.',
  },
  TOO_MANY_LINKS: {
    number: 1009,
    retryable: true,
    meaning: 'The server has as many links as maxLinks allows.',
    advice: 'Close links that are not used, or raise maxLinks.',
  },
  AUTH_UNAVAILABLE: {
    number: 1012,
    retryable: true,
    meaning: 'The server could not find out who this link is, or what it may do.',
    advice: 'Try again: what the server asks for that, such as a database, may be back.',
  },
  BAD_FRAME: {
    number: 2001,
    retryable: false,
    meaning: 'The bytes received are not a frame of this protocol.',
    advice: 'Check that the address is a Signalbox server and nothing on the way changes the bytes.',
  },
  FRAME_TOO_LARGE: {
    number: 2002,
    retryable: false,
    meaning: 'A frame header announced more than 64 KiB, or more than a handshake takes.',
    advice: 'Check that the peer speaks Signalbox and nothing on the way changes the bytes.',
  },
  VERSION_MISMATCH: {
    number: 2003,
    retryable: false,
    meaning: 'The peer speaks another version of the protocol.',
    advice: 'Install the same version of signalbox on both sides.',
  },
  UNAUTHENTICATED: {
    number: 2004,
    retryable: false,
    meaning: 'The server did not accept the credentials of this link.',
    advice: 'Check the auth option.',
  },
  FLOW_VIOLATION: {
    number: 2005,
    retryable: false,
    meaning: 'The peer sent more than it had credit for.',
    advice: 'This is a fault in the peer; update it.',
  },
  FEATURE_MISSING: {
    number: 2006,
    retryable: false,
    meaning: 'One side needs a feature of the protocol that the other does not have.',
    advice: 'Install the same version of signalbox on both sides; `details` names the feature.',
  },
  CHANNEL_CONFLICT: {
    number: 3001,
    retryable: true,
    meaning: 'The channel has a Provider already, and one of the two is exclusive.',
    advice: "Close the other Provider, or open both with mode: 'shared'.",
  },
  NO_PROVIDER: {
    number: 3002,
    retryable: true,
    meaning: 'No Provider was on the channel.',
    advice: 'Start the Provider, or leave waitForProvider on to wait for it until the timeout.',
  },
  PROVIDER_CLOSED: {
    number: 3003,
    retryable: true,
    meaning: 'The Provider closed before it answered.',
    advice: 'Send it again; another Provider may have taken its place.',
  },
  TIMEOUT: {
    number: 3004,
    retryable: true,
    meaning: 'No answer came within timeoutMs.',
    advice: 'Raise timeoutMs, or look at why the other side is slow.',
  },
  ABORTED: {
    number: 3005,
    retryable: false,
    meaning: 'The AbortSignal of the call was aborted.',
    advice: 'Nothing: the caller asked for it. `cause` is the reason of the signal.',
  },
  CLOSED: {
    number: 3006,
    retryable: false,
    meaning: 'It was closed, by this program.',
    advice: 'Open a new one.',
  },
  BUFFER_FULL: {
    number: 3007,
    retryable: true,
    meaning: 'More than maxBufferedBytes is waiting for credit.',
    advice: 'Await each call, so that the sender goes no faster than the receiver, or raise maxBufferedBytes.',
  },
  MESSAGE_TOO_LARGE: {
    number: 3008,
    retryable: false,
    meaning: 'The payload is larger than maxMessageBytes.',
    advice: 'Split it, or raise maxMessageBytes on every side.',
  },
  REMOTE: {
    number: 3009,
    retryable: false,
    meaning: 'The handler on the other side threw.',
    advice: 'Read the message: it is the one that the handler threw.',
  },
  FORBIDDEN: {
    number: 3010,
    retryable: false,
    meaning: 'The server does not allow this link to open that channel in that role.',
    advice: 'Check the identity of the link and what the server authorises.',
  },
  TOO_MANY_CHANNELS: {
    number: 3011,
    retryable: false,
    meaning: 'The link has as many channel ends or streams as the server allows it.',
    advice: 'Close those not used, use another link, or raise maxEndsPerLink or maxStreamsPerLink.',
  },
  TOO_MANY_REQUESTS: {
    number: 3012,
    retryable: true,
    meaning: 'More than maxOutstanding requests are unanswered.',
    advice: 'Await some before sending more.',
  },
  MEMORY_FULL: {
    number: 3014,
    retryable: true,
    meaning: 'The program holds as much for others as maxMemoryBytes allows.',
    advice: 'Send it again later, make whoever does not read read faster, or raise maxMemoryBytes.',
  },
  INVALID_OPTION: {
    number: 3013,
    retryable: false,
    meaning: 'An option or argument has the wrong type or is out of its range.',
    advice: 'The message says what was given and what was expected.',
  },
} as const satisfies Record<string, ErrorEntry>

export type SocketErrorCode = keyof typeof socketErrors

export interface ErrorExtras {
  readonly cause?: unknown
  /** The number on the wire. Default that of REMOTE. */
  readonly number?: number
  /** The numbers that explain the error, such as `{ limit, actual }`. */
  readonly details?: Readonly<Record<string, unknown>> | undefined
  /** Overrides what the table says, for a code that a remote handler made up. */
  readonly retryable?: boolean | undefined
}

/** What every failure of Signalbox is. Match `code`; `message` is for people. */
export class SignalboxError extends Error {
  override readonly name: string = 'SignalboxError'
  /** One of the tables' codes, or one that a handler made up. */
  readonly code: SocketErrorCode | (string & {})
  /** The code as it crosses the wire; codes that a handler made up share that of REMOTE. */
  readonly number: number
  readonly retryable: boolean
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: string, message: string, extras: ErrorExtras = {}) {
    super(message, extras.cause === undefined ? undefined : { cause: extras.cause })
    this.code = code
    this.number = extras.number ?? socketErrors.REMOTE.number
    this.retryable = extras.retryable ?? false
    this.details = extras.details ?? {}
  }
}

/** Makes an error of the table. `what` says what happened here; the table's advice is appended. */
export function socketError(code: SocketErrorCode, what?: string, extras?: ErrorExtras): SignalboxError {
  return errorOf(code, socketErrors[code], what, extras)
}

/** The same for an entry of any table. */
export function errorOf(code: string, entry: ErrorEntry, what?: string, extras?: ErrorExtras): SignalboxError {
  const { number, retryable, meaning, advice } = entry
  return new SignalboxError(code, `${what ?? meaning} ${advice}`, { number, retryable, ...extras })
}

/** Whether a connection that ended with this error should be made again or not (2xxx and 3xxx). */
export function isTerminal(error: unknown): boolean {
  return error instanceof SignalboxError && error.number >= 2000
}
