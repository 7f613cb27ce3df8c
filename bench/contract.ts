/**
 * What every adapter offers, so that a workload is written once: a server to start, and the sides that talk to it.
 *
 * Topics are `bench.<number>`; in a pattern `*` stands for one of the two parts. Adapters spell it as their product
 * does.
 */

/** How a subscriber takes its messages. What an adapter does not have, it is not asked for. */
export type Style = 'for await' | 'batches' | 'callback'

/** Where a subscriber puts what it gets. */
export interface Intake {
  /** A message. The bytes are looked at before this returns. */
  take(payload: Uint8Array): void
  /** Messages that nobody looks into: the raw pipe counts bytes. */
  count(messages: number): void
}

/** Gives one payload after the other to publish; `undefined` when there are enough. */
export interface Feed {
  /** The bytes stay as they are until `holds` more have been given. */
  next(): Uint8Array | undefined
  /** How many payloads may be under way without being overwritten. */
  readonly holds: number
  /** Bytes of each. */
  readonly size: number
}

export interface Closable {
  close(): Promise<void>
}

export interface PublishSide extends Closable {
  /**
   * Publishes all that the feed gives, to the topics in turn, as fast as this client's flow control lets it. Resolves
   * when the server has taken it all, or as soon as the client can know that it has left.
   */
  publish(topics: readonly string[], feed: Feed): Promise<void>
  /** Publishes one message, now. */
  post(topic: string, payload: Uint8Array): void
}

export interface SubscribeSide extends Closable {
  /** Called once per side. Resolves when everything that is published from now on will be delivered. */
  subscribe(patterns: readonly string[], style: Style, intake: Intake): Promise<void>
  /** What the product itself says of messages that it could not deliver; undefined if nothing. */
  complaint?(): string | undefined
}

/** A client that does both on one connection. */
export interface MemberSide extends SubscribeSide, Pick<PublishSide, 'post'> {}

export interface RequestSide extends Closable {
  /** Asks the one responder. Payloads that are under way at once differ in their first eight bytes. */
  request(payload: Uint8Array): Promise<Uint8Array>
}

/** A server that is a program of its own. */
export interface NativeServer {
  readonly kind: 'native'
  /** Looked for on PATH. */
  readonly command: string
  /** How to get it. */
  readonly install: string
  config(port: number): string
  args(configPath: string): readonly string[]
  url(port: number): string
}

/** A server that runs in a Node process. */
export interface NodeServer {
  readonly kind: 'node'
  /** Listens on a free loopback port and resolves with its address. It lives as long as its process. */
  start(): Promise<string>
}

export interface Adapter {
  readonly name: string
  /** Packages of `bench/peers` that it needs. */
  readonly packages: readonly string[]
  readonly styles: readonly Style[]
  /** Whether one subscription can take many topics; else each topic is subscribed to. */
  readonly hasPatterns: boolean
  /** False for a server that gives everybody everything. */
  readonly hasRoutes: boolean
  readonly server: NativeServer | NodeServer
  /** Left out where the product, or the control row, has no such thing. */
  readonly publisher?: (url: string) => Promise<PublishSide>
  readonly subscriber?: (url: string) => Promise<SubscribeSide>
  readonly member?: (url: string) => Promise<MemberSide>
  readonly requester?: (url: string) => Promise<RequestSide>
  /** Answers every request with its own payload. */
  readonly responder?: (url: string) => Promise<Closable>
}
