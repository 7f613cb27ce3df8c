/**
 * The receiving machine of a subscription: from what the broker sends to messages that wait for the application.
 *
 * Floor 9. What comes before the broker's answer waits for it, because the answer says what is missing before that.
 */
import type { Clock } from '#base/clock'
import { defined } from '#base/verify'
import { type Compactable, Compaction, type Request } from '#socket/client'
import { BatchHeader } from '../shared/batch.ts'
import { decodeGaps, type Gap, type TopicGap, WireKind } from '../shared/gap.ts'
import type { NameCache } from '../shared/name-cache.ts'
import type { SubscribeReply } from '../shared/replies.ts'
import type { Resume } from '../shared/requests.ts'
import type { Message } from './message.ts'
import { MessageQueue } from './message-queue.ts'
import type { Overflow } from './options.ts'
import { Progress } from './progress.ts'
import { ReceivedBatch, type ReceivedParcel } from './received-batch.ts'
import type { Status } from './status.ts'

export interface ReceiverSettings {
  readonly pattern: string
  readonly buffer: number
  readonly overflow: Overflow
  readonly noEcho: boolean
}

/** What a receiver needs of its client. */
export interface ReceiverOwner {
  readonly clock: Clock
  readonly names: NameCache
  readonly producerId: string
  /** Whether the broker is in this program, and the bytes are shared with other subscribers. */
  readonly sharesMemory: boolean
  tell(status: Status): void
}

/** Told of what there is for the application. */
export interface ReceiverEvents {
  arrived(): void
  /** More came than the buffer holds, and `overflow` is 'error'. */
  overflowed(error: Error): void
}

/** Of the buffer that it was received in, what waits may keep so many times its length. */
const mostKept = 8

/** What came in one message of the channel. */
class Arrived implements ReceivedParcel {
  batches = 1
  readonly #request: Request

  constructor(request: Request) {
    this.#request = request
  }

  release(): void {
    this.#request.release()
  }

  compact(): Uint8Array {
    this.#request.compact(mostKept)
    return this.#request.payload
  }
}

export class Receiver implements Compactable {
  /** Messages that have arrived. */
  received = 0
  /** Messages that were dropped, and the gaps that they are in. */
  dropped = 0
  gaps = 0
  lastGap: Gap | undefined
  /** Whether nothing was missed in the latest interruption, and what was asked for at first was there. */
  recovered = true
  /** What the broker holds without credit. */
  limit = { messages: 0, bytes: 0 }
  readonly #pattern: string
  readonly #noEcho: boolean
  /** Whether what comes is held to a number of messages. */
  readonly #isBounded: boolean
  readonly #owner: ReceiverOwner
  readonly #events: ReceiverEvents
  readonly #queue: MessageQueue
  readonly #seen = new Progress()
  /** What came before the broker's answer. */
  #early: Request[] | undefined
  #hasBegun = false
  #isEnforcing = false
  #isCompacting = false
  #isOver = false

  constructor(settings: ReceiverSettings, owner: ReceiverOwner, events: ReceiverEvents) {
    this.#pattern = settings.pattern
    this.#noEcho = settings.noEcho
    this.#isBounded = settings.overflow !== 'block'
    this.#owner = owner
    this.#events = events
    this.#queue = new MessageQueue(settings.buffer, settings.overflow, (gap, error) => this.#lost(gap, error))
  }

  /** Messages that wait for the application. */
  get length(): number {
    return this.#queue.length
  }

  /** The next message. */
  next(): Message | undefined {
    return this.#queue.take()
  }

  /** The next messages, `count` at most. */
  nextMany(count: number): Message[] {
    return this.#queue.takeMany(count)
  }

  /** What the broker sent. */
  take(request: Request): undefined {
    request.hold()
    if (this.#early === undefined) {
      this.#take(request)
      return
    }
    request.compact()
    this.#early.push(request)
  }

  /** The broker is asked (again): what comes from now on waits for the answer. Returns where to go on, if it has begun. */
  expect(maxResumeBytes: number): Resume | null {
    this.#early = []
    return this.#hasBegun ? this.#seen.resume(maxResumeBytes) : null
  }

