/**
 * Fragments of messages that are not finished keep about as much memory alive as is counted for them, also where their
 * sender has put what nobody keeps between them: each kept a buffer of four times its length.
 */
import { expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { buffersAlive } from '../tools/buffers-alive.ts'
import { House } from '../tools/house.ts'
import { RawPeer } from '../tools/raw-peer.ts'
import { until } from '../tools/until.ts'
import { encodeFrame } from '../wire/naive-frame.ts'

const MiB = 1024 * 1024

it.each(['in-process', 'tcp'] as const)('at most twice of maxMemoryBytes, %s', async (place) => {
  await using house = await House.open(place)
  const channelId = newId()
  const maxMemoryBytes = 16 * MiB
  const link = await house.link({ maxMemoryBytes })
  await link.provider(channelId)
  await using peer = await RawPeer.welcomed(house.server.url)
  const count = 10
  for (let number = 1; number <= count; number++) peer.open(number, 'consumer', channelId)
  const attached = await until('all are joined', () => {
    const frames = peer.frames.filter(({ kind }) => kind === Kind.ATTACH)
    return frames.length === count ? frames : undefined
  })
  const before = await buffersAlive()
  const total = Buffer.alloc(4)
  total.writeUInt32LE(16 * MiB)
  for (const { stream } of attached) peer.send({ kind: Kind.BEGIN, stream, payload: total })
  const fragment = Buffer.alloc(64 * 1024)
  const rounds = 24
  for (let round = 1; round <= rounds; round++) {
    for (const { stream } of attached) {
      // Of a kind that an end of a stream ignores, and that costs no credit.
      const between = encodeFrame({ kind: 200, stream, payload: Buffer.alloc(57_000) })
      const begun = encodeFrame({ kind: Kind.DATA, flags: 1, stream, payload: fragment })
      peer.write(Buffer.concat([begun, between, between, between]))
    }
    await until('they have come', () => link.stats().memory.used >= round * count * fragment.length)
  }
  const { used } = link.stats().memory
  expect(used).toBeLessThan(maxMemoryBytes)
  expect((await buffersAlive()) - before).toBeLessThan(2 * maxMemoryBytes)
})
