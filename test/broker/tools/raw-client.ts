/** A client that says what it likes: batches and requests as they cross the broker channel. */

import { newId } from '../../../base/identifier.ts'
import { BatchHeader } from '../../../broker/shared/batch.ts'
import { brokerChannel } from '../../../broker/shared/broker-channel.ts'
import { decodeValue } from '../../../broker/shared/codec.ts'
import { decodeGaps, tagged, WireKind } from '../../../broker/shared/gap.ts'
import { type Consumer, Link, type LinkOptions, type Provider } from '../../../socket/index.ts'
import { type BatchContent, batchOf } from '../shared/batches.ts'

const defaults = { op: 'subscribe', noEcho: false, limitMessages: 1_000, limitBytes: 1_000_000, from: 'new' }

export class RawClient implements AsyncDisposable {
  readonly link: Link
  readonly consumer: Consumer
  readonly #name: string

  constructor(link: Link, consumer: Consumer, name: string) {
    this.link = link
    this.consumer = consumer
    this.#name = name
  }

  static async connect(url: string, options: LinkOptions = {}): Promise<RawClient> {
    const { name = 'raw' } = options
    const link = await Link.connect(url, { ...options, name })
    return new RawClient(link, await link.consumer(brokerChannel), name)
  }

  ask<T = unknown>(request: object): Promise<T> {
    const sent = this.consumer.send(tagged(WireKind.REQUEST, request), { ordered: true, timeoutMs: 10_000 })
    return sent.then((answer) => decodeValue(answer) as T)
  }

  /** A parcel of one batch, as this client may send it. */
  batch(topic: string, content: Partial<BatchContent> = {}): Uint8Array {
    return batchOf({ sender: this.#name, entries: [{ value: topic }], ...content, topic })
  }

  publish(topic: string, content: Partial<BatchContent> = {}): Promise<void> {
    return this.consumer.post(this.batch(topic, content))
  }

  /** Provides a channel and subscribes on it. */
  async subscribe<T = unknown>(pattern: string, more: object = {}): Promise<{ provider: Provider; reply: T }> {
    const provider = await this.link.provider(newId())
    const reply = await this.ask<T>({ ...defaults, channel: provider.channelId, pattern, ...more })
    return { provider, reply }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.link.close()
  }
}

/** What a subscription channel brings next, as texts: 'a 1-3' is a batch, 'gap a 1-3' a gap. */
export async function received(provider: Provider): Promise<string[]> {
  const bytes = (await provider.receive())?.payload ?? new Uint8Array(0)
  if (bytes[0] === WireKind.GAPS) {
    return decodeGaps(bytes).map(({ topic, first, last }) => `gap ${topic} ${first}-${last}`)
  }
  const found: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const { topic, seq, count, end } = new BatchHeader(bytes, at)
    found.push(`${topic} ${seq}-${seq + count - 1}`)
    at = end
  }
  return found
}
