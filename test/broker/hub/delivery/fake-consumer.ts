/** A Consumer with as much credit as the test gives it, that keeps what was posted. */
import type { Consumer } from 'signalbox/socket'
import { type Deferred, deferred } from '../../../../base/deferred.ts'
import { socketError } from '../../../../base/errors.ts'
import { maxFrameBytes } from '../../../../socket/wire/frame.ts'

export class FakeConsumer {
  readonly posted: Uint8Array[] = []
  #credit: number
  #ready: Deferred<void> | undefined
  #leaving: Deferred<void> | undefined
  #isClosed = false

  /** Credit is counted in bytes of payload. */
  constructor(credit = 0) {
    this.#credit = credit
  }

  get consumer(): Consumer {
    return this as unknown as Consumer
  }

  /** For a publisher, which opens its stream by itself. */
  readonly open = (observe: (brokers: number, error?: Error) => void): Consumer => {
    this.observe = observe
    observe(1)
    return this.consumer
  }
  observe: (brokers: number, error?: Error) => void = () => {}

  /** None while a large payload is on its way. */
  get credit(): number {
    return this.#leaving ? 0 : this.#credit
  }

  ready(): Promise<void> {
    if (this.#isClosed) return Promise.reject(socketError('CLOSED'))
    if (this.credit > 0) return Promise.resolve()
    this.#ready ??= deferred()
    return this.#ready.promise
  }

  tryPost(payload: Uint8Array, { transfer = false } = {}): boolean {
    if (this.credit <= 0 || payload.length > maxFrameBytes) return false
    this.#take(transfer ? payload : payload.slice())
    return true
  }

  post(payload: Uint8Array): Promise<void> {
    if (this.#isClosed) return Promise.reject(socketError('CLOSED'))
    this.#take(payload)
    if (payload.length <= maxFrameBytes) return Promise.resolve()
    this.#leaving = deferred()
    return this.#leaving.promise
  }

  /** The large payload has gone. */
  left(): void {
    this.#leaving?.resolve()
    this.#leaving = undefined
    this.grant(0)
  }

  grant(bytes: number): void {
    this.#credit += bytes
    if (this.credit <= 0) return
    this.#ready?.resolve()
    this.#ready = undefined
  }

  close(): void {
    this.#isClosed = true
    this.#ready?.reject(socketError('CLOSED'))
  }

  #take(payload: Uint8Array): void {
    this.#credit -= payload.length
    this.posted.push(payload)
  }
}
