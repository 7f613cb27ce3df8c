/**
 * Failures that wait in the place of answers have a sum: each stream had room for 32 MiB of them, and a Provider was ended
 * by streams that asked and took no answers.
 */
import { expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { House, text } from '../tools/house.ts'
import { RawPeer } from '../tools/raw-peer.ts'
import { until } from '../tools/until.ts'

const limit = 512 * 1024

it('[SOCK 5.8] where memory is full a few may wait on each stream, and the next one ends it', async () => {
  await using house = await House.open()
  const channelId = newId()
  const link = await house.link({ maxMemoryBytes: limit })
  const provider = await link.provider(channelId)
  let asked = 0
  let most = 0
  provider.serve(() => {
    asked++
    most = Math.max(most, link.memory.used)
    return new Uint8Array(60_000)
  })
  await using peer = await RawPeer.welcomed(house.server.url)
  const count = 40
  for (let number = 1; number <= count; number++) peer.open(number, 'consumer', channelId)
  const attached = await until('all are joined', () => {
    const frames = peer.frames.filter(({ kind }) => kind === Kind.ATTACH)
    return frames.length === count ? frames : undefined
  })
  // So many that answers fill the memory, and all that do not find room there are told.
  for (let id = 1; id <= 9; id++) for (const { stream } of attached) peer.send({ kind: Kind.DATA, stream, id })
  await until('all were asked for', () => asked === count * 9)
  expect(provider.consumers).toBe(count)
  for (let id = 10; id <= 150; id++) for (const { stream } of attached) peer.send({ kind: Kind.DATA, stream, id })
  const resets = await until('all have ended', () => {
    const frames = peer.frames.filter(({ kind }) => kind === Kind.RESET)
    return frames.length === count ? frames : undefined
  })
  for (const { payload } of resets) expect(JSON.parse(text(payload)).code).toBe('BUFFER_FULL')
  expect(most).toBeLessThan(2 * limit)
  await until('all is given back', () => link.memory.used === 0)
  const honest = await (await house.link()).consumer(channelId)
  expect((await honest.send(new Uint8Array(1))).length).toBe(60_000)
})