  /** The broker has it (again). */
  begun(reply: SubscribeReply): void {
    const isRestored = this.#hasBegun
    this.#hasBegun = true
    const pattern = this.#pattern
    const renewed = this.#seen.begin(reply)
    this.recovered = reply.recovered
    this.limit = { messages: reply.limitMessages, bytes: reply.limitBytes }
    // A loss that no gap can name is a new life of what sequences belong to.
    const epoch = renewed ?? (reply.recovered || reply.gaps.length > 0 ? undefined : reply.epoch)
    if (epoch !== undefined) this.#owner.tell({ type: 'epoch', pattern, epoch })
    for (const gap of reply.gaps) this.#missed(gap)
    if (isRestored && reply.recovered) this.#owner.tell({ type: 'recovered', pattern })
    const early = this.#early ?? []
    this.#early = undefined
    for (const request of early) this.#take(request)
  }

  /** Takes nothing more; what waits is still there for the application. */
  end(): void {
    this.#isOver = true
  }

  /** Drops everything that waits. */
  clear(): void {
    this.#queue.clear()
  }

  compact(): void {
    this.#isCompacting = false
    this.#queue.compact()
  }

  #take(request: Request): void {
    const bytes = request.payload
    const parcel = new Arrived(request)
    try {
      if (bytes[0] === WireKind.BATCH) this.#takeParcel(bytes, parcel)
      else if (bytes[0] === WireKind.GAPS) this.#overrun(decodeGaps(bytes))
    } catch (error) {
      this.#owner.tell({ type: 'error', pattern: this.#pattern, error: error as Error })
    }
    parcel.batches--
    if (parcel.batches === 0) parcel.release()
  }

  #takeParcel(bytes: Uint8Array, parcel: ReceivedParcel): void {
    if (this.#isOver) return
    try {
      for (let at = 0; at < bytes.length; ) at = this.#takeBatch(bytes, at, parcel)
    } finally {
      this.#events.arrived()
      if (this.#isBounded) this.#enforceLater()
      if (!this.#isCompacting) this.#compactLater()
    }
  }

  #takeBatch(bytes: Uint8Array, at: number, parcel: ReceivedParcel): number {
    const header = new BatchHeader(bytes, at)
    const { names, producerId, sharesMemory } = this.#owner
    const topic = names.get(bytes, header.topicAt, header.topicEnd)
    const { seq, position, epoch } = header
    const last = header.count - 1
    const found = this.#seen.saw(topic, seq, seq + last, position + last, epoch)
    if (found === 'epoch') this.#owner.tell({ type: 'epoch', pattern: this.#pattern, epoch })
    if (this.#noEcho) {
      // What this client published leaves a hole in the sequence. A history has it all the same.
      if (header.producerId === producerId) return header.end
    } else if (found !== undefined && found !== 'epoch') {
      this.#lost(found)
    }
    this.received += header.count
    this.#queue.push(new ReceivedBatch(header, topic, parcel, sharesMemory))
    return header.end
  }

  /**
   * After the turn: a loop that is ready has taken what it can by then. After the one after it, to be exact, for what
   * comes from this very process comes at the end of a turn, before any loop has gone on.
   */
  #enforceLater(): void {
    if (this.#isEnforcing) return
    this.#isEnforcing = true
    const { clock } = this.#owner
    clock.turn(() => clock.turn(() => this.#enforce()))
  }

  #compactLater(): void {
    this.#isCompacting = true
    Compaction.of(this.#owner.clock).add(this)
  }

  #enforce(): void {
    this.#isEnforcing = false
    try {
      this.#queue.enforce()
    } catch (error) {
      this.#events.overflowed(error as Error)
    }
  }

  /** The broker has dropped what this subscription did not take in time. */
  #overrun(gaps: readonly TopicGap[]): void {
    this.#owner.tell({ type: 'slow', pattern: this.#pattern })
    for (const gap of gaps) this.#missed(gap)
  }

  #missed(gap: TopicGap): void {
    this.#seen.missed(gap)
    this.#lost(gap)
  }

  #lost({ topic, first, last }: TopicGap, error?: Error): void {
    const gap: Gap = { topic, first, last }
    this.gaps++
    this.dropped += last - first + 1
    this.lastGap = gap
    this.#owner.tell({ type: 'gap', pattern: this.#pattern, gap, ...defined({ error }) } as Status)
  }
}
