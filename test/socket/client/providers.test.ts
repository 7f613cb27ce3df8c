/** Several Providers on a channel: who may join, who gets what, and what becomes of requests when one leaves. */
import { runInNewContext } from 'node:vm'
import type { Provider, Request } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { bytes, failure, House, text } from '../tools/house.ts'
import { turns, until } from '../tools/until.ts'

describe('an exclusive Provider', () => {
  it('[SOCK 4.3] is alone: a second one is refused with CHANNEL_CONFLICT, whichever of the two is exclusive', async () => {
    await using house = await House.open()
    const [one, two] = [await house.link(), await house.link()]
    for (const [first, second] of [
      ['exclusive', 'exclusive'],
      ['exclusive', 'shared'],
      ['shared', 'exclusive'],
    ] as const) {
      const channelId = newId()
      const provider = await one.provider(channelId, { mode: first })
      for (const link of [one, two]) {
        const error = await failure(link.provider(channelId, { mode: second }))
        expect(error).toMatchObject({ code: 'CHANNEL_CONFLICT', retryable: true })
      }
      provider.serve(({ payload }) => payload)
      expect(text(await (await two.consumer(channelId)).send(bytes('a')))).toBe('a')
      await provider.close()
      await (await two.provider(channelId, { mode: second })).close()
    }
    expect(one.stats().ends).toBe(0)
  })

  it('makes room for another when it closes or its link is lost', async () => {
    await using house = await House.open()
    const channelId = newId()
    const link = await house.link()
    const first = await link.provider(channelId)
    await first.close()
    const second = await link.provider(channelId)
    expect(second.consumers).toBe(0)
    await link.close()
    const third = await (await house.link()).provider(channelId)
    expect(third.consumers).toBe(0)
  })
})

describe('a Provider that comes later', () => {
  it('is joined with every Consumer that waits, also if one of them closes on seeing it', async () => {
    await using house = await House.open()
    const channelId = newId()
    const link = house.server.link()
    const leaving = link.lazyConsumer(channelId, { observe: () => void leaving.close() })
    const staying = [link.lazyConsumer(channelId), link.lazyConsumer(channelId), link.lazyConsumer(channelId)]
    const provider = await link.provider(channelId)
    provider.serve(({ payload }) => payload)
    const answers = await Promise.all(staying.map((consumer) => consumer.send(bytes('a'))))
    expect(answers.map(text)).toEqual(['a', 'a', 'a'])
    await until('the others are all there is', () => provider.consumers === 3)
  })
})

/** A Provider that answers only when it is told to. */
function hoarding(provider: Provider): Request[] {
  const held: Request[] = []
  provider.serve((request) => {
    held.push(request)
    return new Promise(() => {})
  })
  return held
}

