/** Options: what is not said is the default, what is wrong is refused, and nothing is ignored in silence. */

import { Consumer, Link, Server } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../base/clock.ts'
import { newId } from '../../base/identifier.ts'
import { defaultMemoryBytes, MemoryBudget } from '../../base/memory-budget.ts'
import { defined } from '../../base/verify.ts'
import {
  type LinkOptions,
  linkDefaults,
  linkRules,
  linkSettings,
  listenAddresses,
  type ServerOptions,
  serverDefaults,
  serverRules,
  serverSettings,
} from '../../socket/options.ts'
import { bytes, failure, House, text } from './tools/house.ts'

const wrong = expect.objectContaining({ code: 'INVALID_OPTION' })

describe('options', () => {
  it('have the defaults that nobody overrides, also when undefined is said', () => {
    expect(linkSettings({})).toEqual({ ...linkDefaults, memory: expect.any(MemoryBudget) })
    expect(linkSettings({ heartbeatMs: undefined, name: 'a' } as never)).toMatchObject({ ...linkDefaults, name: 'a' })
    expect(serverSettings({ port: 0, maxLinks: undefined } as never)).toEqual(serverDefaults)
    expect(defined({ a: 1, b: undefined, c: null })).toEqual({ a: 1, c: null })
  })

  it('say how much a link may hold for others; else a part of what the heap may grow to', async () => {
    await using house = await House.open('tcp')
    const [own, plain] = [await house.link({ maxMemoryBytes: 1_000 }), await house.link()]
    expect([own.memory.limit, own.stats().memory]).toEqual([1_000, { used: 0, limit: 1_000 }])
    expect(plain.memory.limit).toBe(defaultMemoryBytes())
    expect((await failure(house.link({ maxMemoryBytes: 0 }))).code).toBe('INVALID_OPTION')
  })

  it('take no clock that lacks a method, and say which there must be', () => {
    const { turn: _turn, ...older } = systemClock
    for (const settings of [linkSettings, serverSettings]) {
      expect(() => settings({ clock: older } as never)).toThrow(/expected an object with the methods .* turn, /)
      expect(() => settings({ clock: { ...systemClock } })).not.toThrow()
    }
  })

  it('have a rule for every default', () => {
    expect(Object.keys(linkRules)).toEqual(expect.arrayContaining(Object.keys(linkDefaults)))
    expect(Object.keys(serverRules)).toEqual(expect.arrayContaining(Object.keys(serverDefaults)))
    expect(Object.isFrozen(linkDefaults) && Object.isFrozen(serverDefaults)).toBe(true)
  })

  it('that are wrong are refused before anything is done', async () => {
    const links: object[] = [{ hartbeatMs: 5 }, { heartbeatMs: 1 }, { heartbeatMs: '15s' }, { windowBytes: 1_000 }]
    const more: object[] = [{ reconnect: true }, { reconnect: { tries: 3 } }, { signal: {} }, { maxOutstanding: 0 }]
    for (const given of [...links, ...more]) {
      expect(() => linkSettings(given as LinkOptions)).toThrow(wrong)
      expect((await failure(Link.connect('tcp://127.0.0.1:1', given as LinkOptions))).code).toBe('INVALID_OPTION')
    }
    for (const given of [{ port: 70_000 }, { prot: 1 }, { graceMs: -1 }, { observe: 'console' }, { maxLinks: 0.5 }]) {
      expect((await failure(Server.listen(given as ServerOptions))).code).toBe('INVALID_OPTION')
    }
    expect((await failure(Link.connect('http://127.0.0.1'))).code).toBe('INVALID_OPTION')
  })

  it('for where to listen name one place, or several, and never two things at once', () => {
    expect(listenAddresses({})).toEqual([{}])
    expect(listenAddresses({ port: 1, graceMs: 5 })).toEqual([{ port: 1 }])
    expect(listenAddresses({ listen: [{ port: 1 }, { path: '/a' }] })).toEqual([{ port: 1 }, { path: '/a' }])
    expect(listenAddresses({ listen: false })).toEqual([])
    expect(listenAddresses({ url: 'tls://a:1', tls: {} })).toEqual([{ url: 'tls://a:1', tls: {} }])
    const muddled: ServerOptions[] = [
      { url: 'tcp://a:1', port: 1 },
      { url: 'unix:/a', path: '/a' },
      { listen: false, port: 1 },
      { path: '/a', port: 1 },
      { path: '/a', tls: {} },
      { listen: [{ path: '/a', host: 'b' }] },
      { listen: [{ port: 1 }], port: 2 },
      { listen: [{ prot: 1 } as never] },
      { listen: ['tcp://a:1' as never] },
    ]
    for (const given of muddled) expect(() => listenAddresses(given)).toThrow(wrong)
  })

  it('of addresses that are empty are refused: to the system an empty host is every address of this machine', async () => {
    for (const given of [{ host: '' }, { path: '' }, { listen: [{ host: '' }] }, { listen: [] }]) {
      expect((await failure(Server.listen(given))).code).toBe('INVALID_OPTION')
    }
  })

  it('of times that are longer than any timer can run are as good as for ever', async () => {
    const long = 2 ** 40
    await using house = await House.open('tcp', { handshakeTimeoutMs: long, heartbeatMs: long })
    const options = { connectTimeoutMs: Number.POSITIVE_INFINITY, heartbeatMs: long }
    const provider = await (await house.link(options)).provider(newId())
    await using consumer = await Consumer.connect(house.server.url, provider.channelId, options)
    provider.serve(({ payload }) => payload)
    expect(text(await consumer.send(bytes('a'), { timeoutMs: long }))).toBe('a')
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(house.server.stats().links).toBe(2)
  })
})

describe('a server with several addresses', () => {
  it('is the same behind each of them', async () => {
    const server = await Server.listen({ listen: [{ port: 0 }, { port: 0 }] })
    expect(server.urls.length).toBe(2)
    expect(server.url).toBe(server.urls[0])
    const [one, two] = await Promise.all(server.urls.map((url) => Link.connect(url)))
    const provider = await (one as Link).provider(newId())
    provider.serve(({ payload }) => payload)
    const consumer = await (two as Link).consumer(provider.channelId)
    expect(text(await consumer.send(bytes('a')))).toBe('a')
    await Promise.all([one?.close(), two?.close(), server.close()])
  })

  it('may be told where by text', async () => {
    const server = await Server.listen({ url: 'tcp://127.0.0.1:0' })
    expect(server.url).toMatch(/^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/)
    await server.close()
    expect((await failure(Server.listen({ url: 'tls://127.0.0.1:0' }))).code).toBe('INVALID_OPTION')
  })

  it('listens on none when it cannot on one', async () => {
    const first = await Server.listen()
    const port = Number(new URL(first.url).port)
    const other = await Server.listen()
    const free = Number(new URL(other.url).port)
    await other.close()
    expect((await failure(Server.listen({ listen: [{ port: free }, { port }] }))).code).toBe('LISTEN_FAILED')
    const again = await Server.listen({ port: free })
    await Promise.all([first.close(), again.close()])
  })
})
