/**
 * Goes through everything that can fail, looks at the failures that it is given, and at no others: `mishaps`. A
 * rejection that nobody could have handled ends it with a failure of its own.
 */
import { createServer } from 'node:net'
import { Consumer, Link, Provider, Server } from 'signalbox/socket'

process.on('unhandledRejection', (error) => {
  console.log('unhandled', error)
  process.exit(1)
})

const channelId = '0b9c1f6e-5c55-4b0e-9f2a-3f1f5a8f0c13'
const otherId = '0b9c1f6e-5c55-4b0e-9f2a-3f1f5a8f0c14'
const payload = new Uint8Array(10)
const pause = (ms = 5): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const ignore = (promise: Promise<unknown>): Promise<unknown> => promise.catch(() => {})

async function connecting(): Promise<void> {
  const silent = createServer((socket) => void socket.on('error', () => {}).resume())
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const { port } = silent.address() as { port: number }
  const controller = new AbortController()
  const tries = [
    Link.connect('tcp://127.0.0.1:1'),
    Link.connect(`tcp://127.0.0.1:${port}`, { connectTimeoutMs: 10 }),
    Link.connect(`tcp://127.0.0.1:${port}`, { signal: controller.signal }),
    Link.connect(`tls://127.0.0.1:${port}`, { connectTimeoutMs: 10 }),
    Consumer.connect('unix:/nowhere', channelId),
    Provider.connect(`tcp://127.0.0.1:${port}`, channelId, { auth: 1n }),
  ]
  setTimeout(() => controller.abort(), 5)
  await Promise.all(tries.map(ignore))
  await new Promise<void>((resolve) => silent.close(() => resolve()))
}

async function calling(server: Server): Promise<void> {
  const link = await Link.connect(server.url)
  const provider = await link.provider(channelId)
  await Promise.all([ignore(link.provider(channelId)), ignore(Provider.connect(server.url, channelId))])
  provider.serve(async () => {
    await pause(1)
    throw new Error('from a handler')
  })
  const consumer = await link.consumer(channelId)
  const impatient = await link.consumer(otherId, { waitForProvider: false })
  const controller = new AbortController()
  const calls = [
    consumer.send(payload),
    consumer.send(payload, { timeoutMs: 0 }),
    consumer.send(payload, { signal: controller.signal }),
    consumer.send(payload, { signal: AbortSignal.abort() }),
    impatient.send(payload),
    impatient.post(payload),
    consumer.send(new Uint8Array(20_000_000)),
  ]
  controller.abort()
  for (let i = 0; i < 5; i++) await consumer.post(payload)
  await Promise.all(calls.map(ignore))
  void consumer.ready()
  void impatient.ready().catch(() => {})
  await link.close()
}

async function losing(): Promise<void> {
  const server = await Server.listen({ graceMs: 5 })
  const link = await Link.connect(server.url, { reconnect: { minMs: 1, maxMs: 2, maxAttempts: 2 } })
  const local = server.link()
  const provider = await link.provider(channelId)
  const consumer = await local.consumer(channelId)
  const large = ignore(consumer.send(new Uint8Array(10_000_000)))
  const small = ignore(consumer.send(payload))
  const answering = ignore(provider.receive().then((request) => request?.respond(new Uint8Array(5_000_000))))
  const received = ignore(provider.receive())
  await pause()
  await server.close()
  const late = server.link()
  await Promise.all([large, small, answering, received, link.closed, local.closed, late.closed])
  await Promise.all([ignore(late.consumer(channelId)), provider.close(), consumer.close()])
}

const server = await Server.listen({
  authorise: (_link, _role, id) => {
    if (id === '0b9c1f6e-5c55-4b0e-9f2a-3f1f5a8f0c15') throw new Error('from a hook')
    return true
  },
})
await ignore(Provider.connect(server.url, '0b9c1f6e-5c55-4b0e-9f2a-3f1f5a8f0c15'))
await connecting()
await calling(server)
await losing()
await server.close()
await pause(50)
console.log('no mishap')
