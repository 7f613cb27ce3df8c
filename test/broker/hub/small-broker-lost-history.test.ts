/**
 * What broke: a broker that takes less than a frame put more than that together for its subscribers, and dropped it at its
 * own link without a word: a history of 200 messages came as none, and no gap. Nobody could subscribe to many topics.
 */
import { Broker, connect } from 'signalbox'
import { describe, expect, it } from 'vitest'
import { until } from '../../socket/tools/until.ts'
import { failure, Told } from '../tools/reading.ts'

const small = { maxMessageBytes: 4_096 }

describe('a broker that takes less than a frame', () => {
  it('gives subscribers that take more what it keeps [BROKER 3.7]', async () => {
    await using broker = await Broker.listen({ ...small, topics: { '**': { history: 1_000 } } })
    await using client = await connect(broker.url)
    for (let i = 0; i < 200; i++) await client.publish('a', new Uint8Array(500))
    await client.flush()
    const subscription = await client.subscribe('a', { from: 'all' })
    expect((await subscription.take(200)).map(({ seq }) => seq)).toEqual(Array.from({ length: 200 }, (_, i) => i + 1))
  })

  it('answers who subscribes to very many topics [BROKER 4.6]', async () => {
    await using broker = await Broker.listen(small)
    await using client = await connect(broker.url)
    for (let i = 0; i < 1_000; i++) await client.publish(`topic.number.${i}`, 1)
    await client.flush()
    const subscription = await client.subscribe('**')
    await client.publish('topic.number.7', 'new')
    expect((await subscription.take(1))[0]?.data).toBe('new')
  })

  it('tells all that it has refused, in as many answers as that takes [BROKER 3.9]', async () => {
    await using broker = await Broker.listen({ maxMessageBytes: 1_500, maxTopics: 1, topics: { a: { history: 1 } } })
    await using client = await connect(broker.url)
    const told = new Told(client)
    await client.publish('a', 1)
    for (let i = 0; i < 20; i++) await client.publish(`a.topic.with.a.name.that.is.rather.long.${i}`, 1)
    expect(await failure(client.flush())).toMatchObject({ code: 'TOO_MANY_TOPICS', details: { refused: 20 } })
    await until('all is told', () => client.stats().refusedByBroker === 20)
    expect(told.types.every((type) => type === 'refused')).toBe(true)
  })

  it('does not silence itself for a client that takes less than one of its answers', async () => {
    await using broker = await Broker.listen({ maxTopics: 1, topics: { a: { history: 1 } } })
    await using client = await connect(broker.url, { maxMessageBytes: 1_500 })
    await client.publish('a', 1)
    for (let i = 0; i < 20; i++) await client.publish(`a.topic.with.a.name.that.is.rather.long.${i}`, 1)
    expect(await failure(client.flush())).toMatchObject({ details: { refused: 20 } })
    await client.publish('b', 1)
    expect(await failure(client.flush())).toMatchObject({ code: 'TOO_MANY_TOPICS', details: { refused: 1 } })
  })
})
