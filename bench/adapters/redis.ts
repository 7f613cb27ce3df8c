/** Redis publish/subscribe with ioredis: pipelines that nobody waits for, a bounded number of messages under way. */
import type { Adapter, Closable, Feed, Intake, PublishSide, RequestSide, Style, SubscribeSide } from '../contract.ts'
import { loadPeer } from '../peers/load.ts'
import { Correlation, replyTopic, requestTopic } from './correlation.ts'

const maxUnderWay = 1_000
const pipelineMessages = 100
const maxUnderWayBytes = 1024 * 1024

interface Pipeline {
  publish(channel: string, payload: Uint8Array): Pipeline
  exec(): Promise<unknown>
}

interface RedisClient {
  pipeline(): Pipeline
  publish(channel: string, payload: Uint8Array): Promise<number>
  subscribe(...channels: string[]): Promise<unknown>
  psubscribe(...patterns: string[]): Promise<unknown>
  on(event: 'messageBuffer', listener: (channel: Buffer, payload: Buffer) => void): this
  on(event: 'pmessageBuffer', listener: (pattern: Buffer, channel: Buffer, payload: Buffer) => void): this
  quit(): Promise<unknown>
}

interface RedisPackage {
  readonly Redis: new (url: string) => RedisClient
}

async function client(url: string): Promise<RedisClient> {
  const { Redis } = await loadPeer<RedisPackage>('ioredis')
  return new Redis(url)
}

async function close(redis: RedisClient): Promise<void> {
  await redis.quit()
}

async function publisher(url: string): Promise<PublishSide> {
  const redis = await client(url)
  return {
    async publish(topics: readonly string[], feed: Feed) {
      const total = Math.max(1, Math.min(maxUnderWay, feed.holds, Math.floor(maxUnderWayBytes / feed.size)))
      const chunk = Math.max(1, Math.min(pipelineMessages, total >> 2))
      const underWay: Promise<unknown>[] = []
      let [at, inChunk] = [0, 0]
      let pipeline = redis.pipeline()
      for (let payload = feed.next(); payload !== undefined; payload = feed.next()) {
        pipeline.publish(topics[at] as string, payload)
        if (++at === topics.length) at = 0
        if (++inChunk < chunk) continue
        underWay.push(pipeline.exec())
        if (underWay.length * chunk >= total) await underWay.shift()
        inChunk = 0
        pipeline = redis.pipeline()
      }
      await Promise.all([...underWay, pipeline.exec()])
    },
    post(topic: string, payload: Uint8Array) {
      void redis.publish(topic, payload)
    },
    close: () => close(redis),
  }
}

async function subscriber(url: string): Promise<SubscribeSide> {
  const redis = await client(url)
  return {
    async subscribe(patterns: readonly string[], _style: Style, intake: Intake) {
      if (patterns.some((pattern) => pattern.includes('*'))) {
        redis.on('pmessageBuffer', (_pattern, _channel, payload) => intake.take(payload))
        await redis.psubscribe(...patterns)
      } else {
        redis.on('messageBuffer', (_channel, payload) => intake.take(payload))
        await redis.subscribe(...patterns)
      }
    },
    close: () => close(redis),
  }
}

async function requester(url: string): Promise<RequestSide> {
  const [asking, listening] = [await client(url), await client(url)]
  const correlation = new Correlation()
  listening.on('messageBuffer', (_channel, payload) => correlation.take(payload))
  await listening.subscribe(replyTopic)
  return {
    request(payload) {
      const reply = correlation.reply(payload)
      void asking.publish(requestTopic, payload)
      return reply
    },
    close: async () => {
      await Promise.all([close(asking), close(listening)])
    },
  }
}

async function responder(url: string): Promise<Closable> {
  const [answering, listening] = [await client(url), await client(url)]
  listening.on('messageBuffer', (_channel, payload) => void answering.publish(replyTopic, payload))
  await listening.subscribe(requestTopic)
  return {
    close: async () => {
      await Promise.all([close(answering), close(listening)])
    },
  }
}

export const redis: Adapter = {
  name: 'redis',
  packages: ['ioredis'],
  hasPatterns: true,
  hasRoutes: true,
  styles: ['callback'],
  server: {
    kind: 'native',
    command: 'redis-server',
    install: 'apt-get install redis-server',
    // Without the limits' removal a subscriber that is behind for a moment is cut off.
    config: (port) => `bind 127.0.0.1\nport ${port}\nsave ""\nappendonly no\nclient-output-buffer-limit pubsub 0 0 0\n`,
    args: (config) => [config],
    url: (port) => `redis://127.0.0.1:${port}`,
  },
  publisher,
  subscriber,
  requester,
  responder,
}
