/**
 * The messages that a subscription holds for the application.
 *
 * Floor 8, pure. Batches as they came, with a cursor in the first. Under `block` their credit goes back as they are
 * read, so the stream's window bounds what is held. The other policies give credit back at once and hold `buffer`
 * messages; they act when `enforce` is called, once per turn, so a loop that keeps up loses nothing to a burst.
 */
import { Fifo } from '#base/fifo'
import { brokerError } from '../shared/errors.ts'
import type { TopicGap } from '../shared/gap.ts'
import type { Message } from './message.ts'
import type { Overflow } from './options.ts'
import type { ReceivedBatch } from './received-batch.ts'

export class MessageQueue {
  /** Messages waiting. */
  length = 0
  readonly #buffer: number
  readonly #overflow: Overflow
  readonly #lost: (gap: TopicGap, error?: Error) => void
  readonly #batches = new Fifo<ReceivedBatch>()
  /** The batch being read. */
  #first: ReceivedBatch | undefined
  /** Batches whose credit is given back at the next `enforce`. */
  #unreleased: ReceivedBatch[] = []
  /** Batches that came since the last `compact`. */
  #recent = 0

  /** `lost` is told of every run of messages that was dropped, with the error if they were malformed. */
  constructor(buffer: number, overflow: Overflow, lost: (gap: TopicGap, error?: Error) => void) {
    this.#buffer = buffer
    this.#overflow = overflow
    this.#lost = lost
  }

  push(batch: ReceivedBatch): void {
    this.length += batch.left
    this.#recent++
    if (this.#overflow !== 'block') this.#unreleased.push(batch)
    if (this.#first) this.#batches.push(batch)
    else this.#first = batch
  }

  /** The next message. A batch that turns out to be malformed is dropped and told as lost. */
  take(): Message | undefined {
    for (let batch = this.#first; batch; batch = this.#advance(batch)) {
      try {
        const message = batch.next()
        this.length--
        if (batch.left === 0) this.#advance(batch)
        return message
      } catch (error) {
        this.#dropAll(batch, error as Error)
      }
    }
    return undefined
  }

  /** The next messages, `count` at most. */
  takeMany(count: number): Message[] {
    const messages: Message[] = []
    while (messages.length < count) {
      const message = this.take()
      if (message === undefined) break
      messages.push(message)
    }
    return messages
  }

  /** Applies the overflow policy. Throws QUEUE_OVERFLOW when that is 'error'. */
  enforce(): void {
    const excess = this.length - this.#buffer
    if (excess > 0 && this.#overflow === 'error') {
      const details = { limit: this.#buffer, actual: this.length }
      throw brokerError('QUEUE_OVERFLOW', `${this.length} messages wait; the buffer is ${this.#buffer}.`, { details })
    }
    if (excess > 0 && this.#overflow === 'drop-oldest') this.#dropOldest(excess)
    if (excess > 0 && this.#overflow === 'drop-newest') this.#dropNewest(excess)
    const unreleased = this.#unreleased
    this.#unreleased = []
    for (const batch of unreleased) batch.release()
  }

  /** What came since the last time and still waits is moved out of buffers that may be thousands of times as large. */
  compact(): void {
    const before = this.#batches.length - this.#recent
    if (before < 0) this.#first?.compact()
    this.#batches.each((batch) => batch.compact(), Math.max(0, before))
    this.#recent = 0
  }

  /** Drops everything and gives its credit back. */
  clear(): void {
    const queued = [...(this.#first ? [this.#first] : []), ...this.#batches.clear()]
    for (const batch of this.#overflow === 'block' ? queued : this.#unreleased) batch.release()
    this.#first = undefined
    this.#unreleased = []
    this.#recent = 0
    this.length = 0
  }

  #advance(batch: ReceivedBatch): ReceivedBatch | undefined {
    if (this.#overflow === 'block') batch.release()
    this.#first = this.#batches.shift()
    return this.#first
  }

  #dropOldest(excess: number): void {
    const length = this.length - excess
    for (
      let batch = this.#first;
      batch && this.length > length;
      batch = batch.left === 0 ? this.#advance(batch) : batch
    ) {
      this.#drop(batch, Math.min(this.length - length, batch.left))
    }
  }

  #dropNewest(excess: number): void {
    const batches = [...(this.#first ? [this.#first] : []), ...this.#batches.clear()]
    this.length -= excess
    let left = excess
    const gaps: TopicGap[] = []
    for (let at = batches.length - 1; at >= 0 && left > 0; at--) {
      const batch = batches[at] as ReceivedBatch
      const count = Math.min(left, batch.left)
      left -= count
      const last = batch.nextSeq + batch.left - 1
      gaps.unshift({ topic: batch.topic, first: last - count + 1, last, epoch: batch.header.epoch })
      batch.cut(count)
    }
    const kept = batches.filter((batch) => batch.left > 0)
    this.#first = kept.shift()
    for (const batch of kept) this.#batches.push(batch)
    for (const gap of gaps) this.#lost(gap)
  }

  /** Drops `count` messages from the front of a batch; all of it when it is malformed. */
  #drop(batch: ReceivedBatch, count: number): void {
    const { topic, nextSeq, header } = batch
    try {
      batch.skip(count)
    } catch (error) {
      this.#dropAll(batch, error as Error)
      return
    }
    this.length -= count
    this.#lost({ topic, first: nextSeq, last: nextSeq + count - 1, epoch: header.epoch })
  }

  #dropAll(batch: ReceivedBatch, error: Error): void {
    const { topic, nextSeq, left, header } = batch
    this.length -= left
    batch.cut(left)
    this.#lost({ topic, first: nextSeq, last: nextSeq + left - 1, epoch: header.epoch }, error)
  }
}
