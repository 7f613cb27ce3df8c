/**
 * The publishing side: sends what was packed as credit allows, and knows what became of it.
 *
 * Floor 8. Parcels leave on a stream of their own, which is opened for the first of them. Without credit they wait here,
 * up to `maxBufferedBytes`; then publishing is refused (BUFFER_FULL). What was sent on a stream is certain once a
 * flush on that same stream has been answered; what was not when the stream broke may be lost, and is counted.
 */
import { abortedBy, bounded } from '#base/bounded'
import type { Clock } from '#base/clock'
import { handled } from '#base/deferred'
import { Dispatch } from '#base/dispatch'
import { SignalboxError, socketError } from '#base/errors'
import { type Consumer, maxFrameBytes } from '#socket/client'
import { recordHeaderBytes } from '../../shared/batch.ts'
import { encodeShared } from '../../shared/codec.ts'
import { decodeFlushReply, type Refusal } from '../../shared/replies.ts'
import { encodeRequest } from '../../shared/requests.ts'
import type { PublishOptions } from '../options.ts'
import { encodeAttributes } from './attributes.ts'
import { Departures } from './departures.ts'
import { Packer, type Parcel } from './packer.ts'
import { Receipt } from './receipt.ts'
import { Refusals, type Refused } from './refusals.ts'
import { Room } from './room.ts'
import { isInterruption, Sent } from './sent.ts'
import { Shortfall } from './shortfall.ts'
import type { ObserveBrokers } from './stream-order.ts'

/** Bytes that leave in one turn at most: a loop that publishes must not keep everything else from running. */
const maxTurnBytes = 1024 * 1024
/** A parcel's bytes are written once. */
const givenAway = Object.freeze({ transfer: true })
/** Milliseconds that a control request waits at most for the end of a turn, a stream, a large message in fragments. */
const patienceMs = Object.freeze({ turn: Number.POSITIVE_INFINITY, credit: 5_000, fragments: 250 })
/** Milliseconds that closing waits at most. */
const leavingMs = 1_000

export interface PublisherSettings {
  readonly producerId: string
  readonly sender: string
  readonly maxBufferedBytes: number
  readonly maxMessageBytes: number
  readonly clock: Clock
  /** Opens the stream that parcels leave on. */
  open(observe: ObserveBrokers): Consumer
  /** Told of publishes that were refused here, once per turn. */
  refused(refused: Refused): void
}

/** What parcels wait for. */
type Block = 'held' | 'turn' | 'credit' | 'fragments'

export class Publisher {
  /** Messages refused here. */
  refused = 0
  readonly #settings: PublisherSettings
  readonly #packer: Packer
  readonly #refusals: Refusals
  #consumer: Consumer | undefined
  #brokers = 0
  readonly #dispatch: Dispatch
  /** Bytes that have left in this turn. */
  #turnBytes = 0
  readonly #departures = new Departures()
  #block: Block | undefined
  /** Resolves when what parcels wait for has come. */
  #unblocked: Promise<void> = Promise.resolve()
  #isHeld: boolean
  #closed: Error | undefined
  /** Nothing more is taken. */
  #isStopped = false
  /** Its stream has ended by itself, and the client goes on. */
  #isBroken = false
  #stream = new Sent()
  /** Those of brokers that are leaving, though another has come: they still take what was sent. The oldest first. */
  readonly #leaving: Sent[] = []
  /** The latest that has ended in good order: its broker may still tell what of it was refused. */
  #ended = new Sent()
  readonly #shortfall: Shortfall
  readonly #room: Room

  /** `isHeld`: nothing leaves before `release`. */
  constructor(settings: PublisherSettings, isHeld = false) {
    this.#settings = settings
    this.#isHeld = isHeld
    this.#packer = new Packer(settings.producerId, settings.sender, settings.maxMessageBytes)
    this.#refusals = new Refusals(settings.clock, settings.refused)
    this.#shortfall = new Shortfall(settings.clock)
    this.#room = new Room(settings.maxBufferedBytes)
    this.#dispatch = new Dispatch(settings.clock, () => this.#leave())
  }

