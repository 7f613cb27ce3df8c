/**
 * What happens when a publisher is faster than its subscribers. Three of them read the same topic:
 * - 'patient' reads a little slowly and misses nothing: what it has not read waits at the broker, within its limit, and
 *   `await publish()` is slowed down for a tenth of the time at most.
 * - 'latest' wants the newest ten at most, and lets older ones go.
 * - 'asleep' reads nothing for a long time. It holds nobody back, and learns afterwards how much it has missed.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Broker, connect, type Subscription } from 'signalbox'

interface Work {
  readonly n: number
  readonly note: string
}

const messages = 50_000

const broker = await Broker.listen({ port: 0 })
const publisher = await connect(broker.url)
const readers = await connect(broker.url)

const patient = await readers.subscribe<Work>('work')
const latest = await readers.subscribe<Work>('work', { buffer: 10, overflow: 'drop-oldest' })
const asleep = await readers.subscribe<Work>('work', { limit: { messages: 1_000 } })

/** Reads to the last message, and rests after every so many. */
async function read(name: string, subscription: Subscription<Work>, restAfter: number): Promise<void> {
  let count = 0
  for await (const { data } of subscription) {
    count++
    if (data.n === messages) break
    if (count % restAfter === 0) await sleep(1)
  }
  const { dropped, lastGap } = subscription
  const gap = lastGap ? `; the last gap ended at ${lastGap.last}` : ''
  console.log(`${name}: read ${count}, dropped ${dropped}${gap}`)
}

const reading = Promise.all([read('patient', patient, 500), read('latest', latest, 5)])

for (let n = 1; n <= messages; n++) await publisher.publish('work', { n, note: 'x'.repeat(200) })
console.log(`published ${messages}`)

await reading
await read('asleep', asleep, messages)

await publisher.close()
await readers.close()
await broker.close()
