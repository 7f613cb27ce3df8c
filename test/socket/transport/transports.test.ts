/** Transports by scheme: those of the program, and those that a link brings. */
import { Consumer, type Dial, Link, newId, Provider, Server } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { socketTransports } from '../../../socket/transport/node/dial.ts'
import { dialOf } from '../../../socket/transport/transports.ts'
import { bytes, failure, text } from '../tools/house.ts'
import { ScriptedServer } from '../tools/scripted-server.ts'

describe('a link', () => {
  it('takes a transport of its own by the scheme of the address, and gives it the whole of it', async () => {
    const server = new ScriptedServer()
    const asked: string[] = []
    const sim: Dial = (url, settings, signal) => {
      asked.push(url)
      return server.reach.transports.sim(url, settings, signal)
    }
    await using link = await Link.connect('sim:any thing?at=all', { transports: { sim } })
    expect([link.isOpen, asked]).toEqual([true, ['sim:any thing?at=all']])
  })

  it('prefers its own to one of the program, on every connection', async () => {
    await using server = await Server.listen({ graceMs: 0 })
    let dialled = 0
    const tcp: Dial = (_url, settings, signal) => {
      dialled++
      return dialOf(server.url, socketTransports)(server.url, settings, signal)
    }
    const options = { transports: { tcp } }
    await using provider = await Provider.connect('tcp://nowhere:1', newId(), options)
    provider.serve(({ payload }) => payload)
    await using consumer = await Consumer.connect('tcp://nowhere:1', provider.channelId, options)
    expect(text(await consumer.send(bytes('a')))).toBe('a')
    expect(dialled).toBe(2)
  })

  it.each([
    ['ws://host:1', /"ws:\/\/host:1".*'tcp:', 'tls:', 'unix:'/],
    ['localhost', /"localhost"/],
    ['toString:x', /expected/],
    [undefined, /type undefined/],
    [7, /type number/],
  ])('says of an address that nobody takes which there are: %s', async (url, message) => {
    const error = await failure(Link.connect(url as string))
    expect(error.code).toBe('INVALID_OPTION')
    expect(error.message).toMatch(message)
  })

  it('refuses transports that are none', async () => {
    for (const transports of [[], { sim: 'tcp' }, 'sim']) {
      expect((await failure(Link.connect('sim:x', { transports } as never))).code).toBe('INVALID_OPTION')
    }
  })

  it('fails to connect with CONNECT_FAILED when its transport throws anything', async () => {
    const sim = (): never => {
      throw new TypeError('no such thing')
    }
    const error = await failure(Link.connect('sim:x', { transports: { sim } }))
    expect(error).toMatchObject({ code: 'CONNECT_FAILED', cause: { message: 'no such thing' } })
  })

  it('gives up a transport that never answers after connectTimeoutMs, and aborts it', async () => {
    let given: AbortSignal | undefined
    const sim: Dial = (_url, _settings, signal) => {
      given = signal
      return new Promise(() => {})
    }
    const error = await failure(Link.connect('sim:x', { transports: { sim }, connectTimeoutMs: 10 }))
    expect(error).toMatchObject({ code: 'CONNECT_FAILED', retryable: true })
    expect(given?.aborted).toBe(true)
  })
})
