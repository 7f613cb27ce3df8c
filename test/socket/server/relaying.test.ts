/** What a server passes on unread, so that ends can speak of what it has never heard of. */
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { House } from '../tools/house.ts'
import { goodHello, RawPeer } from '../tools/raw-peer.ts'
import { turns, until } from '../tools/until.ts'
import { json } from '../wire/naive-frame.ts'

async function joined(house: House): Promise<{ near: RawPeer; far: RawPeer; stream: number; other: number }> {
  const channelId = newId()
  const far = await RawPeer.welcomed(house.server.url)
  far.open(1, 'provider', channelId)
  await far.next(Kind.OPENED)
  const near = await RawPeer.welcomed(house.server.url)
  near.open(1, 'consumer', channelId, true)
  const [one, two] = [await near.next(Kind.ATTACH), await far.next(Kind.ATTACH)]
  return { near, far, stream: one.stream, other: two.stream }
}

describe('[SOCK 2.5] kinds of streams', () => {
  it('that the server does not know are passed on with their flags, id and payload', async () => {
    await using house = await House.open()
    const { near, far, stream, other } = await joined(house)
    await using _near = near
    await using _far = far
    const payload = Buffer.from('of a later version')
    for (const kind of [38, 99, 127, 128, 255]) near.send({ kind, flags: 0xa5, stream, id: 7, payload })
    near.send({ kind: Kind.DATA, flags: 0xf0, stream, id: 8, payload })
    await until('all have come', () => far.frames.some(({ id }) => id === 8))
    const passed = far.frames.filter(({ id }) => id === 7 || id === 8)
    expect(passed).toEqual([
      ...[38, 99, 127, 128, 255].map((kind) => ({ kind, flags: 0xa5, stream: other, id: 7, payload })),
      { kind: Kind.DATA, flags: 0xf0, stream: other, id: 8, payload },
    ])
  })

  it('below 128 that an end does not know reset its stream with BAD_FRAME, others are ignored, and its link stays', async () => {
    await using house = await House.open()
    const link = await house.link()
    const provider = await link.provider(newId())
    await using peer = await RawPeer.welcomed(house.server.url)
    peer.open(1, 'consumer', provider.channelId, true)
    const { stream } = await peer.next(Kind.ATTACH)
    peer.send({ kind: 200, flags: 3, stream })
    await turns()
    expect(provider.consumers).toBe(1)
    peer.send({ kind: 100, stream })
    const reset = await peer.next(Kind.RESET)
    expect(JSON.parse(String(reset.payload)).code).toBe('BAD_FRAME')
    expect([link.isOpen, provider.consumers]).toEqual([true, 0])
  })

  it('with a flag of DATA that an end does not know reset its stream with BAD_FRAME', async () => {
    await using house = await House.open()
    const link = await house.link()
    const provider = await link.provider(newId())
    await using peer = await RawPeer.welcomed(house.server.url)
    peer.open(1, 'consumer', provider.channelId, true)
    const { stream } = await peer.next(Kind.ATTACH)
    peer.send({ kind: Kind.DATA, flags: 64, stream })
    const reset = await peer.next(Kind.RESET)
    expect(JSON.parse(String(reset.payload)).code).toBe('BAD_FRAME')
    expect(link.isOpen).toBe(true)
  })
})

describe('[SOCK 3.8] a feature', () => {
  it('that a client insists on and the server does not have ends the link: FEATURE_MISSING', async () => {
    await using house = await House.open()
    await using peer = await RawPeer.connect(house.server.url)
    peer.send({ kind: Kind.HELLO, payload: json({ ...goodHello(), features: ['zip'], requires: ['zip'] }) })
    expect(await peer.dismissed()).toBe('FEATURE_MISSING')
  })

  it('that is not known is ignored, and told to the other end of a channel', async () => {
    await using house = await House.open()
    const provider = await house.server.link().provider(newId())
    await using peer = await RawPeer.connect(house.server.url)
    peer.send({ kind: Kind.HELLO, payload: json({ ...goodHello(), features: ['zip', 'header'] }) })
    await peer.next(Kind.WELCOME)
    peer.open(1, 'consumer', provider.channelId, true)
    const { stream } = await peer.next(Kind.ATTACH)
    peer.send({ kind: Kind.DATA, stream, payload: Buffer.from('a') })
    expect((await provider.receive())?.peer.features).toEqual(['zip', 'header'])
  })
})
