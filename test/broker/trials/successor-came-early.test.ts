/**
 * What broke: a broker that came while the one before was still finishing was not greeted. Clients went by the limits of
 * the old one, published before their subscriptions were back, and a flush under way never ended.
 */
import { connect } from 'signalbox'
import { describe, expect, it } from 'vitest'
import { deferred } from '../../../base/deferred.ts'
import { until } from '../../socket/tools/until.ts'
import { failure, Told } from '../tools/reading.ts'
import { hello, ScriptedBroker, subscribed } from '../tools/scripted-broker.ts'

const never = () => new Promise<never>(() => {})

describe('a broker that comes while another is still leaving', () => {
  it('is greeted, and gets the subscriptions before what is published [BROKER 3.1]', async () => {
    await using first = await ScriptedBroker.listen()
    await using client = await connect(first.url)
    await client.subscribe('t')
    await client.publish('t', 'before')
    await until('it has come', () => first.topics.length === 1)
    await using second = new ScriptedBroker(first.server, {
      hello: () => ({ ...hello, maxMessageBytes: 5_000 }),
      subscribe: () => {
        expect(second.topics).toEqual([])
        return { ...subscribed, epoch: 2 }
      },
    })
    const leaving = first.leave(true)
    await second.appear()
    const told = new Told(client)
    await client.publish('t', 'meanwhile')
    await until('it has come', () => second.topics.length === 1)
    expect([second.asked[0], client.limits.maxMessageBytes]).toEqual(['hello', 5_000])
    expect(second.asked.filter((op) => op === 'subscribe')).toHaveLength(1)
    await leaving
    expect(told.types).toEqual(['epoch', 'recovered'])
  })

  it('answers a flush, which tells what the other did not confirm', async () => {
    await using first = await ScriptedBroker.listen({ flush: never })
    await using client = await connect(first.url)
    for (let i = 0; i < 3; i++) await client.publish('t', i)
    const flushing = failure(client.flush())
    await until('it is asked', () => first.asked.includes('flush'))
    await using second = new ScriptedBroker(first.server, {})
    const leaving = first.leave(true)
    await second.appear()
    await client.publish('t', 3)
    expect(await flushing).toMatchObject({ code: 'LINK_LOST', details: { lost: 3 } })
    await leaving
    expect(second.topics).toEqual(['t'])
    await client.flush()
  })

  it('may be lost before the other has left: what it had got is told by a flush, and not as if the other had', async () => {
    const answering = deferred<void>()
    const flush = () => answering.promise.then(() => ({ taken: 0, refused: 0 }))
    await using first = await ScriptedBroker.listen({ flush })
    await using client = await connect(first.url)
    void client.publish('t', 0)
    const flushing = failure(client.flush())
    await until('it is asked', () => first.asked.includes('flush'))
    const second = new ScriptedBroker(first.server, {})
    const leaving = first.leave(true)
    await second.appear()
    for (let i = 1; i <= 3; i++) await client.publish('t', i)
    await until('they have come', () => second.topics.length > 0)
    await second.leave()
    answering.resolve()
    await leaving
    await using third = new ScriptedBroker(first.server, {})
    await third.appear()
    expect(await flushing).toMatchObject({ code: 'LINK_LOST', details: { lost: 3 } })
    await client.publish('t', 4)
    await client.flush()
    expect(third.topics).toEqual(['t'])
  })
  it('may refuse what it gets before the other has left: a flush counts that once', async () => {
    const answering = deferred<void>()
    const flush = () => answering.promise.then(() => ({ taken: 1, refused: 0 }))
    await using first = await ScriptedBroker.listen({ flush })
    await using client = await connect(first.url)
    await client.publish('t', 0)
    const flushing = failure(client.flush())
    await until('it is asked', () => first.asked.includes('flush'))
    const refusal = deferred<unknown>()
    const questions: string[] = []
    await using second = new ScriptedBroker(first.server, {
      watch: () => (questions.push('why') === 1 ? refusal.promise : never()),
      flush: () => ({ taken: 0, refused: 1 }),
    })
    const leaving = first.leave(true)
    await second.appear()
    await client.publish('t', 1)
    await until('it is asked why', () => second.topics.length === 1 && questions.length > 0)
    refusal.resolve([{ topic: 't', code: 'FORBIDDEN', number: 3004, message: 'No.', count: 1 }])
    await until('it is told', () => client.stats().refusedByBroker === 1)
    answering.resolve()
    await leaving
    expect(await flushing).toMatchObject({ code: 'FORBIDDEN', details: { refused: 1 } })
    await client.flush()
  })
})
