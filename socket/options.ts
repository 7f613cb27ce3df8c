/**
 * Every option of the socket layer: its meaning, unit, default and bounds.
 *
 * Floor 1. A unit ends the name. Defaults are frozen; `verify` refuses what is unknown or out of range.
 */
import { type Clock, systemClock } from '#base/clock'
import { defaultMemoryBytes, MemoryBudget } from '#base/memory-budget'
import { isClock, type OwnClock, wholeClock } from '#base/own-clock'
import {
  defined,
  invalid,
  isAnything,
  isBoolean,
  isFunction,
  isInteger,
  isNumber,
  isObject,
  isOneOf,
  isSignal,
  isText,
  type Rules,
  verify,
} from '#base/verify'
import type { Dial, Listen, ListenAddress } from './transport/port.ts'
import { maxFrameBytes } from './wire/frame.ts'
import type { Applicant, Identity, LinkInfo, Role } from './wire/peer.ts'

/** TLS settings, passed to `node:tls` as they are: `key`, `cert`, `ca`, `requestCert`, `servername` ... */
export type TlsOptions = Readonly<Record<string, unknown>>

/**
 * How a link comes back after it was lost: the wait before try n is random, below `min(maxMs, minMs * 2 ** n)`. The count
 * begins again once a connection has lasted for `maxMs`. A channel end that is refused when it is opened again, for a
 * reason that may pass, waits in the same way.
 */
export interface ReconnectOptions {
  /** Milliseconds; the ceiling of the first wait. Default 100. */
  readonly minMs?: number
  /** Milliseconds; the ceiling of any wait. Default 5 000. */
  readonly maxMs?: number
  /** Tries in a row before the link gives up and closes. Default `Infinity`. */
  readonly maxAttempts?: number
}

export interface LinkOptions {
  /** What this program is called, for people and logs. Default ''. */
  readonly name?: string
  /** Credentials for the server's `authenticate` hook; anything JSON can carry. Default none. */
  readonly auth?: unknown
  /** TLS settings, for a `tls://` address; with a `tcp://` one they are refused (INVALID_OPTION). */
  readonly tls?: TlsOptions
  /** Milliseconds for one try to connect, handshake included. Default 5 000. */
  readonly connectTimeoutMs?: number
  /** Milliseconds; a peer silent for twice as long counts as gone. Default 15 000; `Infinity` turns it off. */
  readonly heartbeatMs?: number
  /** How to come back after a loss; `false` closes the link instead. */
  readonly reconnect?: ReconnectOptions | false
  /** Transports of your own by scheme, before those that the program has: `{ sim: dial }` takes `sim:anything`. */
  readonly transports?: Readonly<Record<string, Dial>>
  /** Largest payload taken or sent. Default 16 MiB. */
  readonly maxMessageBytes?: number
  /** What one busy stream may have unread here, in bytes. A stream begins with 64 KiB. Default 4 MiB. */
  readonly windowBytes?: number
  /** What all streams of the link may grow by beyond their first 64 KiB, in bytes. Default 64 MiB. */
  readonly growthBytes?: number
  /** Bytes that may wait in one Consumer or answer queue for credit before BUFFER_FULL. Default 16 MiB. */
  readonly maxBufferedBytes?: number
  /** Requests one Consumer may have unanswered. Default 65 536. */
  readonly maxOutstanding?: number
  /** Bytes that the link may hold for others, all of it together. Default a quarter of what the heap may grow to. */
  readonly maxMemoryBytes?: number
  /** Closes the link when aborted; also ends the first connecting. */
  readonly signal?: AbortSignal
  /** Told when the connection is made, lost, tried again, or given up. It must not throw. */
  readonly observe?: (event: LinkEvent) => void
  /** Time, turns and randomness. Default the system's. */
  readonly clock?: OwnClock
}

/** Told of what happens to a link. */
export interface LinkEvent {
  readonly type: 'connected' | 'disconnected' | 'reconnecting' | 'closed'
  /** What broke the connection, or ended the link. */
  readonly error?: Error
  /** For 'reconnecting': which try in a row this is, from 1. */
  readonly attempt?: number
  /** For 'reconnecting': milliseconds until it is made. */
  readonly delayMs?: number
}

type Optional = 'auth' | 'tls' | 'reconnect' | 'transports' | 'maxMemoryBytes' | 'signal' | 'observe'
type LinkDefaults = Required<Omit<LinkOptions, Optional | 'clock'>> & Pick<LinkOptions, Optional> & GoesBy

