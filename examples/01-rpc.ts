/**
 * Requests and answers over a socket, without any topics: a Consumer asks, a Provider answers, a Server joins them.
 */
import { Consumer, newId, Provider, RemoteError, Server } from 'signalbox/socket'

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value)

const server = await Server.listen({ port: 0 })
// A channel is any UUID that both sides know.
const channel = newId()

const provider = await Provider.connect(server.url, channel)
provider.serve(async (request) => {
  const name = text(request.payload)
  if (name === '') throw Object.assign(new Error('Whom shall I greet?'), { code: 'NO_NAME' })
  return bytes(`Hello, ${name}!`)
})

const consumer = await Consumer.connect(server.url, channel)
console.log(text(await consumer.send(bytes('Ada'))))

// Any number may be under way at once; each gets its own answer.
const names = ['Grace', 'Edsger', 'Barbara']
const greetings = await Promise.all(names.map((name) => consumer.send(bytes(name), { timeoutMs: 2_000 })))
console.log(greetings.map(text).join(' '))

// What the handler throws arrives here with its code and message.
try {
  await consumer.send(bytes(''))
} catch (error) {
  if (error instanceof RemoteError) console.log(`${error.code}: ${error.message}`)
}

// Sixteen bytes or sixteen megabytes: a large payload is cut into frames and put together again.
const large = await consumer.send(bytes('x'.repeat(1_000_000)))
console.log(`An answer of ${large.length} bytes`)

await consumer.close()
await provider.close()
await server.close()
