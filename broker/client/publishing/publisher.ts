/**
 * The publishing side: sends what was packed as credit allows, and knows what became of it.
 *
 * Floor 8. Parcels leave on a stream of their own, which is opened for the first of them. Without credit they wait here,
 * up to `maxBufferedBytes`; then publishing is refused (BUFFER_FULL). What was sent on a stream is certain once a
 * flush on that same stream has been answered; what was not when the stream broke may be lost, and is counted.
 */
import { bounded } from '#base/bounded'
import type { Clock } from '#base/clock'
import { type Deferred, deferred, handled } from '#base/deferred'
import { SignalboxError, socketError } from '#base/errors'
import { Fifo } from '#base/fifo'
import { defined } from '#base/verify'
import { type Consumer, maxFrameBytes } from '#socket/client'
import { recordHeaderBytes } from '../../shared/batch.ts'
import { encodeShared, encodeValue } from '../../shared/codec.ts'
import { decodeFlushReply, type Refusal } from '../../shared/replies.ts'
import { encodeRequest } from '../../shared/requests.ts'
import type { Attributes } from '../message.ts'
import type { PublishOptions } from '../options.ts'
import { Packer } from './packer.ts'
import { Receipt } from './receipt.ts'
import { Refusals, type Refused } from './refusals.ts'

/** Bytes that leave in one turn at most: a loop that publishes must not keep everything else from running. */
const maxTurnBytes = 1024 * 1024
/** What each message that waits is charged besides its bytes: the promise that somebody may await takes memory too. */
const waitingBytes = 64
/** A parcel's bytes are written once. */
const givenAway = Object.freeze({ transfer: true })
/** Milliseconds that a control request waits at most for a large message that leaves in fragments. */
const largePatienceMs = 250
/** Milliseconds that a flush waits for the reason of a refusal: it comes on another stream, right after. */
const reasonPatienceMs = 1_000

/** Those who wait for a parcel to leave. */
interface Waiting {
  readonly parcel: number
  readonly taken: Deferred<void>
}

export interface PublisherSettings {
  readonly producerId: string
  readonly sender: string
  readonly maxBufferedBytes: number
  readonly maxMessageBytes: number
  readonly clock: Clock
  /** Opens the stream that parcels leave on; told how many brokers there are, and what ended the one that left. */
  open(observe: (brokers: number, error?: Error) => void): Consumer
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
  #scheduled = false
  /** The turn in which parcels last left. */
  #leftIn = -1
  /** Parcels that have left. */
  #left = 0
  /** Bytes that have left in this turn. */
  #turnBytes = 0
  readonly #waiting = new Fifo<Waiting>()
  #latest: Waiting | undefined
  #block: Block | undefined
  /** Resolves when what parcels wait for has come. */
  #unblocked: Promise<void> = Promise.resolve()
  #isHeld: boolean
  #closed: Error | undefined
  /** Of the present stream: messages sent, those of them that a flush has answered for, and those refused. */
  #stream = { sent: 0, certain: 0, refused: 0, over: deferred<void>() }
  /** Messages that may be lost, since the last flush. */
  #lost = 0
  /** Messages that the broker refused, and why it refused the latest one, since the last flush. */
  #refusedThere = 0
  #reason: Refusal | undefined
  #reasoned: Deferred<void> | undefined

