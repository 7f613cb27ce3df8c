/**
 * The hub: takes publishes and requests on the broker channel, and forwards on one channel per subscription.
 *
 * Floor 13. Written with Consumers and Providers alone: it does not know whether its server is in this process. A batch
 * goes through the intake, which judges it, the engine, which numbers and keeps it, and delivery, which forwards it.
 */
import type { Cancel, Clock } from '#base/clock'
import { deferred } from '#base/deferred'
import type { MemoryBudget } from '#base/memory-budget'
import type { Link, Provider, Request } from '#socket'
import { WireKind } from '../shared/gap.ts'
import { Control } from './control.ts'
import { Holdings } from './delivery/holdings.ts'
import { Parcel } from './delivery/parcel.ts'
import type { Engine, EngineHost } from './engine/engine.ts'
import { MemoryEngine } from './engine/memory-engine.ts'
import { Inlets } from './inlet.ts'
import { Intake } from './intake.ts'
import type { HubSettings } from './options.ts'
import { Refusals } from './refusals.ts'
import { Subscriptions } from './subscriptions.ts'
import { Topics } from './topics.ts'

/** What a broker has done since its start, and what it holds now. */
export interface HubStats {
  readonly topics: number
  readonly subscriptions: number
  /** Subscriptions that read what was kept, and are not live yet. */
  readonly catchingUp: number
  /** Messages taken from publishers. */
  readonly published: number
  /** Messages forwarded, counted once per subscription. */
  readonly forwarded: number
  /** Messages dropped because a subscription's limit was reached. Each is in a gap that its subscriber is told. */
  readonly dropped: number
  /** Messages held for subscriptions without credit. */
  readonly held: number
  /** Publishes whose credit is held back, so that subscribers keep up. */
  readonly paced: number
  /** Batches and requests refused: malformed, too large, under another's name, or one topic too many. */
  readonly refused: number
  /** Bytes held for others, by the whole program where the server is in it, and how many may be. */
  readonly memory: { readonly used: number; readonly limit: number }
}

/** Times that idle topics are looked for within `topicIdleMs`. */
const sweepsPerIdle = 60
const [leastSweepMs, mostSweepMs] = [20, 100]

export class Hub {
  /** Says which life of the broker positions belong to. Never 0. */
  readonly epoch: number
  /** Resolves when the hub is closed, or its link is for good. */
  readonly closed: Promise<Error | undefined>
  readonly #link: Link
  readonly #memory: MemoryBudget
  readonly #settings: HubSettings
  readonly #clock: Clock
  readonly #engine: Engine
  readonly #topics: Topics
  readonly #subscriptions: Subscriptions
  readonly #refusals: Refusals
  readonly #intake: Intake
  readonly #control: Control
  readonly #inlets = new Inlets()
  readonly #ended = deferred<Error | undefined>()
  /** There once the hub has been opened. */
  #provider: Provider | undefined
  #closing: Promise<void> | undefined
  #isAboutToTell = false
  readonly #stopSweeping: Cancel

  /** @internal Use `Hub.start`. */
  constructor(link: Link, settings: HubSettings, clock: Clock) {
    this.#link = link
    const { memory } = link
    this.#memory = memory
    this.closed = this.#ended.promise
    this.#settings = settings
    this.#clock = clock
    const { maxMessageBytes, topicIdleMs } = settings
    const epoch = 1 + Math.floor(clock.random() * 0xffff_fffe)
    const engine = new MemoryEngine(clock, memory)
    const refusals = new Refusals(clock, maxMessageBytes)
    const subscriptions = new Subscriptions({ link, settings, clock, engine, epoch }, new Holdings(memory))
    const { matcher } = subscriptions
    const topics = new Topics(settings, epoch, clock, (name) => matcher.matchUncached(name).length > 0, memory)
    this.epoch = epoch
    this.#engine = engine
    this.#topics = topics
    this.#refusals = refusals
    this.#subscriptions = subscriptions
    this.#intake = new Intake({ clock, engine, topics, matcher, refusals, memory, maxMessageBytes })
    this.#control = new Control({ epoch, maxMessageBytes, subscriptions, topics, refusals })
    const sweepMs = Math.min(mostSweepMs, Math.max(leastSweepMs, topicIdleMs / sweepsPerIdle))
    this.#stopSweeping = clock.every(sweepMs, () => topics.sweep())
  }

