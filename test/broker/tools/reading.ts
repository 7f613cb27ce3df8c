/** Reading from subscriptions: as many messages as expected, and never more patience than a test has. */
import type { Client, Gap, Message, Status, Subscription } from 'signalbox'
import { until } from '../../socket/tools/until.ts'

/** The next `count` messages. The subscription stays open. */
export async function take<T = unknown>(subscription: Subscription<T>, count: number): Promise<Message<T>[]> {
  const messages: Message<T>[] = []
  const iterator = subscription[Symbol.asyncIterator]()
  while (messages.length < count) {
    const { value, done } = await iterator.next()
    if (done) throw new Error(`the loop ended after ${messages.length} of ${count} messages`)
    messages.push(value)
  }
  return messages
}

export async function takeData<T = unknown>(subscription: Subscription<T>, count: number): Promise<T[]> {
  return (await take(subscription, count)).map(({ data }) => data)
}

/** Everything until the loop ends. */
export async function all<T = unknown>(subscription: AsyncIterable<Message<T>>): Promise<T[]> {
  const found: T[] = []
  for await (const { data } of subscription) found.push(data)
  return found
}

/** What a client tells of itself from now on, as it comes. */
export class Told {
  readonly events: Status[] = []

  constructor(client: Client) {
    void this.#listen(client)
  }

  get types(): string[] {
    return this.events.map(({ type }) => type)
  }

  /** What was told to be missing. */
  get gaps(): Gap[] {
    return this.events.flatMap((event) => (event.type === 'gap' ? [event.gap] : []))
  }

  /** The first event of that type; waits for it. */
  async first<T extends Status['type']>(type: T): Promise<Extract<Status, { type: T }>> {
    const isIt = (event: Status): event is Extract<Status, { type: T }> => event.type === type
    return await until(`it tells '${type}'`, () => this.events.find(isIt))
  }

  async #listen(client: Client): Promise<void> {
    for await (const event of client.status()) this.events.push(event)
  }
}

/** What a promise was rejected with; fails when it was not. */
export async function failure(promise: Promise<unknown>): Promise<Error & { code: string; retryable: boolean }> {
  try {
    await promise
  } catch (error) {
    return error as Error & { code: string; retryable: boolean }
  }
  throw new Error('it was expected to fail')
}
