/** What broke: closing a broker took drainMs twice, and a second call did not wait for the first. */
import { Server } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { Hub } from '../../../broker/hub/hub.ts'
import { hubDefaults } from '../../../broker/hub/options.ts'
import { ManualClock } from '../../socket/tools/manual-clock.ts'
import { turns, until } from '../../socket/tools/until.ts'
import { RawClient } from '../tools/raw-client.ts'

const drainMs = 1_000

describe('a broker that closes with a request that cannot be answered, and messages that cannot be sent', () => {
  it('waits for drainMs once, for whoever asks [BROKER 3.10]', async () => {
    const clock = new ManualClock()
    const server = await Server.listen({ clock })
    const hub = await Hub.start(
      server.link({ name: 'broker' }),
      { ...hubDefaults, drainMs, pacing: { share: 0 } },
      clock,
    )
    const raw = await RawClient.connect(server.url)
    const { provider } = await raw.subscribe('a')
    for (let i = 0; i < 30; i++) await raw.publish('a', { entries: [{ value: new Uint8Array(10_000) }] })
    await raw.ask({ op: 'flush' })
    expect(hub.stats().held).toBeGreaterThan(0)
    const draining = raw.ask({ op: 'unsubscribe', channel: provider.channelId, drain: true }).catch(() => {})
    // It has come when what was asked after it is answered.
    await raw.ask({ op: 'flush' })
    let closed = 0
    const closing = [hub.close(), hub.close()].map((each) => each.then(() => closed++))
    await turns(20)
    clock.advance(drainMs - 1)
    await turns(20)
    expect(closed).toBe(0)
    clock.advance(1)
    await until('it is closed', () => closed === 2)
    await Promise.all(closing)
    await draining
    expect(hub.stats()).toMatchObject({ subscriptions: 0, held: 0 })
    const ended = raw.link.close().then(() => server.close())
    await until('the server is closed', () => {
      clock.advance(drainMs)
      return Promise.race([ended.then(() => true), turns(1)])
    })
  })
})