/** A clock that has everything, whatever was given. */
interface GoesBy {
  readonly clock: Clock
}

/** What a link goes by: its options and the defaults. */
export interface LinkSettings extends LinkDefaults {
  /** Where it counts what it holds for others. */
  readonly memory: MemoryBudget
}

export const linkDefaults: LinkDefaults = Object.freeze({
  name: '',
  connectTimeoutMs: 5_000,
  heartbeatMs: 15_000,
  maxMessageBytes: 16 * 1024 * 1024,
  windowBytes: 4 * 1024 * 1024,
  growthBytes: 64 * 1024 * 1024,
  maxBufferedBytes: 16 * 1024 * 1024,
  maxOutstanding: 65_536,
  clock: systemClock,
})

const reconnectDefaults = Object.freeze({ minMs: 100, maxMs: 5_000, maxAttempts: Number.POSITIVE_INFINITY })

/** How a link waits between two tries. */
export function reconnectWaits({ reconnect }: LinkSettings): Required<ReconnectOptions> {
  return { ...reconnectDefaults, ...defined(reconnect || {}) }
}

/** The first window of every stream, in bytes. Fixed, so that a thousand idle streams cost next to nothing. */
export const initialWindowBytes = 64 * 1024

const maxBytes = 1024 * 1024 * 1024

/** The rules of `LinkOptions`, for layers above that take the same options and more. */
export const linkRules: Rules = {
  name: isText(200),
  auth: isAnything,
  tls: isObject,
  connectTimeoutMs: isNumber(1),
  heartbeatMs: isNumber(10),
  reconnect: { expected: 'false or an object', test: (value) => value === false || isObject.test(value) },
  maxMessageBytes: isInteger(1, maxBytes),
  windowBytes: isInteger(initialWindowBytes, maxBytes),
  growthBytes: isInteger(0),
  maxBufferedBytes: isInteger(0),
  maxOutstanding: isInteger(1, 2 ** 30),
  maxMemoryBytes: isInteger(1),
  transports: {
    expected: 'an object of functions',
    test: (value) => isObject.test(value) && Object.values(value as object).every(isFunction.test),
  },
  signal: isSignal,
  observe: isFunction,
  clock: isClock,
}

const isTexts = {
  expected: 'an object of texts',
  test: (value: unknown) =>
    isObject.test(value) && Object.values(value as object).every((each) => typeof each === 'string'),
}

const reconnectRules: Rules = { minMs: isNumber(1), maxMs: isNumber(1), maxAttempts: isNumber(1) }

/** Throws INVALID_OPTION. `memory`: what the link counts in, if not in a budget of its own. */
export function linkSettings(given: LinkOptions, memory?: MemoryBudget): LinkSettings {
  verify('link options', given, linkRules)
  if (given.reconnect) verify('reconnect', given.reconnect, reconnectRules)
  const maxMemoryBytes = given.maxMemoryBytes ?? defaultMemoryBytes()
  return {
    ...linkDefaults,
    ...defined(given),
    clock: wholeClock(given.clock ?? systemClock),
    memory: memory?.child(maxMemoryBytes) ?? new MemoryBudget(maxMemoryBytes),
  }
}

