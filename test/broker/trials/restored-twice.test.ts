/**
 * What broke: a subscription was restored twice and got everything twice, or an attempt that was overtaken silenced the
 * one that had come first.
 */
import { Broker, connect } from 'signalbox'
import { Provider, type Role, Server } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { brokerChannel } from '../../../broker/shared/broker-channel.ts'
import { until } from '../../socket/tools/until.ts'
import { closing } from '../tools/scripted-broker.ts'

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** A server that takes `ms` to let a subscription's channel open. */
async function slowServer() {
  const slow = { ms: 0, times: Number.POSITIVE_INFINITY }
  const authorise = async (_link: unknown, role: Role, channel: string) => {
    if (role === 'provider' && channel !== brokerChannel && slow.ms > 0 && slow.times-- > 0) await sleep(slow.ms)
    return true
  }
  return { server: await Server.listen({ authorise, graceMs: 50 }), slow }
}

describe('a subscription whose broker goes and comes', () => {
  it('gets everything once, though a broker in between refused it and channels open slowly', async () => {
    const { server, slow } = await slowServer()
    const first = await Broker.attach(server.url)
    const client = await connect(server.url)
    const subscription = await client.subscribe('t')
    slow.ms = 150
    await first.close()
    const refusing = await Provider.connect(server.url, brokerChannel)
    refusing.serve(closing)
    await sleep(250)
    await refusing.close()
    await sleep(300)
    const second = await Broker.attach(server.url)
    await until('it is restored', () => second.stats().subscriptions > 0)
    await sleep(300)
    slow.ms = 0
    for (let i = 0; i < 10; i++) await client.publish('t', i)
    await client.flush()
    expect((await subscription.take(10)).map(({ data }) => data)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect([second.stats().subscriptions, subscription.pending]).toEqual([1, 0])
    await client.close()
    await second.close()
    await server.close()
  })

  it('is not silent after two brokers in quick succession and one slow channel', async () => {
    const { server, slow } = await slowServer()
    const first = await Broker.attach(server.url)
    const client = await connect(server.url)
    const subscription = await client.subscribe('t')
    slow.ms = 200
    slow.times = 1
    await first.close()
    const second = await Broker.attach(server.url)
    await sleep(50)
    await second.close()
    const third = await Broker.attach(server.url)
    await until('it is restored', () => third.stats().subscriptions === 1)
    await sleep(300)
    for (let i = 0; i < 100; i++) await client.publish('t', i)
    await client.flush()
    expect(await subscription.take(100)).toHaveLength(100)
    expect(third.stats().subscriptions).toBe(1)
    await client.close()
    await third.close()
    await server.close()
  })
})
