/**
 * Connections that are dead on one side only: found by the heartbeat, replaced, and not in the way of their successor.
 */
import { Link, type LinkEvent, type ServerEvent } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { bytes, failure, House, text } from '../tools/house.ts'
import { ManualClock } from '../tools/manual-clock.ts'
import { TcpProxy } from '../tools/proxy.ts'
import { turns, until } from '../tools/until.ts'

const heartbeatMs = 10_000
const never = Number.POSITIVE_INFINITY

describe('a half-open connection', () => {
  it('[SOCK 7.1] is found within two heartbeats, and not while the peer answers', async () => {
    await using house = await House.open('tcp', { heartbeatMs: never })
    await using proxy = await TcpProxy.to(house.server.url)
    const clock = new ManualClock()
    const events: LinkEvent[] = []
    const observe = (event: LinkEvent): void => void events.push(event)
    const link = await Link.connect(proxy.url, { clock, heartbeatMs, observe, reconnect: false })
    for (let i = 0; i < 12; i++) {
      clock.advance(heartbeatMs / 2)
      await turns(20)
    }
    expect([link.isOpen, events.length]).toEqual([true, 1])
    proxy.isHole = true
    for (let passed = 0; passed < 2 * heartbeatMs; passed += heartbeatMs / 2) {
      clock.advance(heartbeatMs / 2)
      await turns(2)
    }
    expect(await link.closed).toMatchObject({ code: 'HEARTBEAT_LOST' })
    expect(events.map(({ type }) => type)).toEqual(['connected', 'disconnected', 'closed'])
    await link.close()
  })

  it('[SOCK 3.4] that the server still believes in is replaced when its link connects again', async () => {
    const told: ServerEvent[] = []
    await using house = await House.open('tcp', { heartbeatMs: never, observe: (event) => void told.push(event) })
    await using proxy = await TcpProxy.to(house.server.url)
    const clock = new ManualClock()
    const link = await Link.connect(proxy.url, { clock, heartbeatMs, name: 'twice' })
    const provider = await link.provider(newId())
    provider.serve(({ payload }) => payload)
    const consumer = await (await house.link()).consumer(provider.channelId)
    expect(text(await consumer.send(bytes('before')))).toBe('before')
    proxy.isHole = true
    const stuck = failure(consumer.send(bytes('into the hole'), { timeoutMs: 60_000 }))
    for (let i = 0; i < 4; i++) {
      clock.advance(heartbeatMs / 2)
      await turns(2)
    }
    expect(link.isOpen).toBe(false)
    expect(house.server.stats()).toMatchObject({ links: 2, streams: 1 })
    proxy.onAccept = () => {
      proxy.isHole = false
    }
    await until('it is back', () => {
      clock.advance(100)
      return link.isOpen && consumer.providers === 1
    })
    expect((await stuck).code).toBe('LINK_LOST')
    expect(text(await consumer.send(bytes('after')))).toBe('after')
    expect(house.server.stats()).toMatchObject({ links: 2, channels: 1, streams: 1, refused: 0 })
    expect(told.find(({ type }) => type === 'link-close')).toMatchObject({ code: 'REPLACED', link: { name: 'twice' } })
    await link.close()
  })

  it('is found by the server too, which tells the others', async () => {
    const clock = new ManualClock()
    const told: ServerEvent[] = []
    await using house = await House.open('tcp', { clock, heartbeatMs, observe: (event) => void told.push(event) })
    await using proxy = await TcpProxy.to(house.server.url)
    const link = await Link.connect(proxy.url, { heartbeatMs: never, reconnect: false })
    const provider = await link.provider(newId())
    const consumer = await (await house.link()).consumer(provider.channelId)
    const stuck = failure(consumer.send(bytes('a'), { timeoutMs: 60_000 }))
    await until('it has come', () => provider.pending === 1)
    for (let i = 0; i < 12; i++) {
      clock.advance(heartbeatMs / 2)
      await turns(20)
    }
    expect(house.server.stats().links).toBe(2)
    proxy.isHole = true
    const healthy = await house.link({ heartbeatMs: never })
    for (let i = 0; i < 4; i++) {
      clock.advance(heartbeatMs / 2)
      await turns(20)
    }
    expect((await stuck).code).toBe('LINK_LOST')
    expect(told.filter(({ type }) => type === 'link-close')).toMatchObject([{ code: 'HEARTBEAT_LOST' }])
    expect([house.server.stats().links, healthy.isOpen]).toEqual([2, true])
    await link.close()
  })
})
