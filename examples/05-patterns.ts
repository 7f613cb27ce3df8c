/**
 * Patterns: '*' stands for exactly one segment, and '**' at the end for any number of them, also none. The separators
 * '.' and '/' are part of the name.
 */
import { Broker, connect } from 'signalbox'

const patterns = ['lights.kitchen', 'lights.*', 'lights.**', '*.kitchen', '*.*.dimmer', '**', 'lights/*', '$inbox.*']
const topics = [
  'lights',
  'lights.kitchen',
  'lights.kitchen.dimmer',
  'heating.kitchen',
  'lights/kitchen',
  // Names that begin with '$' (and with '@') are set apart: only a pattern that writes their start out matches. Of the
  // system's, '$...', only the inboxes take what others publish.
  '$inbox.anna',
]

const broker = await Broker.listen({ port: 0 })
const client = await connect(broker.url)

const heard = new Map(patterns.map((pattern) => [pattern, [] as string[]]))
for (const pattern of patterns) {
  const subscription = await client.subscribe(pattern)
  void subscription.run((message) => heard.get(pattern)?.push(message.topic))
}

for (const topic of topics) await client.publish(topic, 'on')
// First the broker gets all that was published, then every subscription ends once it has got its part.
await client.flush()
await client.drain()

for (const [pattern, matched] of heard) console.log(`${pattern.padEnd(15)} ${matched.join(', ')}`)

await broker.close()