describe('shared Providers', () => {
  it('divide the requests among themselves', async () => {
    await using house = await House.open()
    const channelId = newId()
    const held: Request[][] = []
    for (let i = 0; i < 4; i++) {
      held.push(hoarding(await (await house.link()).provider(channelId, { mode: 'shared' })))
    }
    const consumer = await (await house.link()).consumer(channelId)
    await until('all are there', () => consumer.providers === 4)
    const answers = Array.from({ length: 40 }, () => consumer.send(bytes('a')))
    await until('all have come', () => held.flat().length === 40)
    expect(held.map(({ length }) => length)).toEqual([10, 10, 10, 10])
    for (const request of held.flat()) await request.respond(request.payload)
    await Promise.all(answers)
  })

  it('get a request when they have the fewest unanswered: a stuck one gets nothing more', async () => {
    await using house = await House.open()
    const channelId = newId()
    const stuck = hoarding(await (await house.link()).provider(channelId, { mode: 'shared' }))
    const served: string[] = []
    const lively = await (await house.link()).provider(channelId, { mode: 'shared' })
    lively.serve(({ payload }) => {
      served.push(text(payload))
      return payload
    })
    const consumer = await (await house.link()).consumer(channelId)
    await until('both are there', () => consumer.providers === 2)
    const pending = new Set<Promise<Uint8Array>>()
    for (let i = 0; i < 50; i++) {
      const answer = consumer.send(bytes(String(i)), { timeoutMs: 60_000 })
      pending.add(answer)
      void answer.then(
        () => pending.delete(answer),
        () => {},
      )
      await until('at most the stuck one is open', () => pending.size <= 1)
    }
    expect([stuck.length, served.length]).toEqual([1, 49])
    await stuck[0]?.respond(bytes('at last'))
    await until('all are answered', () => pending.size === 0)
  })

  it('share one-way messages too, in turn', async () => {
    await using house = await House.open()
    const channelId = newId()
    const counts = [0, 0, 0]
    for (const index of counts.keys()) {
      const provider = await (await house.link()).provider(channelId, { mode: 'shared' })
      provider.serve(() => {
        counts[index] = (counts[index] ?? 0) + 1
        return undefined
      })
    }
    const consumer = await (await house.link()).consumer(channelId)
    await until('all are there', () => consumer.providers === 3)
    for (let i = 0; i < 30; i++) await consumer.post(bytes('a'))
    await until('all have come', () => counts.reduce((sum, count) => sum + count) === 30)
    expect(counts).toEqual([10, 10, 10])
  })

  it('lose nothing but what was with the one that leaves', async () => {
    await using house = await House.open()
    const channelId = newId()
    const providers = [
      await (await house.link()).provider(channelId, { mode: 'shared' }),
      await (await house.link()).provider(channelId, { mode: 'shared' }),
    ] as const
    const held = providers.map(hoarding)
    const consumer = await (await house.link()).consumer(channelId)
    await until('both are there', () => consumer.providers === 2)
    const answers = Array.from({ length: 10 }, () => consumer.send(bytes('a')))
    const outcomes = Promise.allSettled(answers)
    await until('all have come', () => held.flat().length === 10)
    await providers[0].close()
    await until('one has left', () => consumer.providers === 1)
    for (const request of held[1] ?? []) await request.respond(bytes('answer'))
    const settled = await outcomes
    expect(settled.filter(({ status }) => status === 'fulfilled').length).toBe(5)
    const reasons = settled.flatMap((each) => (each.status === 'rejected' ? [each.reason.code] : []))
    expect(reasons).toEqual(Array(5).fill('PROVIDER_CLOSED'))
  })

  it('take over when another one is out of credit', async () => {
    await using house = await House.open()
    const channelId = newId()
    const idle = await (await house.link()).provider(channelId, { mode: 'shared' })
    const busy = await (await house.link()).provider(channelId, { mode: 'shared' })
    let served = 0
    busy.serve(() => {
      served++
      return undefined
    })
    const consumer = await (await house.link()).consumer(channelId)
    await until('both are there', () => consumer.providers === 2)
    for (let i = 0; i < 200; i++) await consumer.post(new Uint8Array(10_000))
    await until('the rest has gone to the other', () => served + idle.pending === 200)
    expect(idle.pending).toBeLessThanOrEqual(7)
  })
})

describe('a Provider that leaves', () => {
  it('fails what it did not answer with PROVIDER_CLOSED, and what it gets too late as well', async () => {
    await using house = await House.open()
    const { consumer, provider } = await house.pair()
    const answers = Array.from({ length: 3 }, () => failure(consumer.send(bytes('a'))))
    await until('they have come', () => provider.pending === 3)
    const closing = provider.close()
    const late = failure(consumer.send(bytes('too late'), { timeoutMs: 200 }))
    await closing
    for (const answer of answers) expect(await answer).toMatchObject({ code: 'PROVIDER_CLOSED', retryable: true })
    expect(['PROVIDER_CLOSED', 'TIMEOUT']).toContain((await late).code)
  })

  it('fails what it did not answer with LINK_LOST when its link goes', async () => {
    await using house = await House.open()
    const { consumer, provider, far } = await house.pair()
    const answer = failure(consumer.send(bytes('a')))
    await until('it has come', () => provider.pending === 1)
    await far.close()
    expect(await answer).toMatchObject({ code: 'LINK_LOST', retryable: true })
    await turns()
    expect(consumer.providers).toBe(0)
  })
})

it('a handler may return a promise that is not of this realm, or of a library', async () => {
  await using house = await House.open()
  const { consumer, provider } = await house.pair()
  const Foreign = runInNewContext('Promise') as PromiseConstructor
  provider.serve(() => Foreign.resolve(bytes('found')))
  expect(text(await consumer.send(bytes('a')))).toBe('found')
})
