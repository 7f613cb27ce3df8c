/** Links within their own bounds, and together more than a program can bear. */
import { Link, Server } from 'signalbox/socket'
import { expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { failure } from '../tools/house.ts'
import { RawPeer } from '../tools/raw-peer.ts'
import { until } from '../tools/until.ts'

it('channel ends and streams of all links together are bounded by memory, and there is room again when they are gone', async () => {
  await using server = await Server.listen({ graceMs: 0, maxMemoryBytes: 128 * 1024 })
  const channel = newId()
  const provider = await server.link().provider(channel)
  const peers = await Promise.all([1, 2, 3, 4].map(() => RawPeer.welcomed(server.url)))
  for (const peer of peers) for (let number = 1; number <= 100; number++) peer.open(number, 'consumer', channel, true)
  const answers = () =>
    peers.flatMap(({ frames }) => frames.filter(({ kind }) => kind === Kind.OPENED || kind === Kind.REFUSED))
  await until('all are answered', () => answers().length === 400)
  expect([server.stats().streams, provider.consumers]).toEqual([69, 69])
  await using honest = await Link.connect(server.url)
  expect((await failure(honest.consumer(newId()))).code).toBe('MEMORY_FULL')
  for (const peer of peers) await peer[Symbol.asyncDispose]()
  await until('they are gone', () => server.stats().streams === 0)
  await using _ = await honest.consumer(channel)
  expect(provider.consumers).toBe(1)
})
