/**
 * What a server or a broker may refuse a client: connecting, the broker channel, a subscription; at first and after an
 * outage.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Broker } from '../../../broker/broker.ts'
import { connect } from '../../../broker/client/connect.ts'
import { brokerChannel } from '../../../broker/shared/broker-channel.ts'
import { until } from '../../socket/tools/until.ts'
import { Detour } from '../tools/detour.ts'
import { all, failure, Told, takeData } from '../tools/reading.ts'

const graceMs = 50

describe('a client that may not', () => {
  it('connect is told UNAUTHENTICATED, and one with the right word may', async () => {
    const authenticate = ({ auth }: { auth: unknown }) => {
      if (auth !== 'open sesame') throw new Error('who are you?')
      return {}
    }
    await using broker = await Broker.listen({ authenticate, graceMs })
    expect((await failure(connect(broker.url, { auth: 'please' }))).code).toBe('UNAUTHENTICATED')
    await using client = await connect(broker.url, { auth: 'open sesame' })
    await client.flush()
  })

  it('use the broker channel is told FORBIDDEN, and leaves nothing', async () => {
    const authorise = (_link: unknown, _role: string, channelId: string) => channelId !== brokerChannel
    await using broker = await Broker.listen({ authorise, graceMs })
    expect((await failure(connect(broker.url))).code).toBe('FORBIDDEN')
    await until('its link is gone', () => broker.stats().server?.links === 1)
  })

  it('provide a channel is told FORBIDDEN when it subscribes, and may still publish', async () => {
    await using broker = await Broker.listen({ authorise: (_link, role) => role === 'consumer', graceMs })
    await using client = await connect(broker.url)
    expect((await failure(client.subscribe('t'))).code).toBe('FORBIDDEN')
    await client.publish('t', 1)
    await client.flush()
    expect([broker.stats().published, client.stats().subscriptions]).toEqual([1, 0])
  })

  it('subscribe again after an outage has its loop throw, after what was queued; others are restored', async () => {
    let forbidden = 0
    const authorise = (_link: unknown, role: string) => role === 'consumer' || forbidden-- !== 1
    await using broker = await Broker.listen({ authorise, graceMs })
    await using detour = await Detour.to(broker.url)
    await using client = await connect(detour.url, { reconnect: { minMs: 1, maxMs: 10 } })
    const told = new Told(client)
    const [first, second] = [await client.subscribe('a'), await client.subscribe('b')]
    await client.publish('a', 1)
    await client.flush()
    forbidden = 1
    detour.cut()
    await told.first('recovered')
    expect(await takeData(first, 1)).toEqual([1])
    expect((await failure(all(first))).code).toBe('FORBIDDEN')
    await client.publish('b', 2)
    expect(await takeData(second, 1)).toEqual([2])
    expect(client.stats().subscriptions).toBe(1)
  })
})

describe('a broker that is full', () => {
  it('refuses one subscription more with TOO_MANY_SUBSCRIPTIONS, until one is closed', async () => {
    await using broker = await Broker.listen({ maxSubscriptions: 2, graceMs })
    await using client = await connect(broker.url)
    const [first] = [await client.subscribe('a'), await client.subscribe('b')]
    const details = expect.objectContaining({ code: 'TOO_MANY_SUBSCRIPTIONS', retryable: false })
    expect(await failure(client.subscribe('c'))).toEqual(details)
    await first?.close()
    await client.subscribe('c')
  })

  it('counts what is published to one topic more as refused, and takes the rest', async () => {
    await using broker = await Broker.listen({ maxTopics: 2, graceMs })
    await using client = await connect(broker.url)
    const subscription = await client.subscribe('**')
    for (const topic of ['a', 'b', 'c', 'a', 'd', 'b']) await client.publish(topic, topic)
    expect(await failure(client.flush())).toMatchObject({ details: { refused: 2 } })
    expect(await takeData(subscription, 4)).toEqual(['a', 'b', 'a', 'b'])
    expect(broker.stats()).toMatchObject({ topics: 2, published: 4, refused: 2 })
  })
})

describe('a broker on a unix socket', () => {
  it('serves its clients like any other', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'signalbox-'))
    const broker = await Broker.listen({ path: join(folder, 'broker'), graceMs })
    const client = await connect(broker.url)
    const subscription = await client.subscribe('t')
    await client.publish('t', 'hello')
    expect([broker.url.startsWith('unix:'), await takeData(subscription, 1)]).toEqual([true, ['hello']])
    await client.close()
    await broker.close()
    rmSync(folder, { recursive: true })
  })
})
