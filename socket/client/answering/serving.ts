/**
 * Hands messages to a handler, so many at once.
 *
 * Floor 4. What a handler has had for a while is copied out of the large buffer that it may have come in: many handlers
 * may be waiting for something, each with a few bytes that would keep a quarter of a MiB alive.
 */
import { none } from '#base/bytes'
import type { Clock } from '#base/clock'
import { handled } from '#base/deferred'
import { type Compactable, Compaction } from '../../time/compaction.ts'
import type { Request } from './request.ts'

/** What a handler may give: the answer, or nothing for a one-way message. */
export type Answer = Uint8Array | undefined

/** Answers a request, now or later; a throw becomes a failed request at the Consumer. */
export type Handler = (request: Request) => Answer | Promise<Answer>

export interface ServingOwner {
  /** A handler has settled, and there is room for another message. */
  settled(): void
}

export class Serving implements Compactable {
  /** One-way messages whose handler threw. */
  failed = 0
  readonly #owner: ServingOwner
  readonly #clock: Clock
  /** With handlers that have not settled. */
  readonly #running = new Set<Request>()
  #handler: Handler | undefined
  #concurrency = 0
  #willCompact = false

  constructor(owner: ServingOwner, clock: Clock) {
    this.#owner = owner
    this.#clock = clock
  }

  /** Handlers that have not settled. */
  get running(): number {
    return this.#running.size
  }

  begin(handler: Handler, concurrency: number): void {
    this.#handler = handler
    this.#concurrency = concurrency
  }

  /** Whether a message can be handed out now. */
  get isFree(): boolean {
    return this.#handler !== undefined && this.running < this.#concurrency
  }

  /** Hands it out; `isFree` has just said yes. Without a promise when the handler gave none: it would cost the most. */
  take(request: Request): void {
    let answer: Answer | Promise<Answer>
    try {
      answer = (this.#handler as Handler)(request)
    } catch (error) {
      this.#failed(request, error)
      return
    }
    if (!isPromise(answer)) {
      this.#answered(request, answer)
      return
    }
    this.#running.add(request)
    if (!this.#willCompact) this.#compactLater()
    const settle = (): void => {
      this.#running.delete(request)
      this.#owner.settled()
    }
    Promise.resolve(answer)
      .then(
        (bytes) => this.#answered(request, bytes),
        (error: unknown) => this.#failed(request, error),
      )
      .then(settle, settle)
  }

  #compactLater(): void {
    this.#willCompact = true
    Compaction.of(this.#clock).add(this)
  }

  compact(): void {
    this.#willCompact = false
    for (const request of this.#running) request.compact()
  }

  #answered(request: Request, answer: Answer): void {
    if (!request.isOneWay) {
      const left = request.reply(answer ?? none)
      if (left) void handled(left)
    }
    request.consumed()
  }

  #failed(request: Request, error: unknown): void {
    if (request.isOneWay) this.failed++
    else void handled(request.fail(error))
    request.consumed()
  }
}

/** Also one that is not the platform's own, as the query of a database driver. */
function isPromise(answer: Answer | Promise<Answer>): answer is Promise<Answer> {
  return answer instanceof Promise || typeof (answer as Partial<Promise<Answer>> | undefined)?.then === 'function'
}
