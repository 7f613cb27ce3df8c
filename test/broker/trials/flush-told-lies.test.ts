/** What broke: `flush` said yes to what was lost with a broker, and to what the broker had refused. */
import { Broker, connect } from 'signalbox'
import { describe, expect, it } from 'vitest'
import { until } from '../../socket/tools/until.ts'
import { failure, Told } from '../tools/reading.ts'
import { closing, ScriptedBroker } from '../tools/scripted-broker.ts'

const quick = { reconnect: { minMs: 1, maxMs: 20 } }
const refusal = { topic: 'b', code: 'TOO_MANY_TOPICS', number: 4007, message: 'There are 1 topics.', count: 2 }

describe('flush', () => {
  it('rejects with LINK_LOST and how many may be lost, once, when the broker was lost before it confirmed them', async () => {
    await using broker = await ScriptedBroker.listen()
    await using client = await connect(broker.url)
    await client.publish('a', 1)
    await client.flush()
    for (let i = 0; i < 3; i++) await client.publish('a', i)
    await until('all have come', () => broker.topics.length >= 2)
    await broker.leave()
    const flushing = failure(client.flush())
    await broker.appear()
    expect(await flushing).toMatchObject({ code: 'LINK_LOST', details: { lost: 3 } })
    await client.publish('a', 4)
    await client.flush()
  })

  it('counts nothing as lost of a broker that left in good order', async () => {
    await using broker = await ScriptedBroker.listen()
    await using client = await connect(broker.url)
    await client.publish('a', 1)
    await until('it has come', () => broker.topics.length === 1)
    await broker.leave(true)
    await broker.appear()
    await client.flush()
  })

  it('waits for the successor of a broker that is closing', async () => {
    await using broker = await ScriptedBroker.listen({ flush: closing })
    await using client = await connect(broker.url)
    const flushing = client.flush()
    await until('it was asked', () => broker.asked.includes('flush'))
    await broker.leave()
    broker.script = {}
    await broker.appear()
    await flushing
    expect(broker.asked.filter((op) => op === 'flush')).toHaveLength(2)
  })

  it('rejects with what the broker refused, and why; then the count begins anew', async () => {
    let tell = (_refusals: unknown): void => {}
    const watched = () => new Promise((resolve) => (tell = resolve))
    await using broker = await ScriptedBroker.listen({ flush: () => ({ taken: 1, refused: 2 }), watch: watched })
    await using client = await connect(broker.url)
    const told = new Told(client)
    for (const topic of ['a', 'b', 'b']) await client.publish(topic, 1)
    const flushing = failure(client.flush())
    await until('it is asked why', () => broker.asked.includes('watch') && broker.asked.includes('flush'))
    tell([refusal])
    expect(await flushing).toMatchObject({ code: 'TOO_MANY_TOPICS', details: { refused: 2 } })
    const { topic, code, count, error } = await told.first('refused')
    expect([topic, code, count, (error as Error & { code: string }).code]).toEqual(['b', code, 2, 'TOO_MANY_TOPICS'])
    expect(client.stats()).toMatchObject({ refused: 0, refusedByBroker: 2 })
    await client.flush()
  })

  it('tells a refusal also when it has no time to wait for the reason', async () => {
    const watch = () => new Promise<never>(() => {})
    await using broker = await ScriptedBroker.listen({ flush: () => ({ taken: 0, refused: 2 }), watch })
    await using client = await connect(broker.url)
    for (let i = 0; i < 2; i++) await client.publish('a', i)
    const told = await failure(client.flush({ timeoutMs: 200 }))
    expect(told).toMatchObject({ code: 'REMOTE', details: { refused: 2 } })
    await client.flush()
  })

  it('tells all who ask at once, and not only the first of them', async () => {
    await using broker = await Broker.listen({ maxTopics: 1 })
    await using client = await connect(broker.url)
    await using held = await client.subscribe('a')
    await client.publish('a', 1)
    await client.publish('b', 2)
    const answers = await Promise.all([client.flush(), client.flush(), client.flush()].map(failure))
    for (const answer of answers) expect(answer).toMatchObject({ code: 'TOO_MANY_TOPICS', details: { refused: 1 } })
    await client.flush()
    expect(held.pending).toBe(1)
  })

  it('of a client whose link was cut tells at most what was sent since the last one', async () => {
    const first = await Broker.listen()
    const port = Number(new URL(first.url).port)
    await using client = await connect(first.url, quick)
    for (let i = 0; i < 5; i++) await client.publish('a', i)
    await client.flush()
    await first.close()
    await using second = await Broker.listen({ port })
    for (let i = 0; i < 5; i++) await client.publish('a', i)
    await client.flush().catch((error) => expect(error).toMatchObject({ code: 'LINK_LOST' }))
    expect(second.stats().published).toBeLessThanOrEqual(5)
  })

  it('settles at once after the client has closed, however long it may take', async () => {
    const broker = await Broker.listen({ graceMs: 10 })
    const client = await connect(broker.url, quick)
    await broker.close()
    await client.publish('a', 1)
    const waiting = failure(client.flush({ timeoutMs: Number.POSITIVE_INFINITY }))
    await client.close()
    expect((await waiting).code).toBe('CLOSED')
    expect((await failure(client.flush({ timeoutMs: Number.POSITIVE_INFINITY }))).code).toBe('CLOSED')
  })
})
