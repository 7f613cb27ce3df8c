/** A link that was closed stays closed, whatever was on its way to it. */
import { type Identity, Link, type LinkEvent, newId, Server } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { Kind } from '../../../socket/wire/frame.ts'
import { failure, House } from '../tools/house.ts'
import { TcpProxy } from '../tools/proxy.ts'
import { ScriptedServer } from '../tools/scripted-server.ts'
import { turns, until } from '../tools/until.ts'

describe('a link that was closed', () => {
  it('while its WELCOME was on its way stays closed', async () => {
    let link: Link | undefined
    let handshakes = 0
    const authenticate = (): Identity => {
      if (++handshakes === 1) void link?.close()
      return {}
    }
    await using server = await Server.listen({ graceMs: 0, authenticate })
    const events: LinkEvent[] = []
    const options = { reconnect: { minMs: 1, maxMs: 2 }, observe: (event: LinkEvent) => void events.push(event) }
    link = Link.lazy(server.url, options)
    expect(await link.closed).toBeUndefined()
    await until('the server knows', () => server.stats().links === 0)
    await turns(20)
    expect([link.isOpen, handshakes, events.map(({ type }) => type)]).toEqual([false, 1, ['closed']])
  })

  it('by its signal, while the WELCOME of its first connection was on its way, leaves no link behind', async () => {
    const controller = new AbortController()
    let handshakes = 0
    const authenticate = (): Identity => {
      if (++handshakes === 1) controller.abort('enough')
      return {}
    }
    await using server = await Server.listen({ graceMs: 0, authenticate })
    const options = { reconnect: { minMs: 1, maxMs: 2 }, signal: controller.signal }
    expect(await failure(Link.connect(server.url, options))).toMatchObject({ code: 'ABORTED', cause: 'enough' })
    await until('the server knows', () => server.stats().links === 0)
    await turns(20)
    expect([server.stats().links, handshakes]).toEqual([0, 1])
  })

  it('hears nothing of what still comes', async () => {
    const server = new ScriptedServer()
    const events: string[] = []
    const options = { ...server.reach, observe: ({ type }: LinkEvent) => void events.push(type) }
    server.onFrame = () => {}
    const link = Link.lazy(server.url, options)
    await until('it says HELLO', () => server.connections.length > 0 && server.last.frames.length > 0)
    void link.close()
    server.last.welcome()
    server.last.say(Kind.GOAWAY)
    server.last.dismiss('SERVER_CLOSING')
    await turns(20)
    expect([link.isOpen, events, server.connections.length]).toEqual([false, ['closed'], 1])
    expect(server.last.frames.map(({ kind }) => kind)).toEqual([Kind.HELLO])
  })

  it('by whoever is told that a stream is lost does not come back', async () => {
    await using house = await House.open('tcp')
    await using proxy = await TcpProxy.to(house.server.url)
    const provider = await (await house.link()).provider(newId())
    const events: string[] = []
    const options = { reconnect: { minMs: 1, maxMs: 2 }, observe: ({ type }: LinkEvent) => void events.push(type) }
    const link = await Link.connect(proxy.url, options)
    const observe = (providers: number): void => {
      if (providers === 0) void link.close()
    }
    await link.consumer(provider.channelId, { observe })
    proxy.cut()
    expect(await link.closed).toBeUndefined()
    await turns(20)
    expect([link.isOpen, events, proxy.accepted]).toEqual([false, ['connected', 'closed'], 1])
  })

  it('while it was being dialled destroys what comes of that', async () => {
    const server = new ScriptedServer()
    let go: () => void = () => {}
    const gate = new Promise<void>((resolve) => (go = resolve))
    const { sim } = server.reach.transports
    const transports = {
      sim: async (...given: Parameters<typeof sim>) => {
        await gate
        return sim(...given)
      },
    }
    const link = Link.lazy(server.url, { ...server.reach, transports })
    await link.close()
    go()
    await until('what was dialled is ended', () => server.connections.length === 1 && server.last.ends.length === 1)
    expect([link.isOpen, server.last.frames]).toEqual([false, []])
  })
})
