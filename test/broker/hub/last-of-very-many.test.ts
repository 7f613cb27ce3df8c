/** What broke: of more than a thousand topics, `from: { last }` brought all that was kept of those used longest ago. */
import { Broker } from 'signalbox'
import { describe, expect, it } from 'vitest'

describe('the last message of each of very many topics', () => {
  it('is all that comes [BROKER 4.5]', async () => {
    await using broker = await Broker.listen({ topics: { '**': { history: 3 } } })
    for (let round = 0; round < 3; round++) for (let i = 0; i < 1_200; i++) await broker.publish(`t.${i}`, round)
    await broker.flush()
    const subscription = await broker.subscribe('t.*', { from: { last: 1 } })
    const messages = await subscription.take(1_200)
    expect(messages.every(({ data }) => data === 2)).toBe(true)
    await broker.publish('t.0', 'new')
    expect((await subscription.take(1))[0]?.data).toBe('new')
  })
})
