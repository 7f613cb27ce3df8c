/** Who is let in: handshakes, links that come back, credentials, and what is told about a link to others. */
import { connect as connectTcp, type Socket } from 'node:net'
import { type Identity, Link, type LinkInfo, Server, type ServerEvent, type ServerOptions } from 'signalbox/socket'
import { afterEach, describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { bytes, failure, House } from '../tools/house.ts'
import { goodHello, hello, RawPeer } from '../tools/raw-peer.ts'
import { until } from '../tools/until.ts'
import { certificate } from '../transport/certificate.ts'
import { encodeFrame, json } from '../wire/naive-frame.ts'

const sockets: Socket[] = []
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
})

function silent(url: string): Socket {
  const socket = connectTcp(Number(new URL(url).port), '127.0.0.1').on('error', () => {})
  socket.resume()
  sockets.push(socket)
  return socket
}

describe('authenticate', () => {
  it('that cannot find out now is no refusal: AUTH_UNAVAILABLE, which may be tried again', async () => {
    const authenticate = (): never => {
      throw Object.assign(new Error('the database is away'), { retryable: true })
    }
    await using house = await House.open('tcp', { authenticate })
    await using peer = await RawPeer.connect(house.server.url)
    peer.write(encodeFrame({ kind: Kind.HELLO, payload: json(goodHello()) }))
    expect(await peer.dismissed()).toBe('AUTH_UNAVAILABLE')
    const bye = peer.frames.find(({ kind }) => kind === Kind.BYE)
    expect(JSON.parse(String(bye?.payload))).toMatchObject({ retryable: true, n: 1012 })
    expect(String(bye?.payload)).not.toContain('is away')
  })

  it('alone sees the credentials: they reach neither observers nor authorise, and are not kept', async () => {
    const seen: unknown[] = []
    const options: ServerOptions = {
      authenticate: ({ auth }) => ({ name: String((auth as { user: string }).user) }),
      authorise: (link: LinkInfo) => void seen.push(link) === undefined,
      observe: (event: ServerEvent) => void seen.push(event),
    }
    await using house = await House.open('tcp', options)
    const link = await house.link({ auth: { user: 'ann', password: 'hush' } })
    await link.consumer(newId())
    await link.close()
    await until('its end is told', () => seen.some((each) => (each as ServerEvent).type === 'link-close'))
    expect(JSON.stringify(seen)).toContain('"name":"ann"')
    expect(JSON.stringify(seen)).not.toContain('hush')
  })
})

describe('handshakes', () => {
  it('have a bound of their own: who connects and says nothing takes no place of a link', async () => {
    await using house = await House.open('tcp', { maxLinks: 1, maxHandshakes: 3 })
    const first = silent(house.server.url)
    for (let i = 0; i < 2; i++) silent(house.server.url)
    await until('all are there', () => house.server.stats().handshakes === 3)
    const link = await house.link()
    expect([link.isOpen, house.server.stats().links]).toEqual([true, 1])
    await until('the oldest had to go', () => first.closed)
    expect(house.server.stats()).toMatchObject({ links: 1, handshakes: 2 })
  })

  it('of those who have spoken are not given up for others, who are refused', async () => {
    let decide: (() => void) | undefined
    const authenticate = (): Promise<Identity> =>
      new Promise((resolve) => {
        decide = () => resolve({})
      })
    await using house = await House.open('tcp', { maxHandshakes: 1, authenticate })
    const first = house.link()
    await until('it is being judged', () => decide)
    await using second = await RawPeer.connect(house.server.url)
    expect(await second.dismissed()).toBe('TOO_MANY_LINKS')
    decide?.()
    expect((await first).isOpen).toBe(true)
  })

  it('of TLS count too, and who says nothing there has to go as well', async (context) => {
    const { key, cert } = certificate(context)
    await using server = await Server.listen({ tls: { key, cert }, maxHandshakes: 2, graceMs: 0 })
    const first = silent(server.url)
    await until('it is there', () => server.stats().handshakes === 1)
    const second = silent(server.url)
    await until('both are there', () => server.stats().handshakes === 2)
    const link = await Link.connect(server.url, { tls: { ca: cert } })
    await until('the oldest had to go', () => first.closed)
    expect([second.closed, server.stats()]).toMatchObject([false, { links: 1, handshakes: 1 }])
    second.destroy()
    await until('it is gone', () => server.stats().handshakes === 0)
    await link.close()
  })

  it('of TLS whose peer is gone before it is looked at leave nothing behind', async (context) => {
    const { key, cert } = certificate(context)
    await using server = await Server.listen({ tls: { key, cert }, graceMs: 0 })
    // In one turn: they are connected by the system, and reset before the server gets to accept any.
    for (let i = 0; i < 20; i++) {
      const socket = silent(server.url)
      socket.once('connect', () => socket.resetAndDestroy())
    }
    await until('all are over', () => sockets.every((socket) => socket.closed))
    const link = await Link.connect(server.url, { tls: { ca: cert } })
    await until('no place is taken', () => server.stats().handshakes === 0)
    await link.close()
  })
})

describe('a server that is closed by who is told that a link is replaced', () => {
  it('lets nobody in for whom the place was made', async () => {
    const told: string[] = []
    let closing: Promise<void> | undefined
    const observe = ({ type, code }: ServerEvent): void => {
      told.push(code === undefined ? type : `${type} ${code}`)
      if (code === 'REPLACED') closing = house.server.close()
    }
    await using house = await House.open('tcp', { observe })
    const session = newId()
    const greeting = encodeFrame({ kind: Kind.HELLO, payload: json({ ...goodHello(), session }) })
    await using older = await RawPeer.connect(house.server.url)
    older.write(greeting)
    await older.next(Kind.WELCOME)
    await using newer = await RawPeer.connect(house.server.url)
    newer.write(greeting)
    expect(await newer.dismissed()).toBe('SERVER_CLOSING')
    await closing
    expect(told).toEqual(['link-open', 'link-close REPLACED', 'refused SERVER_CLOSING'])
  })
})

