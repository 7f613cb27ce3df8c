/**
 * Subscribers of one topic, `subscribers` of them, on one link or on a link each. Each reads `count` messages that say
 * which they are in their first four bytes, checks that none is missing or out of place, and sleeps `sleepMs` at the
 * first.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Client, connect, type SubscribeOptions, type Subscription } from 'signalbox'
import { argument, obey, rssMiB, say } from './stage.ts'

interface Argument {
  readonly url: string
  readonly topic: string
  readonly count: number
  readonly subscribers?: number
  readonly ownLinks?: boolean
  readonly sleepMs?: number
  /** Whether messages may be missing, as long as gaps tell of them. */
  readonly lossy?: boolean
  readonly options?: SubscribeOptions
}

const { url, topic, count, subscribers = 1, ownLinks = false, sleepMs = 0, options = {} }: Argument = argument as never
const { lossy = false }: Argument = argument as never
const clients: Client[] = []
const subscriptions: Subscription[] = []
while (subscriptions.length < subscribers) {
  const group = Math.min(100, subscribers - subscriptions.length)
  const begun = Array.from({ length: group }, async () => {
    if (ownLinks || clients.length === 0) clients.push(await connect(url))
    return await (clients.at(-1) as Client).subscribe(topic, options)
  })
  subscriptions.push(...(await Promise.all(begun)))
}

let peak = rssMiB()
setInterval(() => {
  peak = Math.max(peak, rssMiB())
}, 20).unref()

async function read(subscription: Subscription): Promise<number> {
  let next = 0
  for await (const { payload, seq } of subscription) {
    const index = new DataView(payload.buffer, payload.byteOffset).getUint32(0, true)
    const isNext = index === next && seq === next + 1
    if (!isNext && !(lossy && index > next)) throw new Error(`message ${index} came as number ${next}`)
    next = index + 1
    if (next === 1 && sleepMs > 0) await sleep(sleepMs)
    if (next === count) break
  }
  return next
}

obey({ close: () => Promise.all(clients.map((client) => client.close())) })
say({ ready: true, idle: rssMiB() })
const counts = await Promise.all(subscriptions.map(read))
const received = subscriptions.reduce((sum, one) => sum + one.received, 0)
const dropped = subscriptions.reduce((sum, one) => sum + one.dropped, 0)
say({
  done: true,
  complete: counts.filter((all) => all === count).length,
  received,
  dropped,
  peak: Math.max(peak, rssMiB()),
})
