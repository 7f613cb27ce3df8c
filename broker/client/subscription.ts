/**
 * A subscription: an async-iterable queue of messages, which its client restores after every outage.
 *
 * Floor 9. States: open -> (draining ->) over. `break`, `close()`, `await using` and its signal end the loop normally;
 * what broke it is thrown from the loop, after what was queued.
 */
import type { Clock } from '#base/clock'
import { type Deferred, deferred, handled } from '#base/deferred'
import type { Request } from '#socket/client'
import { BatchHeader } from '../shared/batch.ts'
import { decodeGaps, type Gap, type TopicGap, WireKind } from '../shared/gap.ts'
import type { NameCache } from '../shared/name-cache.ts'
import type { SubscribeReply } from '../shared/replies.ts'
import type { Resume } from '../shared/requests.ts'
import { type Message, ReceivedBatch, type ReceivedParcel } from './message.ts'
import { MessageQueue } from './message-queue.ts'
import {
  type Delivery,
  type RunOptions,
  type SubscribeOptions,
  subscribeDefaults,
  verifyRun,
  verifyWait,
  type WaitOptions,
  waitTimeoutMs,
} from './options.ts'
import { Progress } from './progress.ts'
import type { Status } from './status.ts'

/** What a subscription needs of its client. */
export interface SubscriptionOwner {
  readonly clock: Clock
  readonly names: NameCache
  readonly producerId: string
  /**
   * Tells the broker that nothing more is wanted; resolves when it knows, or cannot be told. With `drainMs` what the
   * broker holds comes first, as far as that takes no longer.
   */
  leave(subscription: Subscription, drainMs: number): Promise<void>
  tell(status: Status): void
}

/** Messages that one step of `batches()` gives at most. */
const maxMany = 1_024

const done: IteratorReturnResult<undefined> = { value: undefined, done: true }

export class Subscription<T = unknown> implements AsyncIterable<Message<T>>, AsyncDisposable {
  /** What was subscribed to. */
  readonly pattern: string
  /** Messages that have arrived. */
  received = 0
  /** Messages that were dropped, here or at the broker. Every one of them is in a gap. */
  dropped = 0
  /** Gaps: runs of messages of one topic that were dropped or missed. */
  gaps = 0
  /** The latest gap. */
  lastGap: Gap | undefined
  /** Whether nothing was missed in the latest interruption; true before any. */
  recovered = true
  /** Messages whose handler in `run` threw. */
  handlerErrors = 0
  /** @internal */ readonly options: SubscribeOptions
  readonly #owner: SubscriptionOwner
  readonly #queue: MessageQueue
  readonly #seen = new Progress()
  readonly #waiting: Deferred<void>[] = []
  /** What comes before the answer of the broker, which says what is missing before that. */
  #early: Request[] | undefined = []
  readonly #onAbort = (): void => void this.close()
  #enforcing = false
  #state: 'open' | 'draining' | 'over' = 'open'
  #failure: Error | undefined
  #draining: Promise<void> | undefined
  #drained: Deferred<void> | undefined

