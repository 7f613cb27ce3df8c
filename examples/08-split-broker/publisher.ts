/** A publisher. */
import { connect } from 'signalbox'

const client = await connect(process.argv[2] ?? 'tcp://127.0.0.1:9090')
const readings = (process.argv[3] ?? '19,22,25').split(',').map(Number)

for (const celsius of readings) await client.publish('weather.oslo', { celsius })
await client.flush()
console.log(`publisher: sent ${readings.join(', ')}`)

process.send?.('sent')
await client.close()
