/**
 * A subscription: an async-iterable queue of messages, which its client restores after every outage.
 *
 * Floor 10. The public face; receiver.ts is what receives. States: open -> (draining ->) over. `break`, `close()`,
 * `await using` and its signal end the loop normally; what broke it is thrown from the loop, after what was queued.
 */
import { type Deferred, deferred, handled } from '#base/deferred'
import { socketError } from '#base/errors'
import { invalid, isInteger } from '#base/verify'
import type { Gap } from '../shared/gap.ts'
import type { Message } from './message.ts'
import {
  type Delivery,
  type RunOptions,
  type SubscribeSettings,
  verifyRun,
  verifyWait,
  type WaitOptions,
  waitTimeoutMs,
} from './options.ts'
import { Receiver, type ReceiverOwner } from './receiver.ts'

/** What a subscription needs of its client. */
export interface SubscriptionOwner extends ReceiverOwner {
  /** Whether anybody listens to the status. */
  readonly isHeard: boolean
  /**
   * Tells the broker that nothing more is wanted; resolves when it knows, or cannot be told. With `drainMs` what the
   * broker holds comes first, as far as that takes no longer.
   */
  leave(subscription: Subscription, drainMs: number): Promise<void>
}

/** Messages that one step of `batches()` gives at most. */
const maxMany = 1_024

const done: IteratorReturnResult<undefined> = { value: undefined, done: true }

export class Subscription<T = unknown> implements AsyncIterable<Message<T>>, AsyncDisposable {
  /** What was subscribed to. */
  readonly pattern: string
  /** @internal */ readonly settings: SubscribeSettings
  /** @internal */ readonly receiver: Receiver
  readonly #owner: SubscriptionOwner
  readonly #waiting: ((isThere: true) => void)[] = []
  readonly #onAbort = (): void => void this.close()
  #handlerErrors = 0
  /** Bodies of loops and handlers that run: messages that were given out and are being worked on. */
  #busy = 0
  #state: 'open' | 'draining' | 'over' = 'open'
  #failure: Error | undefined
  #wasLeft = false
  #hasWarned = false
  #draining: Promise<void> | undefined
  #drained: Deferred<void> | undefined

  /** @internal Use `client.subscribe`. */
  constructor(pattern: string, settings: SubscribeSettings, owner: SubscriptionOwner) {
    this.pattern = pattern
    this.settings = settings
    this.#owner = owner
    this.receiver = new Receiver({ ...settings, pattern }, owner, {
      arrived: () => this.#wake(),
      overflowed: (error) => {
        this.#finish(error)
        void handled(this.#owner.leave(this as Subscription, 0))
      },
    })
    settings.signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** How surely messages arrive here. */
  get delivery(): Delivery {
    return this.settings.delivery
  }

  /** Messages that have arrived. */
  get received(): number {
    return this.receiver.received
  }

  /** Messages that were dropped, here or at the broker. Every one of them is in a gap. */
  get dropped(): number {
    return this.receiver.dropped
  }

  /** Gaps: runs of messages of one topic that were dropped or missed. */
  get gaps(): number {
    return this.receiver.gaps
  }

  /** The latest gap. */
  get lastGap(): Gap | undefined {
    return this.receiver.lastGap
  }

  /** Whether nothing was missed in the latest interruption; before any, whether what `from` asked for was there. */
  get recovered(): boolean {
    return this.receiver.recovered
  }

  /** What the broker holds for it without credit: what was asked for, or the most that the broker allows. */
  get limit(): { readonly messages: number; readonly bytes: number } {
    return this.receiver.limit
  }

  /** Messages whose handler in `run` threw. */
  get handlerErrors(): number {
    return this.#handlerErrors
  }

  /** Messages that wait for the application. */
  get pending(): number {
    return this.receiver.length
  }

  /** Whether it has ended. */
  get isClosed(): boolean {
    return this.#state === 'over'
  }

  /**
   * One message per step. Leaving the loop closes the subscription; a loop begun after that throws CLOSED. Two loops
   * share the messages.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message<T>, undefined> {
    return this.#loop(() => this.receiver.next() as Message<T> | undefined)
  }

  /**
   * What is waiting per step, up to 1 024 messages, as an array: for the highest rates. Leaving the loop closes the
   * subscription.
   */
  batches(): AsyncIterableIterator<Message<T>[], undefined> {
    return this.#loop(() => {
      const messages = this.receiver.nextMany(maxMany) as Message<T>[]
      return messages.length > 0 ? messages : undefined
    })
  }

