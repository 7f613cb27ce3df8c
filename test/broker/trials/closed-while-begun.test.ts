/** What broke: promises that stayed open, and clients that stayed half alive, when something ended while it began. */
import { connect } from 'signalbox'
import { describe, expect, it } from 'vitest'
import { until } from '../../socket/tools/until.ts'
import { failure } from '../tools/reading.ts'
import { hello, ScriptedBroker, subscribed } from '../tools/scripted-broker.ts'

const refused =
  (code: string, retryable = false) =>
  (): never => {
    throw Object.assign(new Error(code), { code, number: 4008, retryable })
  }
const quick = { reconnect: { minMs: 1, maxMs: 20 } }

describe('a subscription that is closed before the broker has it', () => {
  it.each([
    ['by unsubscribe', 'CLOSED'],
    ['by drain', 'CLOSED'],
    ['by its signal', 'ABORTED'],
  ])('%s is rejected at once', async (how, code) => {
    await using broker = await ScriptedBroker.listen({ subscribe: () => new Promise(() => {}) })
    await using client = await connect(broker.url)
    const aborter = new AbortController()
    const { signal } = aborter
    const subscribing = failure(client.subscribe('t', { timeoutMs: Number.POSITIVE_INFINITY, signal }))
    await until('it is asked for', () => broker.asked.includes('subscribe'))
    if (how === 'by unsubscribe') await client.unsubscribe('t')
    else if (how === 'by drain') await client.drain({ timeoutMs: 200 })
    else aborter.abort()
    expect((await subscribing).code).toBe(code)
  })
})

describe('a client that no broker will ever answer again', () => {
  it('is closed, with the reason, and its subscriptions too', async () => {
    await using broker = await ScriptedBroker.listen()
    await using client = await connect(broker.url, quick)
    const subscription = await client.subscribe('t')
    const types: string[] = []
    const listening = (async () => {
      for await (const { type } of client.status()) types.push(type)
    })()
    await broker.leave()
    broker.script = { hello: refused('INVALID_REQUEST') }
    await broker.appear()
    expect(await client.closed).toMatchObject({ code: 'INVALID_REQUEST' })
    expect(await failure(subscription.take(1))).toMatchObject({ code: 'INVALID_REQUEST' })
    expect(await failure(client.publish('t', 1))).toMatchObject({ code: 'INVALID_REQUEST' })
    expect((await failure(client.subscribe('t'))).code).toBe('CLOSED')
    await listening
    expect(types.at(-1)).toBe('closed')
  })
})

describe('a subscription that comes back to a broker which has not given its old place up', () => {
  it('waits for it, though there are too many', async () => {
    await using broker = await ScriptedBroker.listen()
    await using client = await connect(broker.url, quick)
    const subscription = await client.subscribe('t')
    await broker.leave()
    let tries = 0
    const full = refused('TOO_MANY_SUBSCRIPTIONS')
    broker.script = { hello: () => hello, subscribe: () => (tries++ === 0 ? full() : subscribed) }
    await broker.appear()
    await until('it has asked again', () => tries === 2)
    expect(subscription.isClosed).toBe(false)
  })
})

describe('the watch for refusals', () => {
  it('goes on after the broker could not answer for a moment', async () => {
    const refusal = { topic: 't', code: 'TOO_MANY_TOPICS', number: 4007, message: 'There are 1 topics.', count: 1 }
    let watches = 0
    const answers = [refused('MEMORY_FULL', true), () => [refusal]]
    const watch = () => answers[watches++]?.() ?? new Promise(() => {})
    await using broker = await ScriptedBroker.listen({ watch })
    await using client = await connect(broker.url)
    await client.publish('t', 1)
    await until('it has been told', () => client.stats().refusedByBroker === 1)
  })
})
