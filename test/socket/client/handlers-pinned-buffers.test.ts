/**
 * Requests whose handlers wait keep little alive: each kept the large buffer that it was received in, which its sender
 * had filled with what nobody keeps.
 */
import { expect, it } from 'vitest'
import { deferred } from '../../../base/deferred.ts'
import { newId } from '../../../base/identifier.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { buffersAlive } from '../tools/buffers-alive.ts'
import { House, text } from '../tools/house.ts'
import { RawPeer } from '../tools/raw-peer.ts'
import { until } from '../tools/until.ts'
import { encodeFrame } from '../wire/naive-frame.ts'

const MiB = 1024 * 1024

it.each(['in-process', 'tcp'] as const)('and are answered with what they carried, %s', async (place) => {
  await using house = await House.open(place)
  const channelId = newId()
  const provider = await (await house.link()).provider(channelId)
  const gate = deferred<void>()
  let running = 0
  provider.serve((request) => {
    running++
    return gate.promise.then(() => request.payload)
  })
  await using peer = await RawPeer.welcomed(house.server.url)
  peer.open(1, 'consumer', channelId)
  const { stream } = await peer.next(Kind.ATTACH)
  const before = await buffersAlive()
  // Of a kind that an end of a stream ignores, and that costs no credit.
  const between = encodeFrame({ kind: 200, stream, payload: Buffer.alloc(62_000) })
  const count = 200
  for (let id = 1; id <= count; id++) {
    const request = encodeFrame({ kind: Kind.DATA, stream, id, payload: Buffer.from(`request ${id}`) })
    peer.write(Buffer.concat([request, between, between, between, between]))
    if (id % 20 === 0) await until('they came', () => running === id)
  }
  await until('little is kept alive', async () => (await buffersAlive()) - before < 8 * MiB)
  gate.resolve()
  const answers = await until('all are answered', () => {
    const frames = peer.frames.filter(({ kind }) => kind === Kind.DATA)
    return frames.length === count ? frames : undefined
  })
  for (const { id, payload } of answers) expect(text(payload)).toBe(`request ${id}`)
})
