/** The server's hooks: who a link is, what it may open, and what whoever watches is told. */
import {
  type Applicant,
  type Identity,
  Link,
  type LinkEvent,
  Provider,
  type ServerEvent,
  type ServerOptions,
} from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { bytes, failure, House, text } from '../tools/house.ts'
import { RawPeer } from '../tools/raw-peer.ts'
import { turns, until } from '../tools/until.ts'

const users: Record<string, { name: string; admin: boolean }> = {
  secret: { name: 'ann', admin: true },
  open: { name: 'bob', admin: false },
}

/** Looks the token up, now or later. */
const lookUp =
  (isLater: boolean): NonNullable<ServerOptions['authenticate']> =>
  ({ auth }) => {
    const find = () => {
      const user = users[(auth as { token?: string } | undefined)?.token ?? '']
      if (user === undefined) throw new Error('nobody we know')
      return user
    }
    return isLater ? turns(2).then(find) : find()
  }

describe('authenticate', () => {
  it.each([
    ['at once', false],
    ['later', true],
  ])('gives a link the identity that it answers %s, which the other end of a channel sees', async (_when, isLater) => {
    await using house = await House.open('tcp', { authenticate: lookUp(isLater) })
    const far = await house.link({ auth: { token: 'open' } })
    const provider = await far.provider(newId())
    const near = await house.link({ auth: { token: 'secret' }, name: 'near' })
    const consumer = await near.consumer(provider.channelId)
    const answer = consumer.send(bytes('a'))
    const request = await provider.receive()
    expect(request?.peer).toMatchObject({ name: 'near', transport: 'tcp', identity: { name: 'ann', admin: true } })
    expect(request?.peer).not.toHaveProperty('auth')
    await request?.respond(bytes('b'))
    expect(text(await answer)).toBe('b')
  })

  it.each([
    ['at once', false],
    ['later', true],
  ])('refuses a link when it throws %s: UNAUTHENTICATED, told once, and not tried again', async (_when, isLater) => {
    const told: ServerEvent[] = []
    const observe = (event: ServerEvent): void => void told.push(event)
    await using house = await House.open('tcp', { authenticate: lookUp(isLater), observe })
    const events: LinkEvent[] = []
    const options = { auth: { token: 'wrong' }, observe: (event: LinkEvent) => void events.push(event) }
    const error = await failure(Link.connect(house.server.url, options))
    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', retryable: false })
    expect(error.message).not.toContain('nobody we know')
    expect((await failure(Provider.connect(house.server.url, newId()))).code).toBe('UNAUTHENTICATED')
    await turns()
    expect(events.map(({ type }) => type)).toEqual(['closed'])
    expect(told.map(({ type, code }) => [type, code])).toEqual([
      ['refused', 'UNAUTHENTICATED'],
      ['refused', 'UNAUTHENTICATED'],
    ])
    expect(house.server.stats()).toMatchObject({ links: 0, refused: 2 })
  })

  it('that comes to another mind ends a link for good when it connects again', async () => {
    let isOpen = true
    const authenticate = (): { name: string } => {
      if (!isOpen) throw new Error('not any more')
      return { name: 'ann' }
    }
    await using house = await House.open('tcp', { authenticate })
    const { port } = new URL(house.server.url)
    const link = await house.link({ reconnect: { minMs: 1, maxMs: 5 } })
    const consumer = await link.consumer(newId())
    const waiting = failure(consumer.send(bytes('a'), { timeoutMs: 60_000 }))
    isOpen = false
    await house.server.close()
    await using second = await House.open('tcp', { authenticate, port: Number(port) })
    expect(await link.closed).toMatchObject({ code: 'UNAUTHENTICATED' })
    expect((await waiting).code).toBe('UNAUTHENTICATED')
    expect(second.server.stats().links).toBe(0)
  })

  it('is asked with what is known of the link', async () => {
    let asked: Applicant | undefined
    const authenticate = (link: Applicant): Identity => {
      asked = link
      return {}
    }
    await using house = await House.open('tcp', { authenticate })
    await house.link({ name: 'worker', auth: ['any', 'JSON'] })
    expect(asked).toMatchObject({ name: 'worker', auth: ['any', 'JSON'], transport: 'tcp', identity: {} })
    expect(asked?.address).toMatch(/^127\.0\.0\.1:\d+$/)
  })

  it('lets nobody in by an answer that is no identity, or one that could not be passed on', async () => {
    const circular: Record<string, unknown> = {}
    circular['self'] = circular
    const [big, text] = [{ big: 'x'.repeat(9_000) }, new Date()]
    for (const wrong of [undefined, null, 'ann', 7, true, ['ann'], circular, { id: 1n }, big, text]) {
      await using house = await House.open('tcp', { authenticate: () => wrong as never })
      expect((await failure(house.link())).code).toBe('UNAUTHENTICATED')
    }
  })

  it('is not asked about links of the same program', async () => {
    await using house = await House.open('in-process', { authenticate: lookUp(false), authorise: () => false })
    const { consumer, provider } = await house.pair()
    provider.serve(({ payload, peer }) => bytes(`${text(payload)} ${peer.transport} ${JSON.stringify(peer.identity)}`))
    expect(text(await consumer.send(bytes('a')))).toBe('a local {}')
  })

  it('that never answers ends with HANDSHAKE_TIMEOUT', async () => {
    const options = { authenticate: () => new Promise<never>(() => {}), handshakeTimeoutMs: 50 }
    await using house = await House.open('tcp', options)
    const error = await failure(house.link())
    expect(error).toMatchObject({ code: 'HANDSHAKE_TIMEOUT', retryable: true })
  })
})

