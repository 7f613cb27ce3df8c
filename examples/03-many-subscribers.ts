/**
 * Every subscriber gets every message of its topic, each in its own time: the slow one holds up nobody for good.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Broker, type Client, connect } from 'signalbox'

const readers = 10
const messages = 1_000

const broker = await Broker.listen({ port: 0 })

async function read(client: Client, number: number): Promise<string> {
  let count = 0
  let sum = 0
  for await (const message of await client.subscribe<number>('ticks')) {
    count++
    sum += message.data
    if (number === 1 && count % 100 === 0) await sleep(2)
    if (count === messages) break
  }
  return `${count} messages that add up to ${sum}`
}

const clients = await Promise.all(Array.from({ length: readers }, () => connect(broker.url)))
const results = Promise.all(clients.map(read))
while (broker.stats().subscriptions < readers) await sleep(1)

// The broker is a client of itself too.
for (let tick = 1; tick <= messages; tick++) await broker.publish('ticks', tick)

const distinct = new Set(await results)
console.log(`Each of ${readers} subscribers got ${[...distinct].join(', or ')}`)

await Promise.all(clients.map((client) => client.close()))
await broker.close()
