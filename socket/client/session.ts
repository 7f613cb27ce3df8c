/**
 * What lasts of a link: its channel ends, and coming back after a loss.
 *
 * Floor 6. States: connecting -> open -> (leaving ->) lost -> connecting ... -> closed, which is the end. A `Connection`
 * is one attempt and what came of it; there is at most one, and what any other still has to tell is not heard. The ends
 * outlive it and are opened on each; streams do not. Everything that waits is settled when the session closes.
 */
import { abortedBy } from '#base/bounded'
import { callBack } from '#base/callback'
import type { Cancel } from '#base/clock'
import { deferred, handled } from '#base/deferred'
import { isTerminal, SignalboxError, socketError } from '#base/errors'
import { newId } from '#base/identifier'
import { type LinkEvent, type LinkSettings, reconnectWaits } from '../options.ts'
import { GrowthBudget } from '../stream/credit.ts'
import { nextDelayMs } from '../time/backoff.ts'
import { Deadlines } from '../time/deadlines.ts'
import { encodeHello } from '../wire/control-frames.ts'
import { Connection, type ConnectionOwner, type Dialling } from './connection.ts'
import { type End, Ends } from './ends.ts'

/**
 * A link that was welcomed before is told UNAUTHENTICATED so many times in a row, and for so long, before it believes it:
 * whoever knows it may be away for a moment.
 */
const maxRejections = 10
const rejectedForMs = 10_000

export class Session implements ConnectionOwner {
  readonly settings: LinkSettings
  readonly growth: GrowthBudget
  readonly deadlines: Deadlines
  /** Resolves when it is closed for good, with the error if one was the cause. Never rejects. */
  readonly whenClosed: Promise<Error | undefined>
  late = 0
  /** Why it is not open, if that is known. */
  trouble: Error | undefined
  readonly #dial: Dialling
  readonly #hello: Uint8Array
  readonly #ends: Ends
  readonly #first = deferred<void>()
  readonly #closed = deferred<Error | undefined>()
  readonly #onAbort: () => void
  #state: 'connecting' | 'open' | 'leaving' | 'lost' | 'closed' = 'connecting'
  #connection: Connection | undefined
  /** The one last begun, also when it is over and something of it is left in the operating system. */
  #latest: Connection | undefined
  #wasOpen = false
  /** Whether the first connecting is tried again, as after a loss. */
  #isPatient = false
  /** When it was last welcomed. */
  #openedAt = 0
  /** Tries since it was last open. */
  #attempt = 0
  /** Waits since a connection last lasted: a server that welcomes and drops at once is not to be asked at once again. */
  #waits = 0
  #rejections = 0
  #rejectedSince = 0
  #stopWaiting: Cancel = () => {}

