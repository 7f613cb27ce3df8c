/** What broke: a closed broker took publishes, and its limit on subscriptions did not count those under way. */
import { Broker, connect } from 'signalbox'
import { describe, expect, it } from 'vitest'

describe('a broker', () => {
  it('refuses to publish and subscribe once it is closed, also when it never did before', async () => {
    const broker = await Broker.listen()
    await broker.close()
    await expect(broker.publish('a', 1)).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(broker.subscribe('a')).rejects.toMatchObject({ code: 'CLOSED' })
    expect(() => broker.client()).toThrow(expect.objectContaining({ code: 'CLOSED' }))
  })

  it('counts subscriptions under way when it keeps to maxSubscriptions', async () => {
    await using broker = await Broker.listen({ port: 0, maxSubscriptions: 1 })
    await using client = await connect(broker.url)
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => client.subscribe('a')))
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
    expect(refused.map(({ reason }) => reason.code)).toEqual(Array(4).fill('TOO_MANY_SUBSCRIPTIONS'))
    expect(broker.stats().subscriptions).toBe(1)
  })
})
