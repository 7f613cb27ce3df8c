/**
 * This project, as it is built: publish and subscribe through the broker, requests through the socket layer alone (four
 * hops, no broker in between).
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Message, Subscription } from 'signalbox'
import * as broker from 'signalbox'
import * as socket from 'signalbox/socket'
import type { Adapter, Closable, Feed, Intake, MemberSide, PublishSide, RequestSide, Style } from '../contract.ts'

const channel = '5167a1b0-0000-4000-8000-00000000be4c'
/** Publishes that are awaited together, as the other clients' flushes are: the last one, for order is kept. */
const maxChunk = 64
const chunkBytes = 64 * 1024

/** A build: this one, or another that it is to be compared with. */
interface Build {
  readonly broker: Pick<typeof broker, 'Broker' | 'connect'>
  readonly socket: Pick<typeof socket, 'Link'>
}

async function publisher({ broker }: Build, url: string): Promise<PublishSide> {
  const client = await broker.connect(url)
  return {
    async publish(topics: readonly string[], feed: Feed) {
      const chunk = Math.max(1, Math.min(maxChunk, Math.floor(chunkBytes / feed.size)))
      const count = topics.length
      let [at, inChunk] = [0, 0]
      for (let payload = feed.next(); payload !== undefined; payload = feed.next()) {
        const published = client.publish(topics[at] as string, payload)
        if (++at === count) at = 0
        if (++inChunk < chunk) continue
        inChunk = 0
        await published
      }
      await client.flush({ timeoutMs: 60_000 })
    },
    post(topic: string, payload: Uint8Array) {
      void client.publish(topic, payload)
    },
    close: () => client.close(),
  }
}

async function member({ broker }: Build, url: string): Promise<MemberSide> {
  const client = await broker.connect(url)
  const subscriptions: Subscription[] = []
  return {
    post(topic: string, payload: Uint8Array) {
      void client.publish(topic, payload)
    },
    async subscribe(patterns: readonly string[], style: Style, intake: Intake) {
      subscriptions.push(...(await Promise.all(patterns.map((pattern) => client.subscribe(pattern)))))
      for (const subscription of subscriptions) void receive(subscription, style, intake)
    },
    complaint() {
      const gaps = subscriptions.reduce((sum, subscription) => sum + subscription.gaps, 0)
      const dropped = subscriptions.reduce((sum, subscription) => sum + subscription.dropped, 0)
      return gaps > 0 ? `${dropped} dropped in ${gaps} gaps` : undefined
    },
    close: () => client.close(),
  }
}

async function receive(subscription: Subscription, style: Style, intake: Intake): Promise<void> {
  if (style === 'for await') {
    for await (const message of subscription) intake.take(message.payload)
  } else if (style === 'batches') {
    for await (const batch of subscription.batches()) for (const message of batch) intake.take(message.payload)
  } else {
    await subscription.run((message: Message) => intake.take(message.payload))
  }
}

async function requester({ socket }: Build, url: string): Promise<RequestSide> {
  const link = await socket.Link.connect(url)
  const consumer = await link.consumer(channel)
  return { request: (payload) => consumer.send(payload), close: () => link.close() }
}

async function responder({ socket }: Build, url: string): Promise<Closable> {
  const link = await socket.Link.connect(url)
  const provider = await link.provider(channel)
  provider.serve((request) => request.payload)
  return link
}

function adapterOf(name: string, build: Build): Adapter {
  return {
    name,
    packages: [],
    hasPatterns: true,
    hasRoutes: true,
    styles: ['for await', 'batches', 'callback'],
    server: { kind: 'node', start: async () => (await build.broker.Broker.listen()).url },
    publisher: (url) => publisher(build, url),
    subscriber: (url) => member(build, url),
    member: (url) => member(build, url),
    requester: (url) => requester(build, url),
    responder: (url) => responder(build, url),
  }
}

export const signalbox: Adapter = adapterOf('signalbox', { broker, socket })

/** Another checkout of this project, which has been built. */
export async function anotherBuild(folder: string): Promise<Adapter> {
  const load = async (layer: string) => await import(pathToFileURL(join(folder, 'dist', layer, 'index.js')).href)
  return adapterOf('before', {
    broker: (await load('broker')) as typeof broker,
    socket: (await load('socket')) as typeof socket,
  })
}
