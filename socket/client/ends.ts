/**
 * The channel ends of a link: which number each has on the present connection, and when it is opened again.
 *
 * Floor 5. States of an end: idle (without a number) -> opening -> open, and idle again when the connection is lost. An
 * end that has been open, or for whose opening nobody waits, and is refused for a reason that may pass stays idle for a
 * while and is opened again, until it is taken. Numbers only rise on one connection: what answers an earlier OPEN is never
 * taken for a later one's. [SOCK 4]
 */
import { none } from '#base/bytes'
import type { Cancel } from '#base/clock'
import type { SignalboxError } from '#base/errors'
import { type LinkSettings, reconnectWaits } from '../options.ts'
import { nextDelayMs } from '../time/backoff.ts'
import { encodeOpen, type Open } from '../wire/control-frames.ts'
import { Kind } from '../wire/frame.ts'
import type { Attachable, Connection } from './connection.ts'

/** A channel end on this side: a Consumer or a Provider. */
export interface End extends Attachable {
  readonly open: Open
  /** A rival that took the channel while it was away ends it. Else it waits until the rival is gone. */
  readonly yields: boolean
  /** Nobody waits for it to be opened: it is refused only for what would come again. */
  readonly isPatient: boolean
  /** The server has it. Called again after every reconnect. */
  opened(): void
  /** The server did not take it; it has been removed. */
  refused(error: SignalboxError): void
  /** The server is closing: begin nothing more on the streams of this connection. */
  leave(): void
  /** The connection is lost, its streams with it; it may come back. */
  lost(): void
  /** The link is closed for good; by this program when there is no error. */
  ended(error: Error | undefined): void
}

/** What is known of an end. */
class Place {
  readonly end: End
  /** On the present connection; 0 when it is idle. */
  number = 0
  wasOpened = false
  /** In a row. */
  refusals = 0
  /** Why it was refused, while it waits to be opened again. */
  refusal: SignalboxError | undefined
  stopWaiting: Cancel | undefined

  constructor(end: End) {
    this.end = end
  }
}

export class Ends {
  readonly #settings: LinkSettings
  readonly #places = new Map<End, Place>()
  /** Those that are opening or open. */
  readonly #numbered = new Map<number, Place>()
  #connection: Connection | undefined
  #lastNumber = 0

  constructor(settings: LinkSettings) {
    this.#settings = settings
  }

  get size(): number {
    return this.#places.size
  }

  /** Why one that waits to be opened again was refused. */
  get refusal(): SignalboxError | undefined {
    for (const { refusal } of this.#places.values()) if (refusal) return refusal
    return undefined
  }

  /** Adds an end, which is opened now and on every connection that follows. */
  add(end: End): void {
    const place = new Place(end)
    this.#places.set(end, place)
    this.#open(place)
  }

  /** Takes an end away; harmless when it is not there. Its streams go on until they are ended. */
  remove(end: End): void {
    const place = this.#places.get(end)
    if (place === undefined) return
    this.#places.delete(end)
    place.stopWaiting?.()
    if (!this.#numbered.delete(place.number) || !this.#connection?.isOpen) return
    this.#connection.send(Kind.SHUT, place.number, none)
  }

  /** Opens all of them on a new connection. */
  openAll(connection: Connection): void {
    this.#connection = connection
    this.#lastNumber = 0
    for (const place of this.#places.values()) this.#open(place)
  }

  get(number: number): End | undefined {
    return this.#numbered.get(number)?.end
  }

  /** The server has taken the end of this number. */
  opened(number: number): void {
    const place = this.#numbered.get(number)
    if (place === undefined) return
    place.wasOpened = true
    place.refusals = 0
    place.refusal = undefined
    place.end.opened()
  }

  /** The server has not taken it. One that is closing says nothing of the next, on whose connection it is opened. */
  refused(number: number, error: SignalboxError): void {
    const place = this.#numbered.get(number)
    if (place === undefined) return
    this.#numbered.delete(number)
    place.number = 0
    if (error.code === 'SERVER_CLOSING') return
    const { end, wasOpened } = place
    if ((wasOpened || end.isPatient) && error.retryable && !(end.yields && error.code === 'CHANNEL_CONFLICT')) {
      place.refusal = error
      this.#openLater(place)
    } else {
      this.#places.delete(end)
      end.refused(error)
    }
  }

  leave(): void {
    for (const { end } of this.#numbered.values()) end.leave()
  }

  lost(): void {
    this.#connection = undefined
    this.#numbered.clear()
    for (const place of this.#places.values()) {
      place.stopWaiting?.()
      place.number = 0
      place.end.lost()
    }
  }

  close(error: Error | undefined): void {
    const places = [...this.#places.values()]
    this.#connection = undefined
    this.#places.clear()
    this.#numbered.clear()
    for (const place of places) place.stopWaiting?.()
    for (const { end } of places) end.ended(error)
  }

  /** Unless it is open already: in the same process an end may be added while others are being opened. */
  #open(place: Place): void {
    if (!this.#connection?.isOpen || place.number !== 0) return
    place.number = ++this.#lastNumber
    this.#numbered.set(place.number, place)
    this.#connection.send(Kind.OPEN, place.number, encodeOpen(place.end.open))
  }

  #openLater(place: Place): void {
    const { clock } = this.#settings
    const { minMs, maxMs } = reconnectWaits(this.#settings)
    const delayMs = nextDelayMs(place.refusals++, minMs, maxMs, clock.random())
    place.stopWaiting = clock.after(delayMs, () => this.#open(place))
  }
}
