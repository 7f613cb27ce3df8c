/** Streams that begin where a client does not expect them. */
import { Link, newId } from 'signalbox/socket'
import { expect, it } from 'vitest'
import { Kind } from '../../../socket/wire/frame.ts'
import { failure } from '../tools/house.ts'
import { type ScriptedConnection, ScriptedServer } from '../tools/scripted-server.ts'
import { until } from '../tools/until.ts'
import { json } from '../wire/naive-frame.ts'

const peer = json({ linkId: 2, name: '', transport: 'tcp', identity: {} })
const ofStream = (connection: ScriptedConnection, kind: number, number: number): boolean =>
  connection.frames.some((frame) => frame.kind === kind && frame.stream === number)

it('[SOCK 4.4] a second stream of the same number is BAD_FRAME, and nobody waits on the first for ever', async () => {
  const server = new ScriptedServer()
  const link = await Link.connect(server.url, server.reach)
  const consumer = await link.consumer(newId())
  server.last.say(Kind.ATTACH, 7, peer, 1)
  await until('it is attached', () => consumer.providers === 1)
  const answer = failure(consumer.send(new Uint8Array(1), { timeoutMs: 60_000 }))
  server.last.say(Kind.ATTACH, 7, peer, 1)
  expect((await answer).code).toBe('LINK_LOST')
  expect(await link.closed).toMatchObject({ code: 'BAD_FRAME' })
})

it('[SOCK 4.7] a stream that begins when the server is leaving is ended at once', async () => {
  const server = new ScriptedServer()
  await using link = await Link.connect(server.url, server.reach)
  const consumer = await link.consumer(newId())
  const connection = server.last
  connection.say(Kind.ATTACH, 7, peer, 1)
  connection.say(Kind.GOAWAY)
  connection.say(Kind.ATTACH, 8, peer, 1)
  await until('both are attached', () => consumer.providers === 2)
  await until('both are ended', () => ofStream(connection, Kind.END, 7) && ofStream(connection, Kind.END, 8))
  expect(consumer.credit).toBe(0)
})
