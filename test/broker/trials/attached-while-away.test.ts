/** An attached broker whose own clients are first used while its server is away. */
import { Broker, connect } from 'signalbox'
import { Server } from 'signalbox/socket'
import { expect, it } from 'vitest'
import { failure } from '../tools/reading.ts'

const reconnect = { minMs: 1, maxMs: 5 }

it('publishes what it was given, and its clients go on, when the server is back', async () => {
  let server = await Server.listen({ graceMs: 10 })
  const port = Number(new URL(server.url).port)
  await using broker = await Broker.attach(server.url, { reconnect })
  await server.close()
  await broker.publish('t', 'while it was away')
  const local = broker.client()
  expect(await failure(local.flush({ timeoutMs: 50 }))).toMatchObject({
    ...{ code: 'TIMEOUT', cause: { code: 'CONNECT_FAILED' } },
  })
  const subscribing = local.subscribe('t')
  server = await Server.listen({ port, graceMs: 10 })
  await using _ = server
  await using client = await connect(server.url)
  const [inbox, own] = [await client.subscribe('t'), await subscribing]
  await broker.publish('t', 'now')
  await broker.flush()
  expect((await inbox.take(1)).length).toBe(1)
  const texts = (await own.take(1)).map(({ data }) => data)
  expect(['while it was away', 'now']).toContain(texts[0])
  expect(broker.stats().published).toBe(2)
})

it('closes all the same when the server stays away', async () => {
  const server = await Server.listen({ graceMs: 10 })
  const broker = await Broker.attach(server.url, { reconnect })
  await server.close()
  const client = broker.client()
  await client.close()
  await broker.close()
  expect([await client.closed, await broker.closed]).toEqual([undefined, undefined])
})
