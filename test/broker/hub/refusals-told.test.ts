/** What broke: whoever published one way what the broker refused was never told. */
import { Broker } from 'signalbox'
import { describe, expect, it } from 'vitest'
import type { Refusal } from '../../../broker/shared/replies.ts'
import { until } from '../../socket/tools/until.ts'
import { RawClient } from '../tools/raw-client.ts'

const brief = (refusals: readonly Refusal[]) => refusals.map(({ topic, code, count }) => `${topic} ${code} ${count}`)

describe('what was refused one way', () => {
  it('is told to the client that watches, joined by topic and code [BROKER 3.9]', async () => {
    await using broker = await Broker.listen({ maxTopics: 1 })
    await using raw = await RawClient.connect(broker.url)
    await using other = await RawClient.connect(broker.url)
    await raw.subscribe('a')
    await raw.publish('a')
    const watched = raw.ask<Refusal[]>({ op: 'watch' })
    let isTold = false
    const elsewhere = other.ask<Refusal[]>({ op: 'watch' }).then((told) => {
      isTold = true
      return told
    })
    const two = { entries: [{ value: 1 }, { value: 2 }] }
    const parcel = [raw.batch('b', two), raw.batch('b'), raw.batch('c'), raw.batch('b', { sender: 'x' })]
    await raw.consumer.post(new Uint8Array(Buffer.concat(parcel)))
    expect(brief(await watched)).toEqual(['b TOO_MANY_TOPICS 3', 'c TOO_MANY_TOPICS 1', 'b INVALID_BATCH 1'])
    expect(isTold).toBe(false)
    await other.publish('b')
    expect(brief(await elsewhere)).toEqual(['b TOO_MANY_TOPICS 1'])
  })

  it('waits until the client asks, and is joined without a topic when it is of very many', async () => {
    await using broker = await Broker.listen()
    await using raw = await RawClient.connect(broker.url)
    for (let i = 0; i < 100; i++) await raw.publish(`$own.${i}`)
    await raw.ask({ op: 'flush' })
    const told = await raw.ask<Refusal[]>({ op: 'watch' })
    expect(told).toHaveLength(17)
    expect(told.at(-1)).toMatchObject({ topic: '', code: 'FORBIDDEN', number: 3010, count: 84 })
    expect(told.reduce((sum, { count }) => sum + count, 0)).toBe(100)
  })

  it('is told to nobody when it was asked for: the request has failed', async () => {
    await using broker = await Broker.listen()
    await using raw = await RawClient.connect(broker.url)
    await expect(raw.consumer.send(raw.batch('$own'))).rejects.toMatchObject({ code: 'FORBIDDEN' })
    await raw.publish('$one.way')
    expect(brief(await raw.ask<Refusal[]>({ op: 'watch' }))).toEqual(['$one.way FORBIDDEN 1'])
  })

  it('is of no interest any more when the client that asked is gone', async () => {
    await using broker = await Broker.listen()
    for (let i = 0; i < 3; i++) {
      await using raw = await RawClient.connect(broker.url)
      for (let i = 0; i < 100; i++) void raw.ask({ op: 'watch' }).catch(() => {})
      await raw.ask({ op: 'flush' })
    }
    await until('they are gone', () => broker.stats().server?.links === 1)
    await using raw = await RawClient.connect(broker.url)
    await raw.publish('$own')
    expect(await raw.ask({ op: 'watch' })).toHaveLength(1)
  })

  it('is an empty list when the broker closes, which answers before it goes', async () => {
    const broker = await Broker.listen()
    await using raw = await RawClient.connect(broker.url)
    const watched = raw.ask({ op: 'watch' })
    await raw.ask({ op: 'flush' })
    await broker.close()
    expect(await watched).toEqual([])
  })
})
