/**
 * A broker, a subscriber and a publisher in one program. In real life the three live in different processes; only the
 * address passes between them.
 */
import { Broker, connect } from 'signalbox'

interface Order {
  readonly id: number
  readonly total: number
}

const broker = await Broker.listen({ port: 0 })

const shop = await connect(broker.url, { name: 'shop' })
const kitchen = await connect(broker.url, { name: 'kitchen' })

// Everything that is published once this line is done will arrive.
const orders = await kitchen.subscribe<Order>('orders.*')

await shop.publish('orders.created', { id: 1, total: 12.5 })
await shop.publish('orders.created', { id: 2, total: 7 }, { headers: { table: 'window' } })
await shop.publish('orders.cancelled', { id: 1, total: 12.5 })

for await (const message of orders) {
  const { topic, seq, sender, data, headers } = message
  const table = headers['table'] ?? 'any'
  console.log(`${topic} #${seq} from ${sender}: order ${data.id}, ${data.total} euro, table ${table}`)
  // Leaving the loop closes the subscription.
  if (topic === 'orders.cancelled') break
}

await shop.close()
await kitchen.close()
await broker.close()
