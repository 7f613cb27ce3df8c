/** Channel ends that are refused when they are opened again: they wait for what may pass, and say what will not. */
import { Link, newId, Provider } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import type { SocketErrorCode } from '../../../base/errors.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { bytes, failure, House, text } from '../tools/house.ts'
import { TcpProxy } from '../tools/proxy.ts'
import { ScriptedServer } from '../tools/scripted-server.ts'
import { turns, until } from '../tools/until.ts'

const soon = { reconnect: { minMs: 1, maxMs: 5 } }

/** A server that takes every end at first, and after a loss refuses it so many times. */
function refusing(code: SocketErrorCode, times: number): ScriptedServer {
  const server = new ScriptedServer()
  server.onFrame = ({ kind, stream }, connection) => {
    if (kind === Kind.HELLO) connection.welcome()
    if (kind !== Kind.OPEN) return
    if (server.connections.length > 1 && connection.opens.length <= times) connection.refuse(stream, code)
    else connection.say(Kind.OPENED, stream)
  }
  return server
}

/** Loses the connection and waits until the next one is there. */
async function lose(server: ScriptedServer): Promise<void> {
  const before = server.connections.length
  server.last.port.destroy()
  await until('it connects again', () => server.connections.length > before)
}

describe('a Provider whose channel was taken while its link was lost', () => {
  it('waits until the rival is gone, and then goes on serving', async () => {
    await using house = await House.open('tcp')
    await using proxy = await TcpProxy.to(house.server.url)
    await using provider = await Provider.connect(proxy.url, newId(), soon)
    provider.serve(() => bytes('the first'))
    const consumer = await (await house.link()).consumer(provider.channelId)
    proxy.isRefusing = true
    proxy.cut()
    await until('the server knows', () => house.server.stats().links === 1)
    const rival = await (await house.link()).provider(provider.channelId)
    rival.serve(() => bytes('the rival'))
    proxy.isRefusing = false
    await until('it is refused', () => house.server.stats().refused > 3)
    expect(text(await consumer.send(bytes('who?')))).toBe('the rival')
    await rival.close()
    const answer = await until('it is answered', () => consumer.send(bytes('who?')).catch(() => undefined))
    expect(text(answer)).toBe('the first')
    expect(house.server.stats().links).toBe(3)
  })

  it("gives up with CHANNEL_CONFLICT when it was told to: whenTaken 'close'", async () => {
    const server = refusing('CHANNEL_CONFLICT', 1)
    await using link = await Link.connect(server.url, server.reach)
    const provider = await link.provider(newId(), { whenTaken: 'close' })
    const received = failure(provider.receive())
    await lose(server)
    expect(await received).toMatchObject({ code: 'CHANNEL_CONFLICT' })
    await turns()
    expect([server.last.opens.length, link.stats().ends]).toEqual([1, 0])
  })

  it("waits for everything else also with whenTaken 'close'", async () => {
    const server = refusing('AUTH_UNAVAILABLE', 3)
    await using link = await Link.connect(server.url, server.reach)
    await link.provider(newId(), { whenTaken: 'close' })
    await lose(server)
    await until('it is taken', () => server.last.opens.length === 4)
    expect(link.stats().ends).toBe(1)
  })

  it('is refused at once when it was never open', async () => {
    const server = new ScriptedServer()
    server.onFrame = ({ kind, stream }, connection) => {
      if (kind === Kind.HELLO) connection.welcome()
      if (kind === Kind.OPEN) connection.refuse(stream, 'CHANNEL_CONFLICT')
    }
    await using link = await Link.connect(server.url, server.reach)
    expect((await failure(link.provider(newId()))).code).toBe('CHANNEL_CONFLICT')
    await turns()
    expect([server.last.opens.length, link.stats().ends]).toEqual([1, 0])
  })
})

describe('a channel end that is opened again', () => {
  it('[SOCK 4.1] has a number of its own each time, higher than any before on that connection', async () => {
    const server = refusing('CHANNEL_CONFLICT', 4)
    await using link = await Link.connect(server.url, server.reach)
    const provider = await link.provider(newId())
    await (await link.consumer(newId())).close()
    await lose(server)
    await until('it is taken', () => server.last.opens.length === 5)
    const numbers = server.last.opens.map(({ stream }) => stream)
    expect(numbers).toEqual([...new Set(numbers)].sort((one, two) => one - two))
    await provider.close()
    await until('it is shut', () => server.last.frames.at(-1)?.kind === Kind.SHUT)
    expect(server.last.frames.at(-1)?.stream).toBe(numbers.at(-1))
  })

  it('and closed while it waits is not opened any more, and not shut either', async () => {
    const server = refusing('CHANNEL_CONFLICT', Number.POSITIVE_INFINITY)
    await using link = await Link.connect(server.url, server.reach)
    const provider = await link.provider(newId())
    await lose(server)
    await until('it is refused a few times', () => server.last.opens.length >= 3)
    await provider.close()
    const { length } = server.last.frames
    await turns()
    expect([server.last.frames.length, link.stats().ends]).toEqual([length, 0])
  })

  it('ends with what will not pass', async () => {
    const server = refusing('FORBIDDEN', 1)
    await using link = await Link.connect(server.url, server.reach)
    const consumer = await link.consumer(newId())
    await lose(server)
    await until('it is refused', () => link.stats().ends === 0)
    expect((await failure(consumer.send(bytes('a')))).code).toBe('FORBIDDEN')
  })

  it('is not closed with the link of a server that is closing: an OPEN that crosses GOAWAY is made again', async () => {
    const server = new ScriptedServer()
    await using link = await Link.connect(server.url, server.reach)
    const take = server.onFrame
    server.onFrame = ({ kind, stream }, connection) => {
      if (kind !== Kind.OPEN) return
      connection.refuse(stream, 'SERVER_CLOSING')
      connection.say(Kind.GOAWAY)
      server.onFrame = take
    }
    const consumer = await link.consumer(newId())
    expect(server.connections.length).toBe(2)
    expect([consumer.providers, link.stats().ends, server.last.opens.length]).toEqual([0, 1, 1])
  })
})
