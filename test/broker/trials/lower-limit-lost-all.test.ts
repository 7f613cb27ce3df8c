/** What broke: small messages were lost together, and `flush` said yes, where the broker takes less than a parcel. */
import { Broker, connect } from 'signalbox'
import { describe, expect, it } from 'vitest'
import { until } from '../../socket/tools/until.ts'
import { failure, Told } from '../tools/reading.ts'
import { hello, ScriptedBroker } from '../tools/scripted-broker.ts'

const text = 'x'.repeat(100)

describe('a broker that takes less at once', () => {
  it('gets what a client in its program publishes before it knows that', async () => {
    await using broker = await Broker.listen({ port: 0, maxMessageBytes: 2_000 })
    const subscription = await broker.subscribe('t')
    const client = broker.client()
    const published = Array.from({ length: 50 }, () => client.publish('t', text))
    await client.flush()
    await Promise.all(published)
    await until('all have come', () => subscription.received === 50)
    expect(client.stats().refused).toBe(0)
  })

  it('gets all but what is too large by itself, which is told and rejects the flush', async () => {
    await using broker = await ScriptedBroker.listen()
    await using client = await connect(broker.url)
    const told = new Told(client)
    await client.publish('t', 0)
    await client.flush()
    await broker.leave(true)
    await until('the client knows', () => !client.isConnected)
    for (let i = 0; i < 40; i++) void client.publish('t', text)
    const tooLarge = client.publish('big', new Uint8Array(100_000))
    broker.script = { hello: () => ({ ...hello, maxMessageBytes: 1_000 }) }
    await broker.appear()
    expect((await failure(tooLarge)).code).toBe('MESSAGE_TOO_LARGE')
    expect(await failure(client.flush())).toMatchObject({ code: 'MESSAGE_TOO_LARGE', details: { refused: 1 } })
    expect(await told.first('refused')).toMatchObject({ code: 'MESSAGE_TOO_LARGE', count: 1 })
    expect(broker.topics.length).toBeGreaterThan(4)
    expect(broker.parcels.every(({ payload }) => payload.length <= 1_000)).toBe(true)
    await client.flush()
  })
})

describe('what a broker refused before it left in good order', () => {
  it('rejects the next flush, which another broker answers', async () => {
    const refusal = { topic: 't', code: 'TOO_MANY_TOPICS', number: 4007, message: 'There are 1 topics.', count: 2 }
    let answers = 0
    const watch = () => (answers++ === 0 ? [refusal] : new Promise(() => {}))
    await using broker = await ScriptedBroker.listen({ watch })
    await using client = await connect(broker.url)
    const told = new Told(client)
    for (let i = 0; i < 2; i++) await client.publish('t', i)
    await told.first('refused')
    await until('it has come', () => broker.topics.length > 0)
    await broker.leave(true)
    broker.script = {}
    await broker.appear()
    expect(await failure(client.flush())).toMatchObject({ code: 'TOO_MANY_TOPICS', details: { refused: 2 } })
    await client.flush()
  })
})
