/** A subscriber. It knows the address of the server; that the broker is somewhere else makes no difference to it. */
import { connect } from 'signalbox'

const client = await connect(process.argv[2] ?? 'tcp://127.0.0.1:9090')
// 'all': also what was published before, as far as the broker keeps a history.
const weather = await client.subscribe<{ celsius: number }>('weather.*', { from: 'all' })

process.send?.('subscribed')
for await (const { topic, seq, data } of weather) {
  console.log(`subscriber: ${topic} #${seq}: ${data.celsius} degrees`)
  if (data.celsius >= 25) break
}
await client.close()