  /** Provides the broker channel. Rejects with CHANNEL_CONFLICT when the server has a broker already. */
  static async start(link: Link, settings: HubSettings, clock: Clock): Promise<Hub> {
    const hub = new Hub(link, settings, clock)
    try {
      await hub.#open()
      return hub
    } catch (error) {
      hub.#stopSweeping()
      throw error
    }
  }

  stats(): HubStats {
    const { used, limit } = this.#memory
    return {
      topics: this.#topics.size,
      ...this.#subscriptions.stats(),
      published: this.#intake.published,
      paced: this.#intake.pacer.size,
      refused: this.#intake.refused + this.#control.refused + (this.#provider?.refusedMessages ?? 0),
      memory: { used, limit },
    }
  }

  /** Holds no publisher up any more, for it is about to be closed. */
  hurry(): void {
    this.#intake.pacer.close()
  }

  /**
   * Leaves its channel, so that clients keep what they publish for the next broker; takes and forwards what is under
   * way, and what it holds, for `drainMs` at most; then leaves the server.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#control.isClosing = true
    const { drainMs } = this.#settings
    this.#rest()
    this.#refusals.gather()
    const late = deferred<void>()
    const stop = this.#clock.after(
      drainMs,
      () => {
        this.#refusals.close()
        late.resolve()
      },
      true,
    )
    const drained = this.#provider?.drain({ timeoutMs: drainMs })
    this.#tellRefusals()
    await drained
    await Promise.race([this.#subscriptions.whenEmpty(), late.promise])
    stop()
    this.#subscriptions.close()
    await this.#engine.close()
    this.#topics.close()
    await this.#link.close()
  }

  /** Of a hub that closes: once there are no streams but those on which clients ask what was refused, all is judged. */
  #tellRefusals(): void {
    if (!this.#control.isClosing || this.#isAboutToTell) return
    this.#isAboutToTell = true
    this.#clock.turn(() => {
      this.#isAboutToTell = false
      if ((this.#provider?.consumers ?? 0) <= this.#refusals.streams) this.#refusals.close()
    })
  }

  async #open(): Promise<void> {
    const host: EngineHost = {
      committed: (bytes, count, topic) => {
        const parcel = new Parcel(bytes, count)
        for (const target of this.#subscriptions.matcher.match(topic.name))
          target.offer(parcel, topic.keep !== undefined)
      },
      // At most once, nobody waits for a ticket.
      settled: () => {},
      trimmed: this.#subscriptions.trimmed,
      // The memory engine is ready for as long as it lives.
      changed: () => {},
    }
    await this.#engine.open(host)
    const provider = await this.#link.provider(this.#settings.channel, {
      whenTaken: 'close',
      observe: () => this.#tellRefusals(),
    })
    this.#provider = provider
    provider.serve((request) => this.#take(request), { concurrency: Number.POSITIVE_INFINITY })
    // Nothing is received beside the handler, which must be there before, but the end.
    provider.receive().then(
      () => void this.#link.closed.then(this.#ended.resolve),
      (error: Error) => this.#lost(error),
    )
  }

  /** When another broker has taken the channel in an outage, this one is of no use any more. */
  async #lost(error: Error): Promise<void> {
    this.#rest()
    this.#refusals.close()
    this.#subscriptions.close()
    await this.#link.close()
    await this.#engine.close()
    this.#topics.close()
    this.#ended.resolve(error)
  }

  /** Holds nobody up, and has no timer any more. */
  #rest(): void {
    this.#stopSweeping()
    this.hurry()
  }

  #take(request: Request): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    const bytes = request.payload
    const inlet = this.#inlets.of(request.peer)
    if (bytes[0] === WireKind.BATCH) return this.#intake.take(bytes, inlet, request)
    return this.#control.answer(bytes, inlet, request)
  }
}
