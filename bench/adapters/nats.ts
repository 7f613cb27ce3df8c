/** NATS, with its own client: publishes in chunks, each followed by a flush, two chunks under way. */
import type { Adapter, Closable, Feed, Intake, MemberSide, PublishSide, RequestSide, Style } from '../contract.ts'
import { loadPeer } from '../peers/load.ts'

const requestSubject = 'bench.request'
const chunkBytes = 512 * 1024
const maxChunk = 4_000

interface NatsMessage {
  readonly data: Uint8Array
  respond(payload: Uint8Array): boolean
}

interface NatsConnection {
  publish(subject: string, payload: Uint8Array): void
  flush(): Promise<void>
  subscribe(
    subject: string,
    options?: { readonly callback: (error: Error | null, message: NatsMessage) => void },
  ): AsyncIterable<NatsMessage>
  request(subject: string, payload: Uint8Array, options: { readonly timeout: number }): Promise<NatsMessage>
  close(): Promise<void>
}

interface NatsClient {
  connect(options: { readonly servers: string }): Promise<NatsConnection>
}

async function connection(url: string): Promise<NatsConnection> {
  const { connect } = await loadPeer<NatsClient>('@nats-io/transport-node')
  return await connect({ servers: url })
}

async function publisher(url: string): Promise<PublishSide> {
  const nats = await connection(url)
  return {
    async publish(topics: readonly string[], feed: Feed) {
      const chunk = Math.max(1, Math.min(maxChunk, Math.floor(chunkBytes / feed.size)))
      const count = topics.length
      let [at, inChunk] = [0, 0]
      let flushed: Promise<void> = Promise.resolve()
      for (let payload = feed.next(); payload !== undefined; payload = feed.next()) {
        nats.publish(topics[at] as string, payload)
        if (++at === count) at = 0
        if (++inChunk < chunk) continue
        inChunk = 0
        const next = nats.flush()
        await flushed
        flushed = next
      }
      await nats.flush()
    },
    post(topic: string, payload: Uint8Array) {
      nats.publish(topic, payload)
    },
    close: () => nats.close(),
  }
}

async function member(url: string): Promise<MemberSide> {
  const nats = await connection(url)
  return {
    post(topic: string, payload: Uint8Array) {
      nats.publish(topic, payload)
    },
    async subscribe(patterns: readonly string[], style: Style, intake: Intake) {
      for (const pattern of patterns) {
        if (style === 'callback') nats.subscribe(pattern, { callback: (_error, message) => intake.take(message.data) })
        else void iterate(nats.subscribe(pattern), intake)
      }
      await nats.flush()
    },
    close: () => nats.close(),
  }
}

async function iterate(subscription: AsyncIterable<NatsMessage>, intake: Intake): Promise<void> {
  for await (const message of subscription) intake.take(message.data)
}

async function requester(url: string): Promise<RequestSide> {
  const nats = await connection(url)
  const options = { timeout: 5_000 }
  return {
    request: async (payload) => (await nats.request(requestSubject, payload, options)).data,
    close: () => nats.close(),
  }
}

async function responder(url: string): Promise<Closable> {
  const nats = await connection(url)
  nats.subscribe(requestSubject, { callback: (_error, message) => void message.respond(message.data) })
  await nats.flush()
  return nats
}

export const nats: Adapter = {
  name: 'nats',
  packages: ['@nats-io/transport-node'],
  hasPatterns: true,
  hasRoutes: true,
  styles: ['callback', 'for await'],
  server: {
    kind: 'native',
    command: 'nats-server',
    install: 'apt-get install nats-server',
    config: (port) => `listen: 127.0.0.1:${port}\nmax_payload: 8MB\n`,
    args: (config) => ['-c', config],
    url: (port) => `nats://127.0.0.1:${port}`,
  },
  publisher,
  subscriber: member,
  member,
  requester,
  responder,
}
