/** The sides of any MQTT server, by MQTT.js at QoS 0: a bounded number of publishes not yet written to the socket. */
import type { Closable, Feed, Intake, PublishSide, RequestSide, Style, SubscribeSide } from '../contract.ts'
import { loadPeer } from '../peers/load.ts'
import { Correlation, replyTopic, requestTopic } from './correlation.ts'

const maxUnderWay = 1_000
const maxUnderWayBytes = 1024 * 1024
const lowest = { qos: 0 } as const

interface MqttClient {
  publish(topic: string, payload: Uint8Array, options: typeof lowest, written: () => void): void
  subscribeAsync(topics: readonly string[], options: typeof lowest): Promise<unknown>
  on(event: 'message', listener: (topic: string, payload: Buffer) => void): this
  endAsync(): Promise<void>
}

interface MqttPackage {
  connectAsync(url: string, options: { readonly reconnectPeriod: number }): Promise<MqttClient>
}

const ignore = (): void => {}

async function client(url: string): Promise<MqttClient> {
  const { connectAsync } = await loadPeer<MqttPackage>('mqtt')
  return await connectAsync(url, { reconnectPeriod: 0 })
}

const inMqtt = (name: string): string => name.replaceAll('.', '/').replaceAll('*', '+')

export async function publisher(url: string): Promise<PublishSide> {
  const mqtt = await client(url)
  return {
    async publish(topics: readonly string[], feed: Feed) {
      const names = topics.map(inMqtt)
      const total = Math.max(1, Math.min(maxUnderWay, feed.holds, Math.floor(maxUnderWayBytes / feed.size)))
      let [at, underWay] = [0, 0]
      let wake: (() => void) | undefined
      const written = (): void => {
        if (--underWay > total >> 1) return
        wake?.()
        wake = undefined
      }
      for (let payload = feed.next(); payload !== undefined; payload = feed.next()) {
        underWay++
        mqtt.publish(names[at] as string, payload, lowest, written)
        if (++at === names.length) at = 0
        if (underWay < total) continue
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      while (underWay > 0) await new Promise((resolve) => setTimeout(resolve, 5))
    },
    post(topic: string, payload: Uint8Array) {
      mqtt.publish(inMqtt(topic), payload, lowest, ignore)
    },
    close: () => mqtt.endAsync(),
  }
}

export async function subscriber(url: string): Promise<SubscribeSide> {
  const mqtt = await client(url)
  return {
    async subscribe(patterns: readonly string[], _style: Style, intake: Intake) {
      mqtt.on('message', (_topic, payload) => intake.take(payload))
      await mqtt.subscribeAsync(patterns.map(inMqtt), lowest)
    },
    close: () => mqtt.endAsync(),
  }
}

export async function requester(url: string): Promise<RequestSide> {
  const mqtt = await client(url)
  const correlation = new Correlation()
  mqtt.on('message', (_topic, payload) => correlation.take(payload))
  await mqtt.subscribeAsync([replyTopic], lowest)
  return {
    request(payload) {
      const reply = correlation.reply(payload)
      mqtt.publish(requestTopic, payload, lowest, ignore)
      return reply
    },
    close: () => mqtt.endAsync(),
  }
}

export async function responder(url: string): Promise<Closable> {
  const mqtt = await client(url)
  mqtt.on('message', (_topic, payload) => mqtt.publish(replyTopic, payload, lowest, ignore))
  await mqtt.subscribeAsync([requestTopic], lowest)
  return { close: () => mqtt.endAsync() }
}
