/**
 * Messages that were taken here and did not get through, for the flushes that tell of them.
 *
 * Floor 7. A flush tells of what came since the last one that was over when it began. Of two at once, whoever asks, each
 * tells: a yes would be untrue for one of them.
 */
import { bounded, type Limits } from '#base/bounded'
import type { Clock } from '#base/clock'
import { type Deferred, deferred } from '#base/deferred'
import { SignalboxError, socketError } from '#base/errors'
import type { Refusal } from '../../shared/replies.ts'

/** Milliseconds that a flush waits for the reason of a refusal: it comes on another stream, right after. */
const reasonPatienceMs = 1_000
const unknownReason = { code: 'REMOTE', number: 3009, message: 'The broker refused messages and did not say why.' }

export class Shortfall {
  /** Messages that may be lost, of all time. */
  lost = 0
  /** Messages that were refused later. */
  refused = 0
  readonly #clock: Clock
  /** What flushes have told. */
  #told = { lost: 0, refused: 0 }
  /** Flushes under way. */
  #flushes = 0
  /** Why the latest was refused. */
  #reason: Omit<Refusal, 'topic' | 'count'> | undefined
  #reasoned: Deferred<void> | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Why something was refused; without a reason that is not known. */
  because(reason: Omit<Refusal, 'topic' | 'count'> = unknownReason): void {
    this.#reason = reason
    this.#reasoned?.resolve()
  }

  /**
   * Settles as the flush does that begins now; when it is answered, rejects with what is to be told. That is told once:
   * where the reason is not there within the flush's limits, without it.
   */
  async after(answered: Promise<void>, { timeoutMs = Number.POSITIVE_INFINITY, signal }: Limits): Promise<void> {
    const told = this.#told
    const begun = this.#clock.monotonic()
    this.#flushes++
    try {
      await answered
      const [lost, refused] = [this.lost - told.lost, this.refused - told.refused]
      this.#told = { lost: this.lost, refused: this.refused }
      const leftMs = Math.max(0, timeoutMs - (this.#clock.monotonic() - begun))
      const limits = { timeoutMs: Math.min(reasonPatienceMs, leftMs), signal }
      const error = refused > 0 ? await this.#refusal(refused, lost, limits) : lost > 0 ? lossOf(lost) : undefined
      // Another that is under way tells the same.
      if (this.#flushes === 1) this.#reason = undefined
      if (error) throw error
    } finally {
      this.#flushes--
    }
  }

  /** The broker tells why on a stream of its own; one that tells nothing must not keep a flush for ever. */
  async #refusal(refused: number, lost: number, limits: Limits): Promise<Error> {
    if (this.#reason === undefined) {
      this.#reasoned ??= deferred()
      await bounded(this.#reasoned.promise, limits, this.#clock).catch(() => {})
      this.#reasoned = undefined
    }
    const { code, message, number } = this.#reason ?? unknownReason
    return new SignalboxError(code, message, { number, details: { refused, ...(lost > 0 && { lost }) } })
  }
}

function lossOf(lost: number): Error {
  const what = `The broker was lost before it confirmed ${lost} messages, which may be lost.`
  return socketError('LINK_LOST', what, { details: { lost } })
}
