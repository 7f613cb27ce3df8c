/** The kitchen: has the broker in its own process, and cooks what is ordered. */
import { Broker } from 'signalbox'

const broker = await Broker.listen({ port: 0 })
const orders = await broker.subscribe<{ dish: string }>('orders.created')

console.log(`kitchen: open at ${broker.url}`)
process.send?.(broker.url)

for await (const { data, sender } of orders) {
  console.log(`kitchen: ${data.dish} for ${sender}`)
  await broker.publish('orders.done', data)
  if (data.dish === 'coffee') break
}

await broker.drain()
console.log('kitchen: closed')