  /** @internal Use `client.subscribe`. */
  constructor(pattern: string, options: SubscribeOptions, owner: SubscriptionOwner) {
    this.pattern = pattern
    this.options = options
    this.#owner = owner
    const { buffer, overflow } = { ...subscribeDefaults, ...options }
    this.#queue = new MessageQueue(buffer, overflow, (gap, error) => this.#lost(gap, error))
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** How surely messages arrive here. */
  get delivery(): Delivery {
    return this.options.delivery ?? subscribeDefaults.delivery
  }

  /** Messages that wait for the application. */
  get pending(): number {
    return this.#queue.length
  }

  /** Whether it has ended. */
  get isClosed(): boolean {
    return this.#state === 'over'
  }

  /** One message per step. Leaving the loop closes the subscription. Two loops share the messages. */
  [Symbol.asyncIterator](): AsyncIterator<Message<T>, undefined> {
    return {
      next: () => this.#next(),
      return: async () => {
        await this.close()
        return done
      },
    }
  }

  /**
   * What is waiting per step, up to 1 024 messages, as an array: for the highest rates. Leaving the loop closes the
   * subscription.
   */
  batches(): AsyncIterable<Message<T>[]> & AsyncIterator<Message<T>[], undefined> {
    return {
      next: async () => {
        for (;;) {
          const value = this.#queue.takeMany(maxMany) as Message<T>[]
          this.#taken()
          if (value.length > 0) return { value, done: false }
          if (!(await this.#more())) return done
        }
      },
      return: async () => {
        await this.close()
        return done
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }

  /**
   * Calls `handler` with every message, `concurrency` at once, until the subscription is closed. A throw is counted
   * in `handlerErrors`, told as status 'error', and the next message follows.
   */
  async run(handler: (message: Message<T>) => unknown, options: RunOptions = {}): Promise<void> {
    verifyRun(handler, options)
    const workers = Array.from({ length: options.concurrency ?? 1 }, () => this.#work(handler))
    await Promise.all(workers)
  }

  /** Ends it: the loop stops at once, what is queued is dropped. Never rejects. */
  async close(): Promise<void> {
    if (this.#state === 'over') return
    this.#finish(undefined)
    this.#queue.clear()
    await this.#owner.leave(this as Subscription, 0)
  }

  /**
   * Takes nothing new, lets the loop finish what is queued here and at the broker (for `timeoutMs` at most, default
   * 5 000), then closes.
   */
  async drain(options: Pick<WaitOptions, 'timeoutMs'> = {}): Promise<void> {
    verifyWait('drain', options)
    this.#draining ??= this.#drain(options.timeoutMs ?? waitTimeoutMs)
    await this.#draining
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** @internal What the broker sent. */
  take(request: Request): undefined {
    request.hold()
    if (this.#early) this.#early.push(request)
    else this.#take(request)
  }

  /** @internal The broker has it (again). */
  begun(reply: SubscribeReply, isRestored: boolean): void {
    this.#seen.begin(reply)
    for (const gap of reply.gaps) this.#missed(gap)
    if (isRestored) this.recovered = reply.recovered
    if (isRestored && reply.recovered) this.#owner.tell({ type: 'recovered', pattern: this.pattern })
    const early = this.#early ?? []
    this.#early = undefined
    for (const request of early) this.#take(request)
  }

  /** @internal What to ask for after an interruption. What comes from now on waits for the answer. */
  resume(): Resume {
    this.#early = []
    return this.#seen.resume()
  }

  /** @internal It cannot go on: the loop throws, after what is queued. */
  fail(error: Error | undefined): void {
    this.#finish(error)
  }

  #take(request: Request): void {
    const bytes = request.payload
    const parcel: ReceivedParcel = { batches: 1, release: () => request.release() }
    try {
      if (bytes[0] === WireKind.BATCH) this.#takeParcel(bytes, parcel)
      else if (bytes[0] === WireKind.GAPS) this.#overrun(decodeGaps(bytes))
    } catch (error) {
      this.#owner.tell({ type: 'error', pattern: this.pattern, error: error as Error })
    }
    parcel.batches--
    if (parcel.batches === 0) parcel.release()
  }

  #takeParcel(bytes: Uint8Array, parcel: ReceivedParcel): void {
    if (this.#state === 'over') return
    try {
      for (let at = 0; at < bytes.length; ) at = this.#takeBatch(bytes, at, parcel)
    } finally {
      this.#wake()
      if (this.options.overflow !== undefined && this.options.overflow !== 'block') this.#enforceLater()
    }
  }

  #takeBatch(bytes: Uint8Array, at: number, parcel: ReceivedParcel): number {
    const header = new BatchHeader(bytes, at)
    const topic = this.#owner.names.get(bytes, header.topicAt, header.topicEnd)
    const { seq, position } = header
    const last = header.count - 1
    const gap = this.#seen.saw(topic, seq, seq + last, position + last, header.epoch)
    if (this.options.noEcho) {
      // What this client published leaves a hole in the sequence. A history has it all the same.
      if (header.producerId === this.#owner.producerId) return header.end
    } else if (gap) this.#lost(gap)
    this.received += header.count
    this.#queue.push(new ReceivedBatch(header, topic, parcel))
    return header.end
  }

  /**
   * After the turn: a loop that is ready has taken what it can by then. After the one after it, to be exact, for what
   * comes from this very process comes at the end of a turn, before any loop has gone on.
   */
  #enforceLater(): void {
    if (this.#enforcing) return
    this.#enforcing = true
    const { clock } = this.#owner
    clock.turn(() => clock.turn(() => this.#enforce()))
  }

  #enforce(): void {
    this.#enforcing = false
    try {
      this.#queue.enforce()
    } catch (error) {
      this.#finish(error as Error)
      void handled(this.#owner.leave(this as Subscription, 0))
    }
  }

  #next(): Promise<IteratorResult<Message<T>, undefined>> {
    const message = this.#queue.take()
    if (message === undefined) return this.#nextLater()
    if (this.#state !== 'open') this.#taken()
    return Promise.resolve({ value: message as Message<T>, done: false })
  }

  async #nextLater(): Promise<IteratorResult<Message<T>, undefined>> {
    for (;;) {
      const message = this.#queue.take()
      if (message) {
        this.#taken()
        return { value: message as Message<T>, done: false }
      }
      if (!(await this.#more())) return done
    }
  }

  /** Waits for messages. False when none will come; throws what broke the subscription. */
  async #more(): Promise<boolean> {
    if (this.#queue.length > 0) return true
    if (this.#state === 'over') {
      if (this.#failure) throw this.#failure
      return false
    }
    const waiting = deferred<void>()
    this.#waiting.push(waiting)
    await waiting.promise
    return true
  }

  async #work(handler: (message: Message<T>) => unknown): Promise<void> {
    for (;;) {
      const { value: message, done: isDone } = await this.#next()
      if (isDone) return
      try {
        const result = handler(message)
        if (result instanceof Promise) await result
      } catch (error) {
        this.handlerErrors++
        this.#owner.tell({ type: 'error', pattern: this.pattern, error: error as Error })
      }
    }
  }

  #taken(): void {
    if (this.#queue.length === 0) this.#drained?.resolve()
  }

  #wake(): void {
    for (const waiting of this.#waiting.splice(0)) waiting.resolve()
  }

  /** The broker has dropped what this subscription did not take in time. */
  #overrun(gaps: readonly TopicGap[]): void {
    this.#owner.tell({ type: 'slow', pattern: this.pattern })
    for (const gap of gaps) this.#missed(gap)
  }

  #missed(gap: TopicGap): void {
    this.#seen.missed(gap)
    this.#lost(gap)
  }

  #lost({ topic, first, last }: TopicGap, error?: Error): void {
    const gap: Gap = { topic, first, last }
    this.gaps++
    this.dropped += gap.last - gap.first + 1
    this.lastGap = gap
    this.#owner.tell({ type: 'gap', pattern: this.pattern, gap, ...(error && { error }) })
  }

  async #drain(timeoutMs: number): Promise<void> {
    if (this.#state === 'open') {
      this.#state = 'draining'
      const late = deferred<void>()
      const stop = this.#owner.clock.after(timeoutMs, late.resolve, true)
      await this.#owner.leave(this as Subscription, timeoutMs)
      // Only now nothing more comes: before, the queue may have been empty any number of times.
      this.#drained = deferred()
      if (this.#queue.length > 0 && !this.isClosed) await Promise.race([this.#drained.promise, late.promise])
      stop()
    }
    await this.close()
  }

  #finish(error: Error | undefined): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#failure = error
    this.options.signal?.removeEventListener('abort', this.#onAbort)
    this.#drained?.resolve()
    this.#wake()
  }
}
