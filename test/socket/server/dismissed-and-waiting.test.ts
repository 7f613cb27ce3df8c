/** A link that does not read, and is dismissed: what waits for it is there until its connection is over. */
import { Server } from 'signalbox/socket'
import { expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { RawPeer } from '../tools/raw-peer.ts'
import { turns, until } from '../tools/until.ts'

const MiB = 1024 * 1024

it('[SOCK 7.4] what waits for links that do not read and break the rules is bounded by the memory for others', async () => {
  const ended: string[] = []
  const held: number[] = []
  await using server = await Server.listen({
    graceMs: 0,
    maxMemoryBytes: 8 * MiB,
    observe: ({ type, code }) => {
      if (type !== 'link-close') return
      ended.push(`${code}`)
      held.push(server.stats().memory.used)
    },
  })
  const channelId = newId()
  await using sender = await RawPeer.welcomed(server.url)
  sender.open(1, 'consumer', channelId, true)
  await sender.next(Kind.OPENED)
  const peers: RawPeer[] = []
  /** Makes 5 MiB wait for a peer that does not read, and has it dismissed. */
  const dismissed = async (): Promise<void> => {
    const peer = await RawPeer.welcomed(server.url)
    peers.push(peer)
    peer.open(1, 'provider', channelId, true)
    await peer.next(Kind.OPENED)
    peer.socket.pause()
    const { stream } = await until('it is joined', () => {
      const attached = sender.frames.filter(({ kind }) => kind === Kind.ATTACH)
      return attached.length === peers.length ? attached.at(-1) : undefined
    })
    const before = server.stats().memory.used
    const others = ended.length
    await until('much waits for it', async () => {
      sender.send({ kind: 200, stream, payload: Buffer.alloc(60_000) })
      await turns(1)
      return server.stats().memory.used > before + 5 * MiB || server.stats().memory.used < before
    })
    peer.send({ kind: 7 })
    await until('it is dismissed', () => ended.length > others)
  }
  await dismissed()
  // Its connection has not ended, for it does not read: the memory is not free yet.
  expect(held[0]).toBeGreaterThan(5 * MiB)
  await dismissed()
  // The first, for which the most waited, had to go for the second.
  expect(server.stats().memory.used).toBeLessThan(8 * MiB)
  expect(ended).toEqual(['BAD_FRAME', 'BAD_FRAME'])
  await until('nothing is held any more', () => server.stats().memory.used === 0)
  for (const peer of peers) await peer[Symbol.asyncDispose]()
})
