/**
 * The contract of an engine: it numbers what was taken, keeps it, makes it as safe as its topic asks, and gives it back
 * in the order of positions. One suite in test/ runs on every implementation.
 *
 * Floor 6. What implementations differ in is said by `capabilities`. An engine knows no client and no subscription.
 */
import type { SignalboxError } from '#base/errors'
import type { BatchHeader } from '../../shared/batch.ts'

export interface EngineCapabilities {
  /** What was kept is there again after the program has ended. */
  readonly durable: boolean
  /** Other brokers append to the same engine. */
  readonly shared: boolean
  /** `all`: positions order all topics; `stream`: only those of one stream of the engine's. */
  readonly order: 'all' | 'stream'
  /** The safest that it can promise: nothing, held in memory, flushed to disk, or on several machines. */
  readonly flush: 'none' | 'memory' | 'flushed' | 'replicated'
}

/** What an engine keeps of a topic: the latest, so many messages and bytes at most. */
export interface Retention {
  readonly messages: number
  readonly bytes: number
}

/** A topic as an engine sees it. The engine writes what is not readonly. */
export interface TopicRef {
  readonly name: string
  /** Which life of the topic its sequences belong to. 0 for a name without a life, whose sequences mean nothing. */
  readonly epoch: number
  /** Nothing is kept where there is none. */
  readonly keep: Retention | undefined
  /** The sequence of the latest message; 0 before the first. */
  seq: number
  /** Positions of the first and the latest message. */
  firstPosition: number
  lastPosition: number
  /** Sequence and position of the latest message that is not kept any more; 0 when all are. Of kept topics alone. */
  floorSeq: number
  floorPosition: number
}

/** A batch with the numbers that it was stamped with. */
export interface StoredBatch {
  readonly bytes: Uint8Array
  readonly topic: TopicRef
  readonly count: number
  readonly seq: number
  readonly position: number
  readonly time: number
  /** How many of its first messages are before the place asked for, or not kept any more. */
  readonly skip: number
}

/** Where to read from. A sequence is of the one topic that is read. */
export type Place = { readonly position: number } | { readonly time: number } | { readonly seq: number }

export interface Query {
  /** A topic or pattern. */
  readonly pattern: string
  readonly from: Place
  /** Bytes of batches at most; one batch may always come. */
  readonly maxBytes: number
}

export interface Page {
  readonly batches: readonly StoredBatch[]
  /** The position to read on from. */
  readonly next: number
  /** Nothing later was kept when it was read. */
  readonly end: boolean
}

/** Whoever waits for a batch to be safe. The engine gives it back unread. */
export type Ticket = object

/** What a batch was stamped with. */
export interface Stamp {
  readonly seq: number
  readonly position: number
  readonly time: number
}

/** Kinds of small records. */
export type StateKind = 'topic' | 'cursor' | 'producer' | 'schedule' | 'retained' | 'session'

export interface StateRecord {
  readonly key: string
  readonly value: Uint8Array
  /** Rises with every change; never 0. */
  readonly revision: number
}

/** What an engine tells. It calls these in the order of the log, and not after `close` has resolved. */
export interface EngineHost {
  /** A batch for which `append` gave false is visible now. The bytes are the host's. */
  committed(bytes: Uint8Array, count: number, topic: TopicRef): void
  /** A ticket is settled: as safe as its topic asks, or it never will be. */
  settled(ticket: Ticket, outcome: Stamp | SignalboxError): void
  /** Messages with these sequences, the first of them at that position, are not kept any more. */
  trimmed(topic: TopicRef, first: number, last: number, position: number): void
  /** What it can do has changed, or positions began again under another epoch. */
  changed(state: 'ready' | 'degraded' | 'lost' | { readonly epoch: number }): void
}

export interface Engine {
  readonly capabilities: EngineCapabilities
  /** The position of the latest message. */
  readonly position: number
  /** Recovers what it has kept, then tells `ready`. Called once, before anything else. */
  open(host: EngineHost): Promise<void>
  /**
   * Takes a batch. True: it is stamped in place and visible, to be forwarded in this turn. False: `committed` brings it,
   * in the order of the log. A ticket is settled once the batch is as safe as its topic asks.
   */
  append(batch: BatchHeader, topic: TopicRef, ticket?: Ticket): boolean
  /**
   * What is kept of matching topics, in the order of positions. What it gives stays as it is. From a time on it is what
   * is kept at the call.
   */
  read(query: Query): Promise<Page>
  /** A pattern has its first (1), or lost its last (-1), subscription here. A promise: resolves when `committed` tells. */
  interest(pattern: string, change: 1 | -1): Promise<void> | undefined
  /** Forgets what is before that sequence; the topic's numbers go on. Resolves with how many messages that were. */
  trim(topic: TopicRef, before: number): Promise<number>
  /** Records of a kind whose key begins so, in the order of keys. */
  load(kind: StateKind, prefix?: string): Promise<readonly StateRecord[]>
  /**
   * Writes a record, or deletes it (null), if its revision is the expected one; 0 if it must not exist yet. Resolves with
   * the new revision. Rejects with CONFLICT.
   */
  save(kind: StateKind, key: string, value: Uint8Array | null, expected: number): Promise<number>
  /** Settles every ticket. Never rejects. */
  close(): Promise<void>
}