  /** Bytes that wait for credit. */
  get buffered(): number {
    return this.#packer.bytes
  }

  /** See `Client.publish`. */
  publish(topic: string, data: unknown, options: PublishOptions | undefined): Promise<Receipt> {
    if (this.#isBroken) return this.refuse(topic, this.#closed as Error, 1)
    if (this.#isStopped) return handled(Promise.reject(this.#closed ?? socketError('CLOSED')))
    const aborted = abortedBy(options?.signal)
    if (aborted) return handled(Promise.reject(aborted))
    let receipt: Receipt
    try {
      receipt = this.#append(topic, data, options)
    } catch (error) {
      const refusal = this.#room.refusalWith(error as Error)
      if (refusal === undefined) return this.refuse(topic, error as Error, 1)
      this.#countRefused(topic, error as Error, 1)
      return refusal
    }
    const parcel = this.#packer.wrapped
    // A large one leaves in fragments: it has been taken once the last of them is out. A full one goes at once.
    if (this.#packer.openBytes > maxFrameBytes) this.#packer.wrap()
    if (this.#packer.parcels.length > 0) this.#pump()
    return this.#block ? this.#whenTaken(parcel, receipt, options) : Promise.resolve(receipt)
  }

  /** Counts and tells publishes that were refused here: whoever does not await one hears of it all the same. */
  refuse(topic: string, error: Error, count: number): Promise<never> {
    this.#countRefused(topic, error, count)
    return handled(Promise.reject(error))
  }

  #countRefused(topic: string, error: Error, count: number): void {
    this.refused += count
    const code = error instanceof SignalboxError ? error.code : 'INVALID_DATA'
    // What is no topic may be anything, also what has no text.
    this.#refusals.add(typeof topic === 'string' ? topic.slice(0, 300) : typeof topic, code, error, count)
  }

  /** Whether everything that was published is certain. */
  get isCertain(): boolean {
    const { sent, certain } = this.#stream
    return this.buffered === 0 && !this.#isLeaving && this.#leaving.length === 0 && sent === certain
  }

  /** Sends what credit allows. */
  send(): void {
    this.#packer.wrap()
    this.#pump()
  }

  /** Sends nothing before `release`. */
  hold(): void {
    this.#isHeld = true
  }

  /** What waits may go to the broker that has answered, under the name and within the size that it told. */
  release(sender: string, maxMessageBytes: number): void {
    this.#packer.suit(sender, maxMessageBytes)
    this.#isHeld = false
    if (this.#block !== 'held') return
    this.#block = undefined
    this.#pump()
  }

  /** Resolves once what was published so far has left as far as credit allows, which may take some turns. */
  async settled(): Promise<void> {
    this.send()
    const last = this.#packer.wrapped
    while (this.#departures.left < last && this.#block && !this.#closed) {
      const block = this.#block
      if (block === 'held' || (block === 'credit' && this.#brokers > 0)) return
      const timeoutMs = patienceMs[block]
      await bounded(this.#unblocked, { timeoutMs }, this.#settings.clock).catch(() => {})
      if (block !== 'turn' && block === this.#block) return
    }
  }

  /** Sends what can leave at once, and says whether something is left. */
  hasToLeave(): boolean {
    if (this.#closed) return false
    this.send()
    return this.#isLeaving
  }

  get #isLeaving(): boolean {
    return this.#departures.left < this.#packer.wrapped
  }

  /**
   * For a client that closes: takes nothing new, and resolves when what was taken has left, within a second, or there is
   * no broker: whoever published was told yes while there was credit, which need not last for all that was packed since.
   * `released`: nothing leaves before, and a client in the broker's process need not have waited for that.
   */
  async departed(released: Promise<void>): Promise<void> {
    this.#isStopped = true
    if (!this.hasToLeave()) return
    const leaving = released.then(() => this.#emptied())
    await bounded(leaving, { timeoutMs: leavingMs }, this.#settings.clock).catch(() => {})
  }

  async #emptied(): Promise<void> {
    while (this.hasToLeave() && (!this.#isHeld || this.#block === 'fragments')) await this.#unblocked
  }

  /** Resolves once everything published so far has left, or never will. */
  async sent(): Promise<void> {
    this.send()
    if (this.#departures.left >= this.#packer.wrapped) return
    if (!this.#closed) await this.#departures.whenLeft(this.#packer.wrapped - 1).catch(() => {})
    if (this.#closed) throw this.#closed
  }

  /**
   * Resolves when a broker has taken all that was published so far. Rejects with why some of what had been taken here was
   * refused since the last flush, or with LINK_LOST when some of it may be lost; then the count begins anew. Two at once
   * tell the same.
   */
  async flush(limits: { timeoutMs: number; signal: AbortSignal | undefined }): Promise<void> {
    await this.#shortfall.after(bounded(this.#answered(limits), limits, this.#settings.clock), limits)
  }

  /** What the broker refused of what was sent; or one before it, which is leaving. */
  refusedByBroker(refusal: Refusal, isEarlier: boolean): void {
    const stream = this.#brokers > 0 && !isEarlier ? this.#stream : (this.#leaving[0] ?? this.#ended)
    this.#shortfall.refused += stream.tell(refusal.count)
    this.#shortfall.because(refusal)
  }

  close(error: Error): void {
    if (this.#closed) return
    this.#closed = error
    this.#isStopped = true
    this.#packer.clear()
    for (const { over } of [...this.#leaving, this.#stream]) over.reject(error)
    this.#departures.fail(error)
  }

  /** Resolves once a broker has answered for everything on one and the same stream. */
  async #answered({ timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal | undefined }): Promise<void> {
    const options = { timeoutMs, ordered: true, ...(signal && { signal }) }
    for (;;) {
      await this.sent()
      await Promise.all(this.#leaving.map(({ over }) => over.promise))
      if (this.#closed) throw this.#closed
      const stream = this.#stream
      const { sent } = stream
      try {
        const reply = await this.#opened.send(encodeRequest({ op: 'flush' }), options)
        if (stream !== this.#stream) continue
        const { refused } = decodeFlushReply(reply)
        this.#shortfall.refused += Math.max(0, refused - stream.refused)
        stream.certain = Math.max(stream.certain, sent)
        stream.refused = Math.max(stream.refused, refused)
        return
      } catch (error) {
        // The successor of a broker that closes, or was lost, answers for what it gets.
        if (!isInterruption(error)) throw error
        await stream.over.promise
      }
    }
  }

  get #opened(): Consumer {
    this.#consumer ??= this.#settings.open((...joined) => this.#brokersAre(...joined))
    return this.#consumer
  }

  #brokersAre(brokers: number, error?: Error, at = 0): void {
    const before = this.#brokers
    this.#brokers = brokers
    if (brokers > before) {
      // The successor of one that is leaving may be gone already.
      if (before > this.#leaving.length) this.#leaving.push(this.#renewed())
      return
    }
    const [stream = this.#renewed()] = this.#leaving.splice(at, 1)
    stream.isOver = true
    stream.over.resolve()
    if (error) {
      this.#shortfall.lost += stream.sent - stream.certain
      return
    }
    // A stream that ended in good order has brought everything; what of it was refused, no flush has counted.
    this.#shortfall.refused += stream.uncounted
    this.#ended = stream
  }

  /** Begins to count anew, and returns what counted before. */
  #renewed(): Sent {
    const stream = this.#stream
    this.#stream = new Sent()
    return stream
  }

  #append(topic: string, data: unknown, options: PublishOptions | undefined): Receipt {
    const isRaw = data instanceof Uint8Array
    // Before the payload, whose bytes are valid until the next thing is encoded.
    const attributes = options && encodeAttributes(options)
    const payload = isRaw ? data : encodeShared(data)
    const size = recordHeaderBytes + payload.length + (attributes ? 4 + attributes.length : 0)
    const heading = this.#packer.admit(topic, size)
    if (this.#block && this.buffered > 0) this.#room.take(size, this.buffered, this.#departures.waiting)
    const seq = this.#packer.append(heading, payload, isRaw, attributes, size)
    if (!this.#dispatch.isPlanned) this.#dispatch.plan(size)
    return new Receipt(topic, options?.id, this.#settings.producerId, seq)
  }

  #pump(): void {
    while (this.#block === undefined && this.#packer.parcels.length > 0) {
      if (this.#isHeld) this.#block = 'held'
      else if (this.#turnBytes > maxTurnBytes) this.#waitFor('turn', this.#turned())
      else if (this.#opened.credit > 0) this.#post(this.#opened)
      else this.#waitFor('credit', this.#opened.ready())
    }
  }

  #post(consumer: Consumer): void {
    const parcel = this.#packer.take() as Parcel
    const { bytes, count, tooLarge } = parcel
    if (tooLarge > 0) {
      const error = socketError('MESSAGE_TOO_LARGE', `The broker that has come takes less; ${tooLarge} are too large.`)
      this.#refuseLater(error, tooLarge)
      if (count === 0) {
        this.#hasLeft(parcel, error)
        return
      }
    }
    this.#turnBytes += bytes.length
    const stream = this.#stream
    if (consumer.tryPost(bytes)) {
      stream.sent += count
      this.#packer.giveBack(parcel)
      this.#hasLeft(parcel)
      return
    }
    const posted = consumer.post(bytes, givenAway).then(
      () => {
        if (stream.isOver) this.#shortfall.lost += count
        else stream.sent += count
        this.#hasLeft(parcel)
      },
      (error: Error) => {
        if (isInterruption(error)) this.#shortfall.lost += count
        else if (!this.#closed) this.#refuseLater(error, count)
        this.#hasLeft(parcel, error)
      },
    )
    this.#waitFor('fragments', posted)
  }

  #hasLeft({ isLast }: Parcel, error?: Error): void {
    if (isLast) this.#departures.next(error)
  }

  /** What was taken here cannot go. */
  #refuseLater(error: Error, count: number): void {
    this.#countRefused('', error, count)
    this.#shortfall.refused += count
    this.#shortfall.because(error instanceof SignalboxError ? error : undefined)
  }

  #leave(): boolean {
    const isMuch = Dispatch.isMuch(this.#packer.bytes)
    this.#turnBytes = 0
    this.send()
    return isMuch
  }

  /** Waits; meanwhile publishes wait too. */
  #waitFor(block: Block, until: Promise<void>): void {
    this.#block = block
    this.#unblocked = until.then(
      () => {
        this.#block = undefined
        if (this.#closed === undefined) this.send()
      },
      (error: Error) => this.#break(error),
    )
  }

  /** The server does not let it have a stream: what waits cannot leave, nor what is published from now on. */
  #break(error: Error): void {
    if (this.#closed) return
    const { messages } = this.#packer
    this.#isBroken = true
    this.close(error)
    if (messages > 0) this.#refuseLater(error, messages)
  }

  /** The end of this turn: a broker in the same process takes everything at once, and others want to run too. */
  #turned(): Promise<void> {
    return new Promise((resolve) => {
      this.#settings.clock.turn(() => {
        this.#turnBytes = 0
        resolve()
      })
    })
  }

  #whenTaken(parcel: number, receipt: Receipt, options: PublishOptions | undefined): Promise<Receipt> {
    const { timeoutMs, signal } = options ?? {}
    const taken = this.#departures.whenLeft(parcel).then(() => receipt)
    if (timeoutMs === undefined && signal === undefined) return handled(taken)
    return handled(bounded(taken, { timeoutMs, signal }, this.#settings.clock))
  }
}
