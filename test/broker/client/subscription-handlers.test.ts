/** What broke: handlers that return a thenable, an async `onError`, and loops after one that was left. */
import { Broker, type Subscription } from 'signalbox'
import { describe, expect, it } from 'vitest'
import { turns, until } from '../../socket/tools/until.ts'
import { failure } from '../tools/reading.ts'

async function scene() {
  const broker = await Broker.listen({ port: 0 })
  const subscription: Subscription<number> = await broker.subscribe<number>('t')
  return { broker, subscription, [Symbol.asyncDispose]: () => broker.close() }
}

describe('a handler', () => {
  it('that returns a thenable is waited for, and what it rejects with is counted', async () => {
    await using stage = await scene()
    const { broker, subscription } = stage
    const settle: ((error?: Error) => void)[] = []
    const thenable = {
      // biome-ignore lint/suspicious/noThenProperty: it is about these
      then: (ok: () => void, no: (error: Error) => void) => settle.push((error) => (error ? no(error) : ok())),
    }
    const running = subscription.run(() => thenable, { onError: () => {} })
    await broker.publish('t', 1)
    await broker.publish('t', 2)
    await until('the first has begun', () => settle.length === 1)
    await turns(3)
    expect(settle).toHaveLength(1)
    settle[0]?.(new Error('no'))
    await until('the second has begun', () => settle.length === 2)
    expect(subscription.handlerErrors).toBe(1)
    settle[1]?.()
    await subscription.drain()
    await running
  })

  it('may throw what has no text, and a topic may be that: neither ends a loop or throws where a promise is expected', async () => {
    await using stage = await scene()
    const { broker, subscription } = stage
    const nothing: unknown = Object.create(null)
    const seen: number[] = []
    const running = subscription.run(
      ({ data }) => {
        seen.push(data)
        throw nothing
      },
      { onError: () => {} },
    )
    expect((await failure(broker.publish(nothing as string, 0))).code).toBe('INVALID_TOPIC')
    for (const data of [1, 2]) await broker.publish('t', data)
    await until('both have come', () => seen.length === 2)
    await subscription.drain()
    await running
    expect(subscription.handlerErrors).toBe(2)
  })

  it('may have an onError that rejects: that is told too, and does not end the process', async () => {
    await using stage = await scene()
    const { broker, subscription } = stage
    const told: string[] = []
    void (async () => {
      for await (const event of broker.status()) if (event.type === 'error') told.push(event.error.message)
    })()
    const onError = async () => {
      throw new Error('worse')
    }
    void subscription.run(
      () => {
        throw 'a text'
      },
      { onError },
    )
    await broker.publish('t', 1)
    await until('both are told', () => told.length === 2)
    expect(told).toEqual(['a text', 'worse'])
  })
})

describe('a subscription whose loop was left', () => {
  it('says so to run and take as well', async () => {
    await using stage = await scene()
    const { broker, subscription } = stage
    await broker.publish('t', 1)
    for await (const _ of subscription) break
    expect(await failure(subscription.take(1))).toMatchObject({ code: 'CLOSED' })
    expect(await failure(subscription.run(() => {}))).toMatchObject({ code: 'CLOSED' })
  })
})
