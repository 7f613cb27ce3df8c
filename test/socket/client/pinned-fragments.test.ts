/** Large messages that do not get on keep as much memory alive as has come of them: it was four times as much. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { House } from '../tools/house.ts'
import { RawPeer } from '../tools/raw-peer.ts'
import { until } from '../tools/until.ts'
import { encodeFrame } from '../wire/naive-frame.ts'

const collect = (): void => {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
}

const fragmentBytes = 64 * 1024
const total = Buffer.alloc(4)
total.writeUInt32LE(10 * fragmentBytes)

it.each(['tcp', 'in-process'] as const)('fragments that came between other things, %s', async (place) => {
  await using house = await House.open(place)
  const channelId = newId()
  const link = await house.link()
  await link.provider(channelId)
  await using peer = await RawPeer.welcomed(house.server.url)
  const count = 100
  for (let end = 1; end <= count; end++) peer.open(end, 'consumer', channelId)
  const joined = () => peer.frames.filter(({ kind }) => kind === Kind.ATTACH)
  await until('all are joined', () => joined().length === count)
  collect()
  const before = process.memoryUsage().arrayBuffers
  const payload = Buffer.alloc(fragmentBytes)
  for (const { stream } of joined()) {
    peer.send({ kind: Kind.BEGIN, stream, id: 1, payload: total })
    peer.send({ kind: Kind.DATA, flags: 1, stream, id: 1, payload })
    // Of a kind that an end of a stream ignores, and that costs no credit.
    const between = encodeFrame({ kind: 200, stream, payload: Buffer.alloc(60_000) })
    peer.write(Buffer.concat([between, between, between]))
  }
  await until('all is held', () => link.stats().memory.used >= count * fragmentBytes)
  let held = 0
  await until('no more is kept than that', () => {
    collect()
    held = process.memoryUsage().arrayBuffers - before
    return held < 2 * count * fragmentBytes
  }).catch(() => expect(held).toBeLessThan(2 * count * fragmentBytes))
})