describe('authorise', () => {
  it('decides about every channel end by identity, role and channel, now or later', async () => {
    const asked: [string, string, string][] = []
    await using house = await House.open('tcp', {
      authenticate: lookUp(true),
      authorise: async ({ identity }, role, channelId) => {
        asked.push([identity.name ?? '', role, channelId])
        await turns(1)
        return role === 'consumer' || identity['admin'] === true
      },
    })
    const [ann, bob] = [await house.link({ auth: { token: 'secret' } }), await house.link({ auth: { token: 'open' } })]
    const id = newId()
    const refused = await failure(bob.provider(id))
    expect(refused).toMatchObject({ code: 'FORBIDDEN', retryable: false })
    const provider = await ann.provider(id)
    provider.serve(({ payload }) => payload)
    expect(text(await (await bob.consumer(id)).send(bytes('a')))).toBe('a')
    expect(asked).toEqual([
      ['bob', 'provider', id],
      ['ann', 'provider', id],
      ['bob', 'consumer', id],
    ])
    expect([bob.isOpen, bob.stats().ends]).toEqual([true, 1])
  })

  it('that throws has not decided: AUTH_UNAVAILABLE, which may be tried again', async () => {
    const authorise = (): never => {
      throw new Error('broken')
    }
    await using house = await House.open('tcp', { authorise })
    const link = await house.link()
    expect(await failure(link.consumer(newId()))).toMatchObject({ code: 'AUTH_UNAVAILABLE', retryable: true })
    expect(link.isOpen).toBe(true)
  })

  it('is not too late for a channel end that was closed while it was thinking', async () => {
    let decide: (isAllowed: boolean) => void = () => {}
    const authorise = (): Promise<boolean> => new Promise((resolve) => (decide = resolve))
    await using house = await House.open('tcp', { authorise })
    const link = await house.link()
    const opening = failure(link.consumer(newId()))
    await until('it is asked', () => link.stats().ends === 1)
    await turns(5)
    await link.close()
    decide(true)
    expect((await opening).code).toBe('CLOSED')
    await until('the link is gone', () => house.server.stats().links === 0)
    expect(house.server.stats().channels).toBe(0)
  })
})

