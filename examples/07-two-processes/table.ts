/** A table: connects to the kitchen at the address it is given, orders, and waits until everything has come. */
import { connect } from 'signalbox'

const url = process.argv[2] ?? 'tcp://127.0.0.1:9090'
const menu = ['soup', 'pie', 'coffee']

const client = await connect(url, { name: 'table 7' })
const done = await client.subscribe<{ dish: string }>('orders.done')

for (const dish of menu) await client.publish('orders.created', { dish })

for await (const { data } of done) {
  console.log(`table: here comes the ${data.dish}`)
  if (data.dish === menu.at(-1)) break
}

await client.close()