  /** `isHeld`: nothing leaves before `release`. */
  constructor(settings: PublisherSettings, isHeld = false) {
    this.#settings = settings
    this.#isHeld = isHeld
    this.#packer = new Packer(settings.producerId, settings.sender, settings.maxMessageBytes)
    this.#refusals = new Refusals(settings.clock, settings.refused)
    void handled(this.#stream.over.promise)
  }

  /** Bytes that wait for credit. */
  get buffered(): number {
    return this.#packer.bytes
  }

  /** See `Client.publish`. */
  publish(topic: string, data: unknown, options: PublishOptions | undefined): Promise<Receipt> {
    if (this.#closed) return handled(Promise.reject(this.#closed))
    let receipt: Receipt
    try {
      receipt = this.#append(topic, data, options)
    } catch (error) {
      return this.refuse(topic, error as Error, 1)
    }
    const parcel = this.#packer.wrapped
    // A large one leaves in fragments: it has been taken once the last of them is out. A full one goes at once.
    if (this.#packer.openBytes > maxFrameBytes) this.#packer.wrap()
    if (this.#packer.parcels.length > 0) this.#pump()
    return this.#block ? this.#whenTaken(parcel, receipt, options) : Promise.resolve(receipt)
  }

  /** Counts and tells publishes that were refused here: whoever does not await one hears of it all the same. */
  refuse(topic: string, error: Error, count: number): Promise<never> {
    this.refused += count
    const code = error instanceof SignalboxError ? error.code : 'INVALID_DATA'
    return this.#refusals.add(String(topic).slice(0, 300), code, error, count)
  }

  /** Whether everything that was published is certain. */
  get isCertain(): boolean {
    return this.buffered === 0 && this.#stream.sent === this.#stream.certain
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
    this.#packer.rename(sender)
    this.#packer.maxMessageBytes = maxMessageBytes
    this.#isHeld = false
    if (this.#block !== 'held') return
    this.#block = undefined
    this.#pump()
  }

  /** Resolves once what was published so far has left as far as credit allows, which may take some turns. */
  async settled(): Promise<void> {
    this.send()
    const last = this.#packer.wrapped
    while (this.#left < last && this.#block && !this.#closed) {
      if (this.#block === 'held' || (this.#block === 'credit' && this.#brokers > 0)) return
      if (this.#block === 'fragments') {
        const { clock } = this.#settings
        await bounded(this.#unblocked, { timeoutMs: largePatienceMs }, clock).catch(() => {})
        if (this.#block === 'fragments') return
      } else {
        await this.#unblocked.catch(() => {})
      }
    }
  }

  /** Resolves once everything published so far has left. */
  async sent(): Promise<void> {
    this.send()
    if (this.#left >= this.#packer.wrapped) return
    if (this.#closed) throw this.#closed
    await this.#taken(this.#packer.wrapped - 1)
  }

  /**
   * Resolves when a broker has taken all that was published so far. Rejects with why it refused some of it since the
   * last flush, or with LINK_LOST when some of it may be lost; then the count begins anew.
   */
  async flush(limits: { timeoutMs: number; signal: AbortSignal | undefined }): Promise<void> {
    await bounded(this.#answered(limits), limits, this.#settings.clock)
    const [lost, refused] = [this.#lost, this.#refusedThere]
    this.#lost = 0
    this.#refusedThere = 0
    if (refused > 0) {
      await this.#waitForReason()
      const { code, message, number } = this.#reason ?? unknownReason
      this.#reason = undefined
      throw new SignalboxError(code, message, { number, details: { refused, ...(lost > 0 && { lost }) } })
    }
    this.#reason = undefined
    if (lost === 0) return
    const what = `The broker was lost before it confirmed ${lost} messages, which may be lost.`
    throw socketError('LINK_LOST', what, { details: { lost } })
  }

  /** What the broker refused of what was sent. */
  refusedByBroker(refusal: Refusal): void {
    this.#reason = refusal
    this.#reasoned?.resolve()
  }

  close(error: Error): void {
    if (this.#closed) return
    this.#closed = error
    this.#packer.clear()
    this.#stream.over.reject(error)
    for (const { taken } of this.#waiting.clear()) taken.reject(error)
  }

  /** Resolves once a broker has answered for everything on one and the same stream. */
  async #answered({ timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal | undefined }): Promise<void> {
    const options = { timeoutMs, ordered: true, ...(signal && { signal }) }
    for (;;) {
      await this.sent()
      if (this.#closed) throw this.#closed
      const stream = this.#stream
      const { sent } = stream
      try {
        const reply = await this.#opened.send(encodeRequest({ op: 'flush' }), options)
        if (stream !== this.#stream) continue
        const { refused } = decodeFlushReply(reply)
        this.#refusedThere += Math.max(0, refused - stream.refused)
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

  /** The broker tells why on a stream of its own; one that tells nothing must not keep a flush for ever. */
  async #waitForReason(): Promise<void> {
    if (this.#reason) return
    this.#reasoned ??= deferred()
    await bounded(this.#reasoned.promise, { timeoutMs: reasonPatienceMs }, this.#settings.clock).catch(() => {})
    this.#reasoned = undefined
  }

  get #opened(): Consumer {
    this.#consumer ??= this.#settings.open((brokers, error) => this.#brokersAre(brokers, error))
    return this.#consumer
  }

  #brokersAre(brokers: number, error: Error | undefined): void {
    this.#brokers = brokers
    if (brokers > 0) return
    const { sent, certain, over } = this.#stream
    // A stream that ended in good order has brought everything.
    if (error) this.#lost += sent - certain
    this.#stream = { sent: 0, certain: 0, refused: 0, over: deferred() }
    void handled(this.#stream.over.promise)
    over.resolve()
  }

  #append(topic: string, data: unknown, options: PublishOptions | undefined): Receipt {
    const isRaw = data instanceof Uint8Array
    // Before the payload, whose bytes are valid until the next thing is encoded.
    const attributes = options && encodeAttributes(options)
    const payload = isRaw ? data : encodeShared(data)
    const size = recordHeaderBytes + payload.length + (attributes ? 4 + attributes.length : 0)
    const heading = this.#packer.admit(topic, size)
    const { maxBufferedBytes, producerId } = this.#settings
    if (this.#block && this.buffered > 0) {
      const needed = this.buffered + size + (this.#packer.messages + 1) * waitingBytes
      if (needed > maxBufferedBytes) throw this.#refusals.full(maxBufferedBytes, needed)
    }
    const seq = this.#packer.append(heading, payload, isRaw, attributes, size)
    if (!this.#scheduled) this.#schedule()
    return new Receipt(topic, options?.id, producerId, seq)
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
    const { bytes, count } = this.#packer.take() as { bytes: Uint8Array; count: number }
    if (bytes.length > this.#packer.maxMessageBytes) {
      // It was taken while another broker allowed more.
      void this.refuse(
        '',
        socketError('MESSAGE_TOO_LARGE', `The broker takes ${this.#packer.maxMessageBytes} bytes.`),
        count,
      )
      this.#hasLeft()
      return
    }
    this.#turnBytes += bytes.length
    const stream = this.#stream
    if (consumer.tryPost(bytes, givenAway)) {
      stream.sent += count
      this.#hasLeft()
      return
    }
    const posted = consumer.post(bytes, givenAway).then(
      () => {
        if (stream === this.#stream) stream.sent += count
        else this.#lost += count
      },
      () => {
        this.#lost += count
      },
    )
    this.#waitFor(
      'fragments',
      posted.then(() => this.#hasLeft()),
    )
  }

  #hasLeft(): void {
    this.#left++
    for (let first = this.#waiting.peek(); first && first.parcel < this.#left; first = this.#waiting.peek()) {
      this.#waiting.shift()
      first.taken.resolve()
    }
  }

  #schedule(): void {
    this.#scheduled = true
    const { clock } = this.#settings
    const turn = clock.turnNumber()
    const leave = (): void => {
      this.#scheduled = false
      this.#turnBytes = 0
      this.send()
    }
    // As a port does: the first of a turn leaves soon, what comes later at its end.
    if (this.#leftIn === turn) clock.turn(leave)
    else clock.soon(leave)
    this.#leftIn = turn
  }

  /** Waits; meanwhile publishes wait too. */
  #waitFor(block: Block, until: Promise<void>): void {
    this.#block = block
    this.#unblocked = until.then(
      () => {
        this.#block = undefined
        if (this.#closed === undefined) this.send()
      },
      (error: Error) => this.close(error),
    )
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

  /** Resolves when that parcel has left; one promise for all that wait for it. Rejects when the publisher closes. */
  #taken(parcel: number): Promise<void> {
    const latest = this.#latest
    if (latest?.parcel === parcel) return latest.taken.promise
    const waiting: Waiting = { parcel, taken: deferred() }
    void handled(waiting.taken.promise)
    this.#latest = waiting
    this.#waiting.push(waiting)
    return waiting.taken.promise
  }

  #whenTaken(parcel: number, receipt: Receipt, options: PublishOptions | undefined): Promise<Receipt> {
    const { timeoutMs, signal } = options ?? {}
    const taken = this.#taken(parcel).then(() => receipt)
    if (timeoutMs === undefined && signal === undefined) return handled(taken)
    return handled(bounded(taken, { timeoutMs, signal }, this.#settings.clock))
  }
}

const unknownReason = { code: 'REMOTE', number: 3009, message: 'The broker refused messages and did not say why.' }

/** Whether the broker left, or is leaving, and another answers for what comes. */
function isInterruption(error: unknown): boolean {
  const codes = ['LINK_LOST', 'PROVIDER_CLOSED', 'NO_PROVIDER', 'BROKER_CLOSED']
  return error instanceof SignalboxError && codes.includes(error.code)
}

/** The attributes' bytes, if there are any. */
function encodeAttributes({ id, headers, correlationId, replyTo }: PublishOptions): Uint8Array | undefined {
  const given: Attributes = defined({ id, headers, correlationId, replyTo }) as Attributes
  return Object.keys(given).length === 0 ? undefined : encodeValue(given)
}
