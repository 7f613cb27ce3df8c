/**
 * A thousand topics, each with a subscription of its own, over one connection. Topics need no setting up: the first
 * publish makes one.
 */
import { Broker, connect } from 'signalbox'

const rooms = 1_000

const broker = await Broker.listen({ port: 0 })
const house = await connect(broker.url)
const sensors = await connect(broker.url)

const subscriptions = await Promise.all(
  Array.from({ length: rooms }, (_, room) => house.subscribe<{ room: number; celsius: number }>(`rooms.${room}`)),
)
console.log(`${broker.stats().subscriptions} subscriptions, ${broker.stats().server?.links} links`)

for (let reading = 0; reading < 5; reading++) {
  for (let room = 0; room < rooms; room++) {
    await sensors.publish(`rooms.${room}`, { room, celsius: 18 + reading })
  }
}

let right = 0
let wrong = 0
async function check(room: number): Promise<void> {
  for await (const { topic, seq, data } of subscriptions[room] ?? []) {
    const isMine = topic === `rooms.${room}` && data.room === room && data.celsius === 17 + seq
    if (isMine) right++
    else wrong++
    if (seq === 5) break
  }
}
await Promise.all(subscriptions.map((_, room) => check(room)))

console.log(`${right} readings came to the right room and in order, ${wrong} did not`)
console.log(`${broker.stats().topics} topics, ${broker.stats().subscriptions} subscriptions left`)

await house.close()
await sensors.close()
await broker.close()
