/**
 * What a peer begins as a large message although one frame could hold it is no way to have memory counted for nothing.
 */
import { expect, test } from 'vitest'
import { Server } from '../../../socket/index.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { RawPeer } from '../tools/raw-peer.ts'
import { until } from '../tools/until.ts'

const channel = '0b5a6b0e-5c1f-4e8e-9d0c-3f6a9a6b7c11'

test('A message that one frame could hold is not begun as a large one, and leaves nothing counted. [SOCK 5.3]', async () => {
  await using server = await Server.listen({ port: 0 })
  await using link = server.link()
  const provider = await link.provider(channel)
  let taken = 0
  provider.serve(() => {
    taken++
    return new Uint8Array(0)
  })
  await using peer = await RawPeer.welcomed(server.url)
  peer.open(1, 'consumer', channel)
  const { stream } = await peer.next(Kind.ATTACH)
  const before = server.memory.used
  const total = Buffer.alloc(4)
  total.writeUInt32LE(65_536)
  for (let sent = 0; sent < 4; sent++) {
    peer.send({ kind: Kind.BEGIN, stream, id: 0, payload: total })
    peer.send({ kind: Kind.DATA, stream, id: 0, payload: Buffer.alloc(65_536) })
    const isOver = () => peer.frames.some(({ kind }) => kind === Kind.RESET)
    await until('it was taken or refused', () => taken > sent || isOver())
    expect(server.memory.used).toBe(before)
    if (isOver()) break
  }
  const reset = peer.frames.find(({ kind }) => kind === Kind.RESET)
  expect(JSON.parse(String(reset?.payload)).code).toBe('BAD_FRAME')
})
