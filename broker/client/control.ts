/**
 * A client's stream to the broker for what is asked: hello, subscribe, unsubscribe, watch.
 *
 * Floor 8. Apart from the one for publishes, so that a request never waits for the credit of data. Every broker that
 * appears is greeted first; it counts as there once it has answered. `watch` is asked again after every answer.
 */
import type { Clock } from '#base/clock'
import { type Deferred, deferred, handled } from '#base/deferred'
import { SignalboxError } from '#base/errors'
import type { Consumer, Link } from '#socket/client'
import { decodeHelloReply, decodeRefusals, type HelloReply, type Refusal } from '../shared/replies.ts'
import { type BrokerRequest, encodeRequest } from '../shared/requests.ts'

/** Milliseconds before a broker that refused hello for the moment is greeted again. */
const againMs = 500

export interface ControlSettings {
  readonly channel: string
  readonly producerId: string
  readonly clock: Clock
}

export interface ControlEvents {
  /** A broker has answered. */
  met(reply: HelloReply): void
  /** It is gone. */
  lost(): void
  /** What was sent one way was refused; `isEarlier`: by one whose place another has taken. */
  refused(refusals: readonly Refusal[], isEarlier: boolean): void
  /** No broker will ever answer: the channel is forbidden, or the broker does not understand. */
  failed(error: Error): void
}

export class Control {
  readonly #settings: ControlSettings
  readonly #events: ControlEvents
  readonly #consumer: Consumer
  readonly #firstMet: Deferred<void> = deferred()
  /** Counts the brokers: what was begun with one must not be finished with the next. */
  #life = 0
  #isMet = false
  #wantsWatch = false

  constructor(link: Link, settings: ControlSettings, events: ControlEvents) {
    this.#settings = settings
    this.#events = events
    void handled(this.#firstMet.promise)
    this.#consumer = link.lazyConsumer(settings.channel, { observe: (brokers) => this.#brokersAre(brokers) })
    void this.#meet()
  }

  /** Whether there is a broker, and it has answered. */
  get isMet(): boolean {
    return this.#isMet
  }

  /** Resolves when the first broker has answered; rejects when none ever will. */
  get whenMet(): Promise<void> {
    return this.#firstMet.promise
  }

  ask(request: BrokerRequest, timeoutMs: number): Promise<Uint8Array> {
    return this.#consumer.send(encodeRequest(request), { timeoutMs, ordered: true })
  }

  /** Hears from now on of what the broker refuses. */
  watch(): void {
    if (this.#wantsWatch) return
    this.#wantsWatch = true
    if (this.#isMet) void this.#watch(this.#life)
  }

  /** The broker is gone, or another has taken its place: it is greeted. */
  anew(): void {
    this.#life++
    const wasMet = this.#isMet
    this.#isMet = false
    if (wasMet) this.#events.lost()
    void this.#meet()
  }

  /** One that comes while another is still leaving takes its place. */
  #brokersAre(brokers: number): void {
    if (brokers !== 1) this.anew()
  }

  /** Asks, also while there is no broker: the request then waits for one. */
  async #meet(): Promise<void> {
    const life = this.#life
    const hello = { op: 'hello', producerId: this.#settings.producerId, features: [] } as const
    try {
      const reply = decodeHelloReply(await this.ask(hello, Number.POSITIVE_INFINITY))
      if (life !== this.#life) return
      this.#isMet = true
      this.#firstMet.resolve()
      this.#events.met(reply)
      if (this.#wantsWatch) void this.#watch(life)
    } catch (error) {
      if (life !== this.#life) return
      if (error instanceof SignalboxError && error.retryable) {
        this.#settings.clock.after(againMs, () => life === this.#life && void this.#meet())
        return
      }
      this.#firstMet.reject(error)
      this.#events.failed(error as Error)
    }
  }

  async #watch(life: number): Promise<void> {
    try {
      while (life === this.#life) {
        const reply = await this.ask({ op: 'watch' }, Number.POSITIVE_INFINITY)
        this.#events.refused(decodeRefusals(reply), life !== this.#life)
      }
    } catch (error) {
      // The broker is gone, and the next one is asked; or it does not know the request, and tells nothing.
      const isSignalbox = error instanceof SignalboxError
      // An answer that this side does not take, for its own limit, says nothing of the next.
      const isPassing = isSignalbox && (error.retryable || error.code === 'MESSAGE_TOO_LARGE')
      if (isPassing && life === this.#life) this.#settings.clock.after(againMs, () => void this.#watch(life))
    }
  }
}
