/**
 * What a client and a broker have in common: whoever takes a `PubSub` works with either.
 *
 * Floor 11.
 */
import type { PublishOptions, SubscribeOptions, WaitOptions } from './options.ts'
import type { Receipt } from './publishing/receipt.ts'
import type { Status } from './status.ts'
import type { Subscription } from './subscription.ts'

export interface PubSub extends AsyncDisposable {
  /** Resolves when it is closed for good, with the error if one was the cause. Never rejects. */
  readonly closed: Promise<Error | undefined>
  publish(topic: string, data: unknown, options?: PublishOptions): Promise<Receipt>
  subscribe<T = unknown>(pattern: string, options?: SubscribeOptions): Promise<Subscription<T>>
  unsubscribe(pattern: string): Promise<void>
  flush(options?: WaitOptions): Promise<void>
  status(): AsyncIterableIterator<Status>
  drain(options?: Pick<WaitOptions, 'timeoutMs'>): Promise<void>
  close(): Promise<void>
}
