/**
 * Keeps a subscription at a broker: asks for it at first, and again whenever it is lost.
 *
 * Floor 9. One machine with one attempt at a time. Whatever begins anew takes a new attempt number, and what was begun
 * under an older one is given up as soon as it comes back, so there are never two places at which the broker delivers.
 *
 *   idle       no broker; the next that answers begins an attempt
 *   providing  a channel is being opened
 *   asking     the broker was asked to forward on it
 *   live       messages come. Also for a while without a broker: one that closes sends what it holds
 *   waiting    the broker said no for the moment; a timer begins the next attempt
 *   over       closed, draining or failed
 */
import { bounded } from '#base/bounded'
import type { Clock } from '#base/clock'
import { type Deferred, deferred, handled } from '#base/deferred'
import { SignalboxError, socketError } from '#base/errors'
import type { Request } from '#socket/client'
import type { SubscribeReply } from '../shared/replies.ts'
import type { Resume } from '../shared/requests.ts'

/** Milliseconds before what failed, though there is a broker, is tried again. */
const againMs = 500

/** A channel that is provided for a subscription. */
export interface Place {
  readonly channel: string
  close(): Promise<void>
}

/** What a restorer needs of its client. */
export interface Ground {
  readonly clock: Clock
  /** Whether there is a broker, and it has answered. */
  readonly hasBroker: boolean
  /** Opens a channel; `observe` is told how many brokers are joined with it. */
  provide(take: (request: Request) => undefined, observe: (brokers: number) => void): Promise<Place>
  /** Asks the broker to forward there. */
  subscribe(channel: string, resume: Resume | null): Promise<SubscribeReply>
  /** Tells the broker that nothing more is wanted there; with `drainMs` what it holds comes first. Never rejects. */
  unsubscribe(channel: string, drainMs: number): Promise<void>
}

/** What is restored. */
export interface Restored {
  take(request: Request): undefined
  expect(): Resume | null
  begun(reply: SubscribeReply): void
  /** The error would come again. */
  failed(error: Error): void
}

type State = 'idle' | 'providing' | 'asking' | 'live' | 'waiting' | 'over'

export class Restorer {
  /** Why the latest attempt failed. */
  lastError: Error | undefined
  readonly #ground: Ground
  readonly #restored: Restored
  readonly #started: Deferred<void> = deferred()
  #wasLive = false
  #state: State = 'idle'
  #attempt = 0
  #place: Place | undefined
  /** Brokers joined with the place. */
  #brokers = 0
  /** Resolves when there are none, where somebody waits for that. */
  #deserting: Deferred<void> | undefined
  #stopWaiting: (() => void) | undefined

  constructor(ground: Ground, restored: Restored) {
    this.#ground = ground
    this.#restored = restored
    void handled(this.#started.promise)
  }

  get state(): State {
    return this.#state
  }

  /** Begins. Resolves when it is live for the first time; rejects with what would come again. */
  async start(): Promise<void> {
    if (this.#ground.hasBroker) void this.#try()
    await this.#started.promise
  }

  /** A broker has answered. Resolves, and never rejects, when the first attempt with it is over. */
  async met(): Promise<void> {
    if (this.#state !== 'over') await this.#try()
  }

  /** The broker is gone, or about to go: what it still sends is taken. */
  lost(): void {
    if (this.#state === 'over' || (this.#state === 'live' && this.#brokers > 0)) return
    this.#supersede('idle')
  }

  /** Nothing more is wanted; with `drainMs` what the broker holds for it comes first. */
  async leave(drainMs: number): Promise<void> {
    const place = this.#state === 'live' || this.#state === 'over' ? this.#place : undefined
    const attempt = this.#attempt
    if (place === undefined || drainMs === 0) this.#supersede('over', place === undefined)
    this.#state = 'over'
    this.#started.reject(socketError('CLOSED', 'The subscription was closed before the broker had it.'))
    if (place === undefined) return
    if (this.#ground.hasBroker) await this.#ground.unsubscribe(place.channel, drainMs)
    else if (drainMs > 0 && this.#brokers > 0) {
      // One that closes sends what it holds, and ends the channel then.
      this.#deserting = deferred()
      await bounded(this.#deserting.promise, { timeoutMs: drainMs }, this.#ground.clock).catch(() => {})
    }
    if (attempt === this.#attempt) this.#supersede('over', false)
    await place.close()
  }

  /** The client is closed. */
  end(error: Error): void {
    this.#supersede('over')
    this.#started.reject(error)
  }

  /** Gives up what was begun, under whatever attempt. */
  #supersede(state: State, closes = true): number {
    this.#stopWaiting?.()
    this.#stopWaiting = undefined
    this.#state = state
    const place = this.#place
    this.#place = undefined
    this.#brokers = 0
    this.#deserting?.resolve()
    if (place && closes) void handled(place.close())
    return ++this.#attempt
  }

  /** One attempt. Never rejects. */
  async #try(): Promise<void> {
    const attempt = this.#supersede('providing')
    let place: Place | undefined
    try {
      place = await this.#ground.provide(
        (request) => (attempt === this.#attempt ? this.#restored.take(request) : undefined),
        (brokers) => this.#brokersAre(brokers, attempt),
      )
      if (attempt === this.#attempt) {
        this.#state = 'asking'
        this.#place = place
        const reply = await this.#ground.subscribe(place.channel, this.#restored.expect())
        if (attempt === this.#attempt) this.#succeed(reply)
      }
    } catch (error) {
      if (attempt === this.#attempt) this.#fail(error as Error)
    }
    if (place && place !== this.#place) await place.close().catch(() => {})
  }

  #succeed(reply: SubscribeReply): void {
    this.#state = 'live'
    this.#wasLive = true
    this.lastError = undefined
    this.#restored.begun(reply)
    this.#started.resolve()
    // It may have come and gone before the answer was read.
    if (this.#brokers === 0) this.#deserted(this.#attempt)
  }

  #fail(error: Error): void {
    this.lastError = error
    if (!(error instanceof SignalboxError) || !(error.retryable || (this.#wasLive && isPassing(error)))) {
      this.#supersede('over')
      this.#started.reject(error)
      this.#restored.failed(error)
    } else if (this.#ground.hasBroker) {
      this.#tryLater()
    } else {
      this.#supersede('idle')
    }
  }

  #tryLater(): void {
    const attempt = this.#supersede('waiting')
    this.#stopWaiting = this.#ground.clock.after(againMs, () => {
      if (attempt === this.#attempt) void this.#try()
    })
  }

  #brokersAre(brokers: number, attempt: number): void {
    if (attempt !== this.#attempt) return
    this.#brokers = brokers
    if (brokers === 0) this.#deserting?.resolve()
    if (brokers === 0 && this.#state === 'live') this.#deserted(attempt)
  }

  /** The broker has ended it by itself, or is gone: which of the two is known a turn later. */
  #deserted(attempt: number): void {
    this.#ground.clock.turn(() => {
      if (attempt !== this.#attempt || this.#state !== 'live' || this.#brokers > 0) return
      if (this.#ground.hasBroker) this.#tryLater()
      else this.#supersede('idle')
    })
  }
}

/** Of one that the broker had: its place may still be taken by itself, on a connection that the broker has not given up. */
function isPassing({ code }: SignalboxError): boolean {
  return code === 'TOO_MANY_SUBSCRIPTIONS' || code === 'TOO_MANY_CHANNELS'
}
