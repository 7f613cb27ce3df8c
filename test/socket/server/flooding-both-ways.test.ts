/** Two links that have flooded each other: they are joined again when both have read, and not when one has. */
import type { ServerEvent } from 'signalbox/socket'
import { expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { House } from '../tools/house.ts'
import { RawPeer } from '../tools/raw-peer.ts'
import { turns, until } from '../tools/until.ts'

const MiB = 1024 * 1024

/** The stream that a peer was told of last. */
const latest = ({ frames }: RawPeer): number => frames.filter(({ kind }) => kind === Kind.ATTACH).at(-1)?.stream ?? 0

async function flood(peer: RawPeer, stream: number, isEnough: () => boolean): Promise<void> {
  await until('it is enough', async () => {
    peer.send({ kind: 200, stream, payload: Buffer.alloc(60_000) })
    await turns(1)
    return isEnough()
  })
}

it('[SOCK 7.4] a link that has read what waited for it is not joined with one that has not read what it sent', async () => {
  const cut: string[] = []
  const observe = ({ type, code }: ServerEvent): void => {
    if (type === 'link-close' && code !== undefined) cut.push(code)
  }
  await using house = await House.open('tcp', { maxLinkBufferBytes: 8 * MiB, observe })
  const { server } = house
  const channelId = newId()
  await using busy = await RawPeer.welcomed(server.url)
  busy.open(1, 'provider', channelId, true)
  await busy.next(Kind.OPENED)
  await using evil = await RawPeer.welcomed(server.url)
  evil.open(1, 'consumer', channelId, true)
  await evil.next(Kind.OPENED)
  await busy.next(Kind.ATTACH)
  const [toEvil, toBusy] = [latest(busy), latest(evil)]
  await using third = await RawPeer.welcomed(server.url)
  third.open(1, 'consumer', channelId, true)
  await third.next(Kind.OPENED)
  busy.socket.pause()
  evil.socket.pause()
  // Not yet half of what may wait for the one; half for the other, so they are parted; then half for the one as well.
  await flood(evil, toBusy, () => server.stats().memory.used > 3.2 * MiB)
  await flood(busy, toEvil, () => server.stats().streams === 1)
  const { used } = server.stats().memory
  await flood(third, latest(third), () => server.stats().memory.used > used + 1.2 * MiB)
  const attached = evil.frames.length
  evil.socket.resume()
  await until('it has read', () => server.stats().memory.used < 6 * MiB)
  await until('it hears again', () => {
    evil.send({ kind: Kind.PING })
    return evil.frames.slice(attached).some(({ kind }) => kind === Kind.PONG)
  })
  await turns()
  expect([server.stats().streams, cut]).toEqual([1, []])
  busy.socket.resume()
  await until('they are joined again', () => server.stats().streams === 2)
  await until('nothing is held any more', () => server.stats().memory.used === 0)
  expect(cut).toEqual([])
})
