/** A server that cannot find out for a moment what a client may do lets it in later. */
import { Broker, connect } from 'signalbox'
import { expect, it } from 'vitest'
import { failure } from '../tools/reading.ts'

const quick = { reconnect: { minMs: 1, maxMs: 5 } }

/** A broker whose `authorise` fails when it is asked for the n-th time by somebody else, for each n of `fails`. */
async function moody(...fails: number[]): Promise<Broker> {
  let asked = 0
  const authorise = (): boolean => {
    asked++
    if (fails.includes(asked)) throw new Error('the database is away')
    return true
  }
  return await Broker.listen({ authorise, graceMs: 10 })
}

it('a client that connects is greeted when the server has found out', async () => {
  await using broker = await moody(1, 2)
  await using client = await connect(broker.url, quick)
  expect(client.isConnected).toBe(true)
})

it('what a client publishes leaves when the server has found out', async () => {
  await using broker = await moody(2, 3)
  await using client = await connect(broker.url, quick)
  const inbox = await broker.subscribe('t')
  await client.publish('t', 1)
  await client.flush()
  await client.publish('t', 2)
  expect((await inbox.take(2)).map(({ data }) => data)).toEqual([1, 2])
})

it('connecting in vain says why', async () => {
  await using broker = await moody(...Array.from({ length: 10_000 }, (_, at) => at + 1))
  const error = await failure(connect(broker.url, { ...quick, connectTimeoutMs: 200 }))
  expect(error).toMatchObject({ code: 'TIMEOUT', cause: { code: 'AUTH_UNAVAILABLE' } })
})