export interface ServerOptions extends ListenAddress {
  /** Several addresses at once, instead of one beside it; `false` listens nowhere: see `link` and `accept`. */
  readonly listen?: readonly ListenAddress[] | false
  /** How to listen by scheme, for `url`s that are not tcp, tls or unix: `{ ws: listen }`. */
  readonly transports?: Readonly<Record<string, Listen>>
  /** Milliseconds; a peer silent for twice as long counts as gone. Default 15 000; `Infinity` turns it off. */
  readonly heartbeatMs?: number
  /** Milliseconds a new connection has to finish its handshake. Default 5 000. */
  readonly handshakeTimeoutMs?: number
  /** Milliseconds that `close()` leaves streams to finish. Default 1 000. */
  readonly graceMs?: number
  /** Links at once. Default 100 000. Trusted links are not limited. */
  readonly maxLinks?: number
  /** Connections that have not finished their handshake, those of TLS included. Default 10 000. Trusted ones always may. */
  readonly maxHandshakes?: number
  /** Channel ends that one link may hold open. Default 65 536. Trusted links are not limited. */
  readonly maxEndsPerLink?: number
  /** Streams that one link may carry. Default 65 536. Trusted links are not limited. */
  readonly maxStreamsPerLink?: number
  /**
   * Bytes that may wait for one link that does not read, before it is cut (SLOW_LINK). From half of it on, or
   * of `maxMemoryBytes` where three quarters of that are taken, whoever sends it the most has his streams to it reset.
   * Default 256 MiB.
   */
  readonly maxLinkBufferBytes?: number
  /** Bytes that the server and its in-process links may hold for others, all together. Default a quarter of the heap. */
  readonly maxMemoryBytes?: number
  /**
   * Decides who a link is; throw to refuse it (UNAUTHENTICATED). An error that has `retryable: true` says that this
   * cannot be found out now (AUTH_UNAVAILABLE). Default: everybody is anonymous.
   */
  readonly authenticate?: (link: Applicant) => Identity | Promise<Identity>
  /**
   * Decides whether a link may open a channel in a role; false refuses (FORBIDDEN). A throw says that this cannot be
   * found out now (AUTH_UNAVAILABLE). Default: everybody may.
   */
  readonly authorise?: (link: LinkInfo, role: Role, channelId: string) => boolean | Promise<boolean>
  /** Told of every link and channel end that opens, closes or is refused. It must not throw. */
  readonly observe?: (event: ServerEvent) => void
  /** Time, turns and randomness. Default the system's. */
  readonly clock?: OwnClock
}

/** A connection that is given to a server, or a link of its own program. */
export interface AcceptOptions {
  /** Who it is. `authenticate` is not asked then; `authorise` is, unless it is trusted. */
  readonly identity?: Identity
  /** No limits and no hooks apply to it. */
  readonly trusted?: boolean
  /** Where it comes from, for `observe` and the hooks. Default what the port says. */
  readonly address?: string
}

/** What `observe` is told. `code` is there when something was refused or broke. */
export interface ServerEvent {
  readonly type: 'link-open' | 'link-close' | 'end-open' | 'end-close' | 'refused'
  readonly link: LinkInfo
  readonly role?: Role
  readonly channelId?: string
  readonly code?: string
}

type Hook = 'authenticate' | 'authorise' | 'observe'
export type ServerSettings = Required<
  Omit<ServerOptions, Hook | 'clock' | 'listen' | 'transports' | keyof ListenAddress>
> &
  Pick<ServerOptions, Hook> &
  GoesBy

export const serverDefaults: ServerSettings = Object.freeze({
  heartbeatMs: 15_000,
  handshakeTimeoutMs: 5_000,
  graceMs: 1_000,
  maxLinks: 100_000,
  maxHandshakes: 10_000,
  maxEndsPerLink: 65_536,
  maxStreamsPerLink: 65_536,
  maxLinkBufferBytes: 256 * 1024 * 1024,
  maxMemoryBytes: defaultMemoryBytes(),
  clock: systemClock,
})

const listenRules: Rules = {
  port: isInteger(0, 65_535),
  // The system takes a host that is '' for all of this machine's addresses.
  host: isText(255, 1),
  path: isText(255, 1),
  url: isText(1_000),
  tls: isObject,
}

/** The rules of `ServerOptions`, for layers above that take the same options and more. */
export const serverRules: Rules = {
  ...listenRules,
  listen: {
    expected: 'false, or an array of at least one address',
    test: (value) => value === false || (Array.isArray(value) && value.length > 0),
  },
  transports: isObject,
  heartbeatMs: isNumber(10),
  handshakeTimeoutMs: isNumber(1),
  graceMs: isNumber(0),
  maxLinks: isInteger(1),
  maxHandshakes: isInteger(1),
  maxEndsPerLink: isInteger(1),
  maxStreamsPerLink: isInteger(1),
  maxLinkBufferBytes: isInteger(maxFrameBytes),
  maxMemoryBytes: isInteger(maxFrameBytes),
  authenticate: isFunction,
  authorise: isFunction,
  observe: isFunction,
  clock: isClock,
}

export function serverSettings(given: ServerOptions): ServerSettings {
  verify('Server.listen', given, serverRules)
  const { port: _port, host: _host, path: _path, url: _url, tls: _tls, listen: _listen, ...rest } = given
  const { transports: _transports, ...settings } = rest
  return { ...serverDefaults, ...defined(settings), clock: wholeClock(given.clock ?? systemClock) }
}

