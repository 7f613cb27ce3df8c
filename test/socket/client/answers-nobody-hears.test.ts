/** A Consumer that goes while its answer is on the way costs its Provider nothing, and no other Consumer. */
import { newId } from 'signalbox/socket'
import { expect, it } from 'vitest'
import { Flag, Kind } from '../../../socket/wire/frame.ts'
import { bytes, House, text } from '../tools/house.ts'
import { RawPeer } from '../tools/raw-peer.ts'
import { until } from '../tools/until.ts'
import type { NaiveFrame } from '../wire/naive-frame.ts'

const MiB = 1024 * 1024

it.each([['awaited'], ['not awaited']])('a loop goes on with its next request, when answers are %s', async (way) => {
  await using house = await House.open()
  const unhandled: unknown[] = []
  const note = (reason: unknown): void => void unhandled.push(reason)
  process.on('unhandledRejection', note)
  try {
    const channelId = newId()
    const provider = await (await house.link()).provider(channelId)
    const loop = (async () => {
      for await (const request of provider) {
        const answered = request.respond(request.size === 0 ? new Uint8Array(8 * MiB) : request.payload)
        if (way === 'awaited') await answered
      }
    })()
    const staying = await (await house.link()).consumer(channelId)
    const leaving = await RawPeer.welcomed(house.server.url)
    leaving.open(1, 'consumer', channelId)
    const { stream } = await until('it is attached', () => leaving.frames.find(({ kind }) => kind === Kind.ATTACH))
    leaving.send({ kind: Kind.DATA, stream, id: 1 })
    // It gives no credit for the rest.
    await until('the answer is on its way', () => leaving.frames.some(({ kind }) => kind === Kind.DATA))
    await leaving[Symbol.asyncDispose]()
    expect(text(await staying.send(bytes('a')))).toBe('a')
    await provider.close()
    await loop
    await new Promise((resolve) => setImmediate(resolve))
    expect(unhandled).toEqual([])
  } finally {
    process.off('unhandledRejection', note)
  }
})

it('[SOCK 5.4] large answers that nobody takes count, and beyond maxMemoryBytes none begins', async () => {
  await using house = await House.open()
  const channelId = newId()
  const link = await house.link({ maxMemoryBytes: MiB })
  const provider = await link.provider(channelId)
  provider.serve(({ payload, size }) => (size === 0 ? new Uint8Array(600 * 1024) : payload))
  const greedy = await RawPeer.welcomed(house.server.url)
  const answers: string[] = []
  for (let number = 1; number <= 4; number++) {
    greedy.open(number, 'consumer', channelId)
    const isOwn = ({ kind, id }: NaiveFrame): boolean => kind === Kind.ATTACH && id === number
    const { stream } = await until('it is attached', () => greedy.frames.find(isOwn))
    greedy.send({ kind: Kind.DATA, stream, id: 1 })
    const isAnswer = (frame: NaiveFrame): boolean => frame.kind === Kind.DATA && frame.stream === stream
    const { flags, payload } = await until('an answer begins', () => greedy.frames.find(isAnswer))
    answers.push(flags & Flag.FAIL ? JSON.parse(text(payload)).code : 'begun')
  }
  expect(answers).toEqual(['begun', 'begun', 'MEMORY_FULL', 'MEMORY_FULL'])
  expect(link.stats().memory.used).toBe(2 * 600 * 1024)
  const honest = await (await house.link()).consumer(channelId)
  expect(text(await honest.send(bytes('a')))).toBe('a')
  await greedy[Symbol.asyncDispose]()
  await until('all is given back', () => link.stats().memory.used === 0)
})