  /** Throws INVALID_OPTION for credentials that cannot be sent. */
  constructor(settings: LinkSettings, dial: Dialling) {
    const { name, auth, clock, growthBytes, signal } = settings
    this.#hello = encodeHello({ name, auth, session: newId(clock) })
    this.settings = settings
    this.growth = new GrowthBudget(growthBytes)
    this.deadlines = Deadlines.of(clock)
    this.whenClosed = this.#closed.promise
    this.#ends = new Ends(settings)
    this.#dial = dial
    this.#onAbort = () => this.#finish(this.#wasOpen ? undefined : abortedBy(signal))
    signal?.addEventListener('abort', this.#onAbort, { once: true })
    void handled(this.#first.promise)
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  get isClosed(): boolean {
    return this.#state === 'closed'
  }

  /** Why a channel end that waits to be opened again was refused. */
  get refusal(): SignalboxError | undefined {
    return this.#ends.refusal
  }

  get endCount(): number {
    return this.#ends.size
  }

  get streamCount(): number {
    return this.#connection?.streams ?? 0
  }

  /** Connects for the first time. Rejects when that fails; it is closed then. `isPatient`: only when it would fail again. */
  connect(isPatient = false): Promise<void> {
    this.#isPatient = isPatient
    if (this.settings.signal?.aborted) this.#onAbort()
    else this.#begin()
    return this.#first.promise
  }

  /** Adds a channel end, which is opened now and after every reconnect. */
  add(end: End): void {
    if (this.isClosed) end.ended(this.trouble)
    else this.#ends.add(end)
  }

  /** Takes a channel end away; harmless when it is not there. Its streams go on until they are ended. */
  remove(end: End): void {
    this.#ends.remove(end)
  }

  /** Closes for good: settles everything that waits, lets what was sent go out. Never rejects. */
  async close(): Promise<void> {
    this.#finish(undefined)
    await this.#latest?.gone()
  }

  welcomed(connection: Connection): void {
    this.#state = 'open'
    this.#wasOpen = true
    this.#openedAt = this.settings.clock.monotonic()
    this.#attempt = 0
    this.#rejections = 0
    this.trouble = undefined
    this.#first.resolve()
    this.#ends.openAll(connection)
    // In the same process an end may have been taken by now, and its owner may have closed all this.
    if (!this.isClosed) this.#tell({ type: 'connected' })
  }

  opened(number: number): void {
    this.#ends.opened(number)
  }

  refused(number: number, error: SignalboxError): void {
    this.#ends.refused(number, error)
  }

  endOf(number: number): End | undefined {
    return this.#ends.get(number)
  }

  leaving(): void {
    this.#state = 'leaving'
    this.#ends.leave()
  }

  losing(): void {
    const { maxMs } = reconnectWaits(this.settings)
    if (this.settings.clock.monotonic() - this.#openedAt >= maxMs) this.#waits = 0
    this.#state = 'lost'
    this.#ends.lost()
  }

  over(connection: Connection, error: Error): void {
    // Whoever was told that a stream is lost may have closed it.
    if (connection !== this.#connection) return
    this.#connection = undefined
    this.trouble = error
    if (!this.#wasOpen && !this.#isPatient) {
      this.#finish(error)
      return
    }
    if (this.#state === 'lost') this.#tell({ type: 'disconnected', error })
    if (!this.isClosed) this.#again(error)
  }

  #begin(): void {
    this.#state = 'connecting'
    const connection = new Connection(this)
    this.#connection = connection
    this.#latest = connection
    void connection.begin(this.#dial, this.#hello)
  }

  /** Waits, and tries again; or gives up. */
  #again(cause: Error): void {
    const { reconnect, clock } = this.settings
    const { minMs, maxMs, maxAttempts } = reconnectWaits(this.settings)
    if (reconnect === false || this.#attempt >= maxAttempts || this.#isFinal(cause)) {
      this.#finish(cause)
      return
    }
    this.#state = 'lost'
    const delayMs = nextDelayMs(this.#waits++, minMs, maxMs, clock.random())
    this.#attempt++
    this.#stopWaiting = clock.after(delayMs, () => this.#begin(), true)
    this.#tell({ type: 'reconnecting', error: cause, attempt: this.#attempt, delayMs })
  }

  #isFinal(cause: Error): boolean {
    if (!(cause instanceof SignalboxError) || cause.code !== 'UNAUTHENTICATED') {
      this.#rejections = 0
      return isTerminal(cause)
    }
    const now = this.settings.clock.monotonic()
    if (this.#rejections++ === 0) this.#rejectedSince = now
    return this.#rejections > maxRejections && now - this.#rejectedSince >= rejectedForMs
  }

  /** Lets go of the connection first, then settles, then tells: who is told may do anything. */
  #finish(error: Error | undefined): void {
    if (this.isClosed) return
    const connection = this.#connection
    this.#state = 'closed'
    this.#connection = undefined
    this.trouble = error
    this.settings.signal?.removeEventListener('abort', this.#onAbort)
    this.#stopWaiting()
    connection?.close()
    this.#closed.resolve(error)
    const reason = error instanceof SignalboxError ? error : socketError('CLOSED', undefined, { cause: error })
    this.#first.reject(error ?? reason)
    this.#ends.close(error)
    connection?.drop(reason)
    this.#tell(error ? { type: 'closed', error } : { type: 'closed' })
  }

  #tell(event: LinkEvent): void {
    callBack(this.settings.clock, this.settings.observe, event)
  }
}
