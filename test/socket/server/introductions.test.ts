/** What a link is told of those that it is joined with: it can be too much for it, like all that others send. */
import { Server } from 'signalbox/socket'
import { expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { House } from '../tools/house.ts'
import { goodHello, RawPeer } from '../tools/raw-peer.ts'
import { turns, until } from '../tools/until.ts'
import { encodeFrame, json } from '../wire/naive-frame.ts'

const MiB = 1024 * 1024

it('[SOCK 4.3] one link that waits with very many Consumers, and has much to be told of, keeps no Provider off its channel', async () => {
  const cut: string[] = []
  await using house = await House.open('tcp', {
    maxLinkBufferBytes: 4 * MiB,
    observe: ({ type, code }) => void (type === 'link-close' && code !== undefined && cut.push(code)),
  })
  const channelId = newId()
  await using peer = await RawPeer.connect(house.server.url)
  const features = Array.from({ length: 64 }, (_, i) => String(i).padEnd(64, '.'))
  peer.write(encodeFrame({ kind: Kind.HELLO, payload: json({ ...goodHello(), features }) }))
  await peer.next(Kind.WELCOME)
  for (let number = 1; number <= 3_000; number++) peer.open(number, 'consumer', channelId, true)
  const honest = await (await house.link()).consumer(channelId)
  await until('all wait', () => peer.frames.filter(({ kind }) => kind === Kind.OPENED).length === 3_000)
  const provider = await (await house.link({ reconnect: false })).provider(channelId)
  await until('all are joined', () => provider.consumers === 3_001)
  expect([honest.providers, house.server.stats().streams, cut]).toEqual([1, 3_001, []])
  await until('nothing is held any more', () => house.server.stats().memory.used === 0)
})

it('[SOCK 4.4] a stream whose ATTACH is too much for one side is not told to the other after its end', async () => {
  await using server = await Server.listen({ graceMs: 0, maxLinkBufferBytes: 8 * MiB })
  const channelId = newId()
  await using busy = await RawPeer.welcomed(server.url)
  busy.open(1, 'provider', channelId, true)
  await busy.next(Kind.OPENED)
  const local = server.link()
  const ends = await Promise.all(Array.from({ length: 300 }, () => local.consumer(channelId)))
  busy.socket.pause()
  for (const end of ends) {
    if (server.stats().memory.used > 4.2 * MiB) break
    end.tryPost(new Uint8Array(60_000))
    await turns(1)
  }
  expect(server.stats().memory.used).toBeGreaterThan(4 * MiB)
  await using late = await RawPeer.welcomed(server.url)
  late.open(1, 'consumer', channelId, true)
  await late.next(Kind.OPENED)
  await turns(5)
  const told = late.frames.map(({ kind }) => kind)
  expect(told.lastIndexOf(Kind.ATTACH)).toBeLessThanOrEqual(told.lastIndexOf(Kind.RESET))
  busy.socket.resume()
  await until('it is joined', () => server.stats().streams === 301)
  await until('it is told', () => late.frames.at(-1)?.kind === Kind.ATTACH)
})
