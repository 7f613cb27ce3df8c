/** One link with very many streams to a Provider: what is told of it is kept once, however much that is. */
import { Link, Server } from 'signalbox/socket'
import { expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { goodHello, RawPeer } from '../tools/raw-peer.ts'
import { until } from '../tools/until.ts'
import { encodeFrame, json } from '../wire/naive-frame.ts'

it.each(['local', 'tcp'])(
  '[SOCK 4.4] a %s Provider keeps once what it is told of a link, and an object for each stream',
  async (place) => {
    await using server = await Server.listen({ graceMs: 0 })
    const channelId = newId()
    const link = place === 'local' ? server.link() : await Link.connect(server.url)
    const provider = await link.provider(channelId, { mode: 'shared' })
    const features = Array.from({ length: 64 }, (_, i) => String(i).padEnd(64, '.'))
    await using peer = await RawPeer.connect(server.url)
    peer.write(encodeFrame({ kind: Kind.HELLO, payload: json({ ...goodHello(), features }) }))
    await peer.next(Kind.WELCOME)
    for (let number = 1; number <= 3; number++) peer.open(number, 'consumer', channelId, true)
    const attached = await until('all are joined', () => {
      const frames = peer.frames.filter(({ kind }) => kind === Kind.ATTACH)
      return frames.length === 3 ? frames : undefined
    })
    const peers = []
    for (const { stream } of attached) {
      peer.send({ kind: Kind.DATA, stream, payload: Buffer.from('a') })
      peers.push((await provider.receive())?.peer)
    }
    expect(peers[0]?.features).toEqual(features)
    for (const other of peers.slice(1)) {
      expect(other).toEqual(peers[0])
      expect(other).not.toBe(peers[0])
      expect(other?.features).toBe(peers[0]?.features)
    }
    // When its last stream is over nothing is known of it any more.
    for (const { stream } of attached) peer.send({ kind: Kind.RESET, stream })
    await until('they are over', () => provider.consumers === 0)
    peer.open(4, 'consumer', channelId, true)
    await until('it is joined', () => provider.consumers === 1)
    const { stream } = peer.frames.filter(({ kind }) => kind === Kind.ATTACH).at(-1) ?? { stream: 0 }
    peer.send({ kind: Kind.DATA, stream, payload: Buffer.from('b') })
    const again = (await provider.receive())?.peer
    expect(again).toEqual(peers[0])
    expect(again?.features).not.toBe(peers[0]?.features)
    await link.close()
  },
)