describe('limits', () => {
  it('on links refuse one more with TOO_MANY_LINKS, until another leaves', async () => {
    await using house = await House.open('tcp', { maxLinks: 2 })
    const first = await house.link()
    await house.link()
    expect(await failure(house.link())).toMatchObject({ code: 'TOO_MANY_LINKS', retryable: true })
    await first.close()
    await until('there is room', () => house.server.stats().links === 1)
    expect((await house.link()).isOpen).toBe(true)
  })

  it('on channel ends refuse one more with TOO_MANY_CHANNELS, but not in the same program', async () => {
    await using house = await House.open('tcp', { maxEndsPerLink: 3 })
    const link = await house.link()
    const consumers = [await link.consumer(newId()), await link.consumer(newId()), await link.consumer(newId())]
    expect((await failure(link.consumer(newId()))).code).toBe('TOO_MANY_CHANNELS')
    await consumers[0]?.close()
    expect((await link.consumer(newId())).providers).toBe(0)
    const local = house.server.link()
    for (let i = 0; i < 10; i++) await local.consumer(newId())
    expect(local.stats().ends).toBe(10)
  })

  it('on streams refuse an end that would have too many, or give somebody else too many', async () => {
    await using house = await House.open('tcp', { maxStreamsPerLink: 2 })
    const [one, two] = [await house.link(), await house.link()]
    const provider = await one.provider(newId())
    await two.consumer(provider.channelId)
    await two.consumer(provider.channelId)
    expect((await failure((await house.link()).consumer(provider.channelId))).code).toBe('TOO_MANY_CHANNELS')
    expect(provider.consumers).toBe(2)
    expect(house.server.stats().streams).toBe(2)
  })
})

describe('observe', () => {
  it('is told of every link and channel end that opens, is refused or closes', async () => {
    const told: string[] = []
    const observe = ({ type, link, role, code }: ServerEvent): void => {
      told.push([type, link.name, role, code].filter((part) => part !== undefined).join(' '))
    }
    await using house = await House.open('tcp', { observe })
    const link = await house.link({ name: 'ann' })
    const provider = await link.provider(newId())
    const consumer = await link.consumer(provider.channelId)
    await failure(link.provider(provider.channelId))
    await consumer.close()
    await until('it is told', () => told.includes('end-close ann consumer'))
    await link.close()
    await until('the end is told', () => told.includes('link-close ann'))
    expect(told).toEqual([
      'link-open ann',
      'end-open ann provider',
      'end-open ann consumer',
      'refused ann provider CHANNEL_CONFLICT',
      'end-close ann consumer',
      'end-close ann provider',
      'link-close ann',
    ])
  })

  it('of a Consumer is told how many Providers there are', async () => {
    await using house = await House.open('tcp')
    const counts: number[] = []
    const channelId = newId()
    await (await house.link()).consumer(channelId, { observe: (providers) => void counts.push(providers) })
    const link = await house.link()
    const first = await link.provider(channelId, { mode: 'shared' })
    await link.provider(channelId, { mode: 'shared' })
    await until('both are there', () => counts.length === 2)
    await first.close()
    await link.close()
    await until('both are gone', () => counts.length === 4)
    expect(counts).toEqual([1, 2, 1, 0])
  })
})

describe('authorise that takes its time', () => {
  it('is not asked without end by a link that shuts what it opens', async () => {
    const answers: ((isAllowed: boolean) => void)[] = []
    const authorise = (): Promise<boolean> => new Promise((resolve) => answers.push(resolve))
    await using house = await House.open('tcp', { maxEndsPerLink: 3, authorise })
    await using peer = await RawPeer.welcomed(house.server.url)
    const open = (number: number): void => {
      peer.open(number, 'consumer', newId())
      peer.send({ kind: Kind.SHUT, stream: number })
    }
    for (let number = 1; number <= 10; number++) open(number)
    await until('the others are refused', () => peer.frames.filter(({ kind }) => kind === Kind.REFUSED).length === 7)
    expect(answers.length).toBe(3)
    for (const answer of answers.splice(0)) answer(true)
    await turns(2)
    // They were shut meanwhile; there is room for others.
    expect(house.server.stats().channels).toBe(0)
    peer.open(11, 'consumer', newId())
    await until('it is asked again', () => answers.length === 1)
    answers[0]?.(true)
    await peer.next(Kind.OPENED)
  })
})
