/** What broke: a publish that nobody awaited and that was refused, here or by the broker, left no trace. */
import { Broker, connect } from 'signalbox'
import { describe, expect, it } from 'vitest'
import { until } from '../../socket/tools/until.ts'
import { failure, Told } from '../tools/reading.ts'
import { closing, hello, ScriptedBroker } from '../tools/scripted-broker.ts'

describe('a publish that nobody awaits', () => {
  it('is told as refused, by topic and code, and counted', async () => {
    await using broker = await Broker.listen()
    await using client = await connect(broker.url)
    const told = new Told(client)
    void client.publish('x', 10n)
    void client.publish('bad.*', 1)
    void client.publish('bad.*', 2)
    void client.publish('$sys.x', 1)
    void client.publish('x', 1, { ttl: 5 } as never)
    await until('all are told', () => told.events.length === 4)
    expect(told.events.map((event) => event.type === 'refused' && [event.topic, event.code, event.count])).toEqual([
      ['x', 'INVALID_DATA', 1],
      ['bad.*', 'INVALID_TOPIC', 2],
      ['$sys.x', 'FORBIDDEN', 1],
      ['x', 'INVALID_OPTION', 1],
    ])
    expect(client.stats()).toMatchObject({ refused: 5, refusedByBroker: 0 })
    await client.publish('$inbox.x', 1)
    await client.flush()
  })

  it('that the broker refuses is told, again and again, also by the broker after it', async () => {
    const waiting: ((refusals: unknown) => void)[] = []
    const watch = () => new Promise((resolve) => waiting.push(resolve))
    await using broker = await ScriptedBroker.listen({ watch })
    await using client = await connect(broker.url)
    const told = new Told(client)
    await client.publish('a', 1)
    const refusal = { topic: 'a', code: 'INVALID_BATCH', number: 4004, message: 'no', count: 3 }
    for (let round = 1; round <= 3; round++) {
      await until('it is asked', () => waiting.length > 0)
      waiting.pop()?.([refusal])
      await until('it is told', () => told.types.filter((type) => type === 'refused').length === round)
      if (round === 2) {
        await broker.leave()
        waiting.length = 0
        await broker.appear()
      }
    }
    expect(client.stats().refusedByBroker).toBe(9)
  })

  it('is not held up by a broker that does not know watch', async () => {
    await using broker = await ScriptedBroker.listen({
      watch: () => {
        throw Object.assign(new Error('what?'), { code: 'INVALID_REQUEST', number: 4005 })
      },
    })
    await using client = await connect(broker.url)
    await client.publish('a', 1)
    await client.flush()
    expect(broker.asked.filter((op) => op === 'watch')).toHaveLength(1)
  })
})

describe('what a broker allows', () => {
  it('is told at hello: a larger message is refused at once, and the limit is shown', async () => {
    await using broker = await ScriptedBroker.listen({ hello: () => ({ ...hello, maxMessageBytes: 5_000 }) })
    await using client = await connect(broker.url)
    expect(client.limits).toEqual({ maxMessageBytes: 5_000 })
    const error = await failure(client.publish('a', new Uint8Array(6_000)))
    expect(error).toMatchObject({ code: 'MESSAGE_TOO_LARGE' })
    for (let i = 0; i < 10; i++) void client.publish('a', new Uint8Array(1_900))
    await client.flush()
    expect(broker.parcels.every(({ size }) => size <= 5_000)).toBe(true)
    expect(broker.topics).toHaveLength(5)
  })

  it('is what the next one says: a message that waited and is too large for it is told as refused', async () => {
    await using broker = await ScriptedBroker.listen()
    await using client = await connect(broker.url)
    await client.flush()
    await broker.leave()
    await until('it is gone', () => client.stats().streams === 0)
    const told = new Told(client)
    void client.publish('a', new Uint8Array(50_000))
    await new Promise((resolve) => setImmediate(resolve))
    void client.publish('a', 'small')
    broker.script = { hello: () => ({ ...hello, maxMessageBytes: 10_000 }) }
    await broker.appear()
    expect(await told.first('refused')).toMatchObject({ code: 'MESSAGE_TOO_LARGE', count: 1 })
    await until('the small one has come', () => broker.topics.length === 1)
  })

  it('also the name: batches carry the sender that it gave, those that waited too', async () => {
    let name = 'first'
    await using broker = await ScriptedBroker.listen({ hello: () => ({ ...hello, sender: name }) })
    await using client = await connect(broker.url, { name: 'own' })
    await client.publish('a', 1)
    await client.flush()
    await broker.leave()
    await until('it is gone', () => client.stats().streams === 0)
    void client.publish('a', 2)
    name = 'second and longer'
    await broker.appear()
    await client.flush().catch(() => {})
    const senders = broker.parcels.map(({ payload }) => Buffer.from(payload).toString('latin1'))
    expect(senders.map((text) => /first|second and longer|own/.exec(text)?.[0])).toEqual(['first', 'second and longer'])
  })
})

describe('a request', () => {
  it('does not wait for the credit of what was published', async () => {
    await using broker = await ScriptedBroker.listen()
    await using client = await connect(broker.url)
    broker.holds = true
    for (let i = 0; i < 100; i++) void client.publish('a', new Uint8Array(4_096))
    await until('no credit is left', () => client.stats().bufferedBytes > 0 && broker.parcels.length > 0)
    const subscription = await client.subscribe('b')
    await subscription.close()
    expect(client.stats().bufferedBytes).toBeGreaterThan(0)
  })

  it('comes after what was published before it, also when that stream is just being opened', async () => {
    const order: string[] = []
    await using broker = await ScriptedBroker.listen({
      subscribe: () => {
        order.push(`${broker.topics.length} published`)
        return closing()
      },
    })
    await using client = await connect(broker.url)
    void client.publish('a', new Uint8Array(300_000))
    void client.publish('b', 1)
    void client.subscribe('a', { timeoutMs: 200 }).catch(() => {})
    await until('it is asked', () => order.length > 0)
    expect(order[0]).toBe('2 published')
  })
})