  /** The next `count` messages, fewer if it ends before; the subscription stays open. Rejects with what broke it. */
  async take(count: number): Promise<Message<T>[]> {
    if (!isInteger(0).test(count)) throw invalid('take', 'count', 'a whole number from 0', count)
    if (this.#wasLeft) throw leftError()
    const messages: Message<T>[] = []
    while (messages.length < count) {
      const message = this.receiver.next()
      if (message) messages.push(message as Message<T>)
      else if (!(await this.#more(messages.length > 0))) break
    }
    this.#checkDrained()
    return messages
  }

  /**
   * Calls `handler` with every message, `concurrency` at once, until the subscription is closed. A throw is counted in
   * `handlerErrors`, told to `onError` and as status 'error', and the next message follows; where nobody listens to
   * either, the first one is printed as a warning.
   */
  async run(handler: (message: Message<T>) => unknown, options: RunOptions = {}): Promise<void> {
    verifyRun(handler, options)
    if (this.#wasLeft) throw leftError()
    const { concurrency = 1, onError } = options
    const failed = (error: unknown, message: Message<T>): void => this.#handlerFailed(error, message, onError)
    await Promise.all(Array.from({ length: concurrency }, () => this.#work(handler, failed)))
  }

  /** Ends it: the loop stops at once, what is queued is dropped. Never rejects. */
  async close(): Promise<void> {
    if (this.#state === 'over') return
    this.#finish(undefined)
    this.receiver.clear()
    await this.#owner.leave(this as Subscription, 0)
  }

  /**
   * Takes nothing new, lets loops and handlers finish what is queued here and at the broker and what they are at (for
   * `timeoutMs` at most, default 5 000), then closes. The body of a loop is done when it asks for the next message, so
   * do not await this in the loop itself.
   */
  async drain(options: Pick<WaitOptions, 'timeoutMs'> = {}): Promise<void> {
    verifyWait('drain', options)
    this.#draining ??= this.#drain(options.timeoutMs ?? waitTimeoutMs)
    await this.#draining
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** @internal It cannot go on: the loop throws, after what is queued. */
  fail(error: Error | undefined): void {
    this.#finish(error)
  }

  /** An iterator over what `takeNow` gives. A step is worked on until the next one is asked for. */
  #loop<V>(takeNow: () => V | undefined): AsyncIterableIterator<V, undefined> {
    let [steps, isNew] = [0, true]
    const give = (value: V): IteratorYieldResult<V> => {
      steps++
      this.#busy++
      return { value, done: false }
    }
    const stepDone = (count: number): void => {
      steps -= count
      this.#busy -= count
      if (this.#drained) this.#checkDrained()
    }
    const begin = (): Promise<IteratorResult<V, undefined>> => {
      if (steps > 0) stepDone(1)
      if (isNew && this.#wasLeft) return Promise.reject(leftError())
      isNew = false
      const value = takeNow()
      return value === undefined ? later() : Promise.resolve(give(value))
    }
    const later = async (): Promise<IteratorResult<V, undefined>> => {
      while (await this.#more()) {
        const value = takeNow()
        if (value !== undefined) return give(value)
      }
      return done
    }
    return {
      next: () => {
        // From step to step, as nearly always, it stays as busy as it was.
        const value = steps === 1 && !this.#drained ? takeNow() : undefined
        return value === undefined ? begin() : Promise.resolve({ value, done: false })
      },
      return: async () => {
        stepDone(steps)
        if (this.#state !== 'over') this.#wasLeft = true
        await this.close()
        return done
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }

  /** Waits for messages. False when none will come; throws what broke the subscription, unless `quiet`. */
  #more(quiet = false): boolean | Promise<true> {
    if (this.receiver.length > 0) return true
    if (this.#state === 'over') {
      if (this.#failure && !quiet) throw this.#failure
      return false
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  async #work(
    handler: (message: Message<T>) => unknown,
    failed: (error: unknown, message: Message<T>) => void,
  ): Promise<void> {
    for (;;) {
      const message = this.receiver.next() as Message<T> | undefined
      if (message === undefined) {
        if (await this.#more()) continue
        return
      }
      this.#busy++
      try {
        const result = handler(message)
        if (isThenable(result)) await result
      } catch (error) {
        failed(error, message)
      }
      this.#busy--
      if (this.#drained) this.#checkDrained()
    }
  }

  #handlerFailed(error: unknown, message: Message<T>, onError: RunOptions['onError']): void {
    this.#handlerErrors++
    const { pattern } = this
    const tell = (thrown: unknown): void => {
      this.#owner.tell({ type: 'error', pattern, error: errorOf(thrown) })
    }
    let thrown = error
    try {
      const told: unknown = onError?.(error, message)
      if (isThenable(told)) void told.then(undefined, tell)
    } catch (worse) {
      thrown = worse
    }
    if (onError === undefined && !this.#owner.isHeard && !this.#hasWarned) {
      this.#hasWarned = true
      const { stack, message: text } = errorOf(thrown)
      const what = thrown instanceof Error ? (stack ?? text) : text
      const advice = 'Give `run` an onError, or listen to client.status(); this is printed once.'
      globalThis.process?.emitWarning(`A handler of the subscription to '${pattern}' threw: ${what}\n${advice}`)
    }
    tell(thrown)
  }

  #checkDrained(): void {
    if (this.receiver.length === 0 && this.#busy === 0) this.#drained?.resolve()
  }

  #wake(): void {
    for (let waiting = this.#waiting.shift(); waiting; waiting = this.#waiting.shift()) waiting(true)
  }

  async #drain(timeoutMs: number): Promise<void> {
    if (this.#state === 'open') {
      this.#state = 'draining'
      const late = deferred<void>()
      const stop = this.#owner.clock.after(timeoutMs, late.resolve, true)
      await Promise.race([handled(this.#owner.leave(this as Subscription, timeoutMs)), late.promise])
      // Only now nothing more comes: before, the queue may have been empty any number of times.
      this.#drained = deferred()
      this.#checkDrained()
      if (!this.isClosed) await Promise.race([this.#drained.promise, late.promise])
      stop()
    }
    await this.close()
  }

  #finish(error: Error | undefined): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#failure = error
    this.settings.signal?.removeEventListener('abort', this.#onAbort)
    this.receiver.end()
    this.#drained?.resolve()
    this.#wake()
  }
}

function leftError(): Error {
  return socketError(
    'CLOSED',
    'The subscription was closed when a loop over it was left. `take(n)` reads some messages and leaves it open.',
  )
}

/** What was thrown, which may be anything. */
function errorOf(thrown: unknown): Error {
  try {
    return thrown instanceof Error ? thrown : new Error(String(thrown))
  } catch {
    // An object without a prototype has no text.
    return new Error('What was thrown has no text.', { cause: thrown })
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}
