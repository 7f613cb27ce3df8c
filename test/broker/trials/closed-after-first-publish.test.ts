/**
 * The shortest publisher there is: it connects, publishes, closes. The stream that its messages leave on is opened by
 * the first of them, and has no credit yet when the client is closed.
 */
import { Broker, connect } from 'signalbox'
import { expect, it } from 'vitest'

const local = (broker: Broker) => broker.client({ name: 'short' })
const remote = (broker: Broker) => connect(broker.url, { name: 'short' })

it.each([
  ['on a connection', remote],
  ['in the process of the broker', local],
])('what a client published first goes out before it is closed, %s', async (_name, make) => {
  await using broker = await Broker.listen({ port: 0 })
  const subscription = await broker.subscribe('short.*')
  for (const count of [1, 100]) {
    const client = await make(broker)
    for (let i = 1; i <= count; i++) await client.publish('short.a', i)
    await client.close()
  }
  const got: unknown[] = []
  await broker.publish('short.end', 'end')
  for await (const { data } of subscription) if (data === 'end' || got.push(data) > 200) break
  expect(got).toEqual([1, ...Array.from({ length: 100 }, (_, i) => i + 1)])
})

it('what was not awaited goes out too, and closing twice waits once', async () => {
  await using broker = await Broker.listen({ port: 0 })
  const subscription = await broker.subscribe('short.*')
  const client = await connect(broker.url)
  for (let i = 1; i <= 10; i++) void client.publish('short.a', i)
  await Promise.all([client.close(), client.close()])
  const got: unknown[] = []
  await broker.publish('short.end', 'end')
  for await (const { data } of subscription) if (data === 'end' || got.push(data) > 200) break
  expect(got).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
})

it.each([
  ['itself', (broker: Broker) => broker],
  ['a client in its process', local],
])('what %s published is forwarded before the broker closes', async (_name, from) => {
  const broker = await Broker.listen({ port: 0 })
  await using reader = await connect(broker.url)
  const subscription = await reader.subscribe<number>('short.a')
  const publisher = from(broker)
  for (let i = 1; i <= 100; i++) await publisher.publish('short.a', i)
  await broker.close()
  await reader.close()
  expect(subscription.received).toBe(100)
})
