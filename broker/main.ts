/**
 * `npm start`: a broker in memory on port 9090, or on the port in `PORT`.
 *
 * Floor 16. Node only.
 */
import { Broker } from './broker.ts'

const port = Number(process.env['PORT'] ?? 9090)
const broker = await Broker.listen({ port })

console.log(`Signalbox listens on ${broker.url}. Talk to it from another terminal:

  import { connect } from 'signalbox'

  const client = await connect('${broker.url}')
  const greetings = await client.subscribe('hello.*')
  await client.publish('hello.world', { text: 'Hi!' })
  for await (const message of greetings) console.log(message.topic, message.data)

Stop it with Ctrl+C.`)

let isStopping = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (isStopping) process.exit(1)
    isStopping = true
    void broker.close()
  })
}
