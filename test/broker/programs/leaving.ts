/**
 * Opens and closes everything in every way that goes well or wrong, says after each what still holds the process, and
 * then does nothing more: it ends by itself, or it has failed.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Broker, connect } from 'signalbox'
import { Server } from 'signalbox/socket'
import { argument, say } from './stage.ts'

const resources = (): string[] => process.getActiveResourcesInfo().filter((name) => name !== 'Immediate')
const before = resources()
const quick = { reconnect: { minMs: 1, maxMs: 20 } }
const { freePort } = argument

async function rejected(promise: Promise<unknown>): Promise<string> {
  return await promise.then(
    () => 'nothing',
    (error) => error.code,
  )
}

const scenes: Record<string, () => Promise<unknown>> = {
  async 'all is closed in order'() {
    const broker = await Broker.listen()
    const client = await connect(broker.url)
    const subscription = await client.subscribe('t')
    await client.publish('t', 1)
    for await (const _ of subscription) break
    await client.close()
    await broker.close()
  },
  async 'the client is closed under loops that wait'() {
    await using broker = await Broker.listen()
    const client = await connect(broker.url)
    const loops = [1, 2, 3].map(async () => {
      for await (const _ of await client.subscribe('t'));
    })
    const running = (await client.subscribe('t')).run(() => Promise.reject(new Error('handler')), { concurrency: 3 })
    const local = broker.client()
    await local.publish('t', 1)
    await local.flush()
    await client.close()
    await Promise.all([...loops, running])
  },
  async 'the broker is closed first, and the client tries to come back'() {
    const broker = await Broker.listen({ graceMs: 10 })
    const client = await connect(broker.url, quick)
    const subscription = await client.subscribe('t')
    await broker.close()
    await sleep(50)
    const waiting = [client.publish('t', 1), client.publish('t', 2)].map(rejected)
    const [flushed, subscribed] = [rejected(client.flush()), rejected(client.subscribe('u'))]
    void client.publish('t', 'nobody looks')
    await client.close()
    return [subscription.isClosed, await flushed, await subscribed, (await Promise.all(waiting)).length]
  },
  async 'a client that is lost for good'() {
    const broker = await Broker.listen({ graceMs: 10 })
    const client = await connect(broker.url, { reconnect: false })
    const loop = (async () => {
      for await (const _ of await client.subscribe('t'));
    })()
    await client.flush()
    await Promise.all([broker.close(), rejected(loop), client.closed])
  },
  async 'an attached broker'() {
    const server = await Server.listen({ graceMs: 10 })
    const broker = await Broker.attach(server.url)
    const refused = await rejected(Broker.attach(server.url))
    const client = await connect(server.url)
    const own = await broker.subscribe('t')
    await client.publish('t', 1)
    await client.drain()
    await broker.drain({ timeoutMs: 10 })
    await server.close()
    return [refused, own.isClosed]
  },
  async 'what cannot be opened'() {
    const server = await Server.listen({ graceMs: 10 })
    const port = Number(new URL(server.url).port)
    const codes = await Promise.all([
      rejected(connect(server.url, { connectTimeoutMs: 500 })),
      rejected(connect(`tcp://127.0.0.1:${freePort}`)),
      rejected(connect(server.url, { channel: 'none' })),
      rejected(connect('nowhere')),
      rejected(Broker.listen({ port })),
      rejected(Broker.listen({ channel: 'none' })),
      rejected(Broker.attach(`tcp://127.0.0.1:${freePort}`)),
    ])
    await server.close()
    return codes
  },
  async 'what nobody awaits'() {
    const broker = await Broker.listen({ graceMs: 10 })
    const client = await connect(broker.url, { maxBufferedBytes: 1_000 })
    for (const topic of ['', 'a.*', 'a..b']) void client.publish(topic, 1)
    void client.publish('t', () => 1)
    void client.publish('t', 1, { id: 5 } as never)
    for (let i = 0; i < 1_000; i++) void client.publish('t', new Uint8Array(1_000))
    void client.publish('t', 1, { timeoutMs: 1 })
    void client.publish('t', 1, { signal: AbortSignal.abort() })
    void client.close()
    void broker.close()
    void client.publish('t', 1)
    await Promise.all([client.closed, broker.closed])
    await sleep(100)
  },
}

for (const [name, scene] of Object.entries(scenes)) {
  const result = await scene()
  // A connection that was closed takes a few turns to be gone.
  for (let turn = 0; turn < 500 && resources().length > before.length; turn++) await sleep(2)
  const left = resources()
  for (const known of before) left.splice(left.indexOf(known), 1)
  say({ scene: name, left, result })
}
say({ over: true })