describe('[SOCK 3.4] a link that comes back', () => {
  const names = (link: { auth: unknown }): { name: string; at: number } => ({
    name: String(link.auth),
    at: Math.random(),
  })

  async function peer(url: string, session: string, auth: string): Promise<RawPeer> {
    const made = await RawPeer.connect(url)
    made.write(encodeFrame({ kind: Kind.HELLO, payload: json({ ...goodHello(), session, auth }) }))
    await made.next(Kind.WELCOME)
    return made
  }

  it('ends its older connection, also when there is no room for another link', async () => {
    await using house = await House.open('tcp', { authenticate: names, maxLinks: 1 })
    const session = newId()
    await using older = await peer(house.server.url, session, 'ann')
    await using _newer = await peer(house.server.url, session, 'ann')
    expect(await older.dismissed()).toBe('REPLACED')
    expect(house.server.stats().links).toBe(1)
  })

  it('as somebody else ends nothing, though it has learned the secret', async () => {
    await using house = await House.open('tcp', { authenticate: names })
    const session = newId()
    await using older = await peer(house.server.url, session, 'ann')
    await using _newer = await peer(house.server.url, session, 'bob')
    older.send({ kind: Kind.PING })
    await older.next(Kind.PONG)
    expect(house.server.stats().links).toBe(2)
  })
})

describe('[SOCK 4.4] the other end of a channel', () => {
  it('is told who a link is, and where it is only when it is trusted', async () => {
    await using house = await House.open('tcp')
    const provider = await (await house.link()).provider(newId(), { mode: 'shared' })
    const trusted = await house.server.link().provider(provider.channelId, { mode: 'shared' })
    const consumer = await (await house.link({ name: 'near' })).consumer(provider.channelId)
    await until('both are joined', () => consumer.providers === 2)
    for (let i = 0; i < 2; i++) void consumer.send(bytes('a')).catch(() => {})
    const [told, more] = [(await provider.receive())?.peer, (await trusted.receive())?.peer]
    expect([told, more].map((peer) => [peer?.name, peer?.transport, peer?.features])).toEqual([
      ['near', 'tcp', ['header']],
      ['near', 'tcp', ['header']],
    ])
    expect(told?.address).toBe('')
    expect(more?.address).toMatch(/^127\.0\.0\.1:\d+$/)
  })
})

describe('a link of the same program', () => {
  const options: ServerOptions = {
    authenticate: () => {
      throw new Error('not asked')
    },
    authorise: ({ identity }, role) => identity.name === 'ann' && role === 'consumer',
    maxEndsPerLink: 1,
  }

  it('with an identity is that one, is authorised, and has limits', async () => {
    await using house = await House.open('in-process', options)
    const link = house.server.link({ identity: { name: 'ann' }, name: 'gateway' })
    const provider = await house.server.link().provider(newId())
    const consumer = await link.consumer(provider.channelId)
    void consumer.send(bytes('a')).catch(() => {})
    expect((await provider.receive())?.peer).toMatchObject({ identity: { name: 'ann' }, name: 'gateway' })
    expect((await failure(link.consumer(newId()))).code).toBe('TOO_MANY_CHANNELS')
    await consumer.close()
    expect((await failure(link.provider(newId()))).code).toBe('FORBIDDEN')
    await link.close()
  })

  it('that is trusted may do everything, whoever it is', async () => {
    await using house = await House.open('in-process', options)
    const link = house.server.link({ identity: { name: 'bob' }, trusted: true })
    await link.provider(newId())
    await link.provider(newId())
    expect(link.stats().ends).toBe(2)
    await link.close()
  })

  it('is refused with TOO_MANY_LINKS like any other if it has an identity', async () => {
    await using house = await House.open('in-process', { maxLinks: 1 })
    await house.server.link().consumer(newId())
    expect(await house.server.link({ identity: { name: 'ann' } }).closed).toMatchObject({ code: 'TOO_MANY_LINKS' })
  })

  it('is let in, being trusted, however many others are connected or try to be', async () => {
    const authenticate = (): Promise<never> => new Promise(() => {})
    await using full = await House.open('tcp', { maxLinks: 1 })
    await full.link()
    await using besieged = await House.open('tcp', { maxHandshakes: 1, authenticate })
    await using peer = await RawPeer.connect(besieged.server.url)
    peer.write(hello())
    await until('it is judged', () => besieged.server.stats().handshakes === 1)
    for (const { server } of [full, besieged]) {
      const link = server.link()
      const provider = await link.provider(newId())
      expect([link.isOpen, provider.consumers]).toEqual([true, 0])
      await link.close()
    }
  })
})

describe('a Server', () => {
  it('is made by Server.listen alone', () => {
    const make = Server as unknown as new (options?: object) => Server
    for (const given of [[], [{}]] as [object?][]) {
      expect(() => new make(...given)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
    }
  })

  it('refuses a connection that is none, and an identity that cannot be passed on', async () => {
    await using house = await House.open()
    const wrong = expect.objectContaining({ code: 'INVALID_OPTION' })
    expect(() => house.server.accept({} as never)).toThrow(wrong)
    expect(() => house.server.link({ identity: 'ann' as never })).toThrow(wrong)
  })
})
