/** What broke: while a broker closed, it took the credit of publishes and threw them away. */
import { Broker } from 'signalbox'
import { Server } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { turns } from '../../socket/tools/until.ts'
import { RawClient, received } from '../tools/raw-client.ts'

describe('a broker that closes while a subscription does not read', () => {
  it('leaves to its successor what it does not take, and swallows nothing', async () => {
    await using server = await Server.listen({ graceMs: 100 })
    const first = await Broker.attach(server.url, { drainMs: 300 })
    await using stuck = await RawClient.connect(server.url)
    await stuck.subscribe('x')
    await using raw = await RawClient.connect(server.url)
    const { provider } = await raw.subscribe('orders')
    for (let i = 0; i < 30; i++) await raw.publish('x', { entries: [{ value: new Uint8Array(10_000) }] })
    await raw.ask({ op: 'flush' })
    const taken = first.stats().published
    let sent = 0
    let isClosed = false
    const closing = first.close().then(() => {
      isClosed = true
    })
    const posts: Promise<void>[] = []
    while (!isClosed) {
      posts.push(raw.publish('orders'))
      sent++
      await turns(1)
    }
    await closing
    await using second = await Broker.attach(server.url)
    await Promise.all(posts)
    await raw.ask({ op: 'flush' })
    const byFirst = first.stats().published - taken
    expect([first.stats().refused, byFirst + second.stats().published]).toEqual([0, sent])
    // What it still took, it also forwarded.
    let count = 0
    while (count < byFirst) count += (await received(provider)).length
    expect(second.stats().published).toBeGreaterThan(0)
  })

  it('ends all the same', async () => {
    const broker = await Broker.listen({ drainMs: 100 })
    await using raw = await RawClient.connect(broker.url)
    await raw.subscribe('a')
    for (let i = 0; i < 30; i++) await raw.publish('a', { entries: [{ value: new Uint8Array(10_000) }] })
    await raw.ask({ op: 'flush' })
    expect(broker.stats().held).toBeGreaterThan(0)
    await broker.close()
    expect(broker.stats()).toMatchObject({ subscriptions: 0, held: 0 })
  })
})