/** The addresses that the options name. */
export function listenAddresses(given: ServerOptions): readonly ListenAddress[] {
  const { port, host, path, url, tls, listen } = given
  const single = defined({ port, host, path, url, tls }) as ListenAddress
  const all = listen === undefined ? [single] : listen || []
  for (const address of all) {
    verify('listen', address, listenRules)
    const { path: place, url: text, tls: _tls, ...others } = defined(address)
    if (place !== undefined && Object.keys(defined(address)).length > 1) {
      throw invalid('listen', 'path', 'a path alone: a unix socket has no port, host or tls', place)
    }
    if (text !== undefined && Object.keys(others).length > 0) {
      throw invalid('listen', 'url', 'a url alone or with tls: it says host and port itself', text)
    }
  }
  if (listen !== undefined && Object.keys(single).length > 0) {
    throw invalid('Server.listen', 'listen', 'addresses in `listen` or beside it, and not both', listen)
  }
  return all
}

export const acceptRules: Rules = { identity: isObject, trusted: isBoolean, address: isText(300) }

/** How long opening a channel end may take. */
export interface OpenOptions {
  /** Milliseconds until TIMEOUT. Default 5 000; `Infinity` waits for ever. */
  readonly timeoutMs?: number
  /** Gives up when aborted (ABORTED). */
  readonly signal?: AbortSignal
}

export interface ProviderOptions {
  /** `exclusive` is alone on its channel; `shared` divides the requests with others. Default exclusive. */
  readonly mode?: 'exclusive' | 'shared'
  /**
   * What to do when the link was lost, and another Provider has the channel when it is back: `wait` until that one is
   * gone, or `close` with CHANNEL_CONFLICT. Default wait.
   */
  readonly whenTaken?: 'wait' | 'close'
  /** Told how many Consumers there are, whenever one joins or leaves. It must not throw. */
  readonly observe?: (consumers: number) => void
}

export interface ServeOptions {
  /** Handlers running at once; the rest of the requests wait, and cost credit. Default 256. */
  readonly concurrency?: number
}

export interface ConsumerOptions {
  /** Whether requests wait for a Provider that is not there yet; else they fail with NO_PROVIDER. Default true. */
  readonly waitForProvider?: boolean
  /** Told how many Providers there are, whenever one joins or leaves; with what broke the one that left. It must not throw. */
  readonly observe?: (providers: number, error?: Error) => void
}

/** How long something may wait. */
export interface WaitOptions {
  /** Milliseconds until TIMEOUT. Default `Infinity`: for ever. */
  readonly timeoutMs?: number
  /** Gives up when aborted (ABORTED). */
  readonly signal?: AbortSignal
}

export interface TransferOptions {
  /**
   * Gives the bytes away, as in `structuredClone`: they are never written to again, so nothing needs to be copied.
   * Default false: once the promise has resolved the bytes are the caller's again.
   */
  readonly transfer?: boolean
}

export interface PostOptions extends WaitOptions, TransferOptions {
  /** Texts for the Provider, as `request.metadata`; 16 KiB at most. FEATURE_MISSING where the other end knows none. */
  readonly metadata?: Readonly<Record<string, string>>
}

export interface SendOptions extends Omit<PostOptions, 'timeoutMs'> {
  /** Milliseconds until TIMEOUT. Default 5 000; `Infinity` waits for ever. */
  readonly timeoutMs?: number
  /** Keeps its place behind what was sent before, also behind a large payload. Default false: a small one overtakes. */
  readonly ordered?: boolean
}

export const openTimeoutMs = 5_000
export const sendTimeoutMs = 5_000
export const drainTimeoutMs = 5_000
export const serveConcurrency = 256

export const openRules: Rules = { timeoutMs: isNumber(0), signal: isSignal }
export const providerRules: Rules = {
  mode: isOneOf('exclusive', 'shared'),
  whenTaken: isOneOf('wait', 'close'),
  observe: isFunction,
}
export const serveRules: Rules = { concurrency: isNumber(1) }
export const consumerRules: Rules = { waitForProvider: isBoolean, observe: isFunction }
export const waitRules: Rules = { timeoutMs: isNumber(0), signal: isSignal }
export const postRules: Rules = { ...waitRules, transfer: isBoolean, metadata: isTexts }
export const sendRules: Rules = { ...postRules, ordered: isBoolean }
export const respondRules: Rules = { transfer: isBoolean }
