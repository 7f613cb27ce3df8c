/**
 * What broke: each request to drain a subscription waited, however many there were. A client that did not read asked
 * 90,000 times, on 160 streams, which ended a broker with a heap of 256 MiB.
 */
import { Broker } from 'signalbox'
import { expect, it } from 'vitest'
import { RawClient } from '../tools/raw-client.ts'

it('a subscription is drained for one request at a time, and others may end it at once [BROKER 3.8]', async () => {
  await using broker = await Broker.listen()
  await using client = await RawClient.connect(broker.url)
  const { provider } = await client.subscribe('a')
  for (let i = 0; i < 3; i++) await client.publish('a', { entries: [{ value: new Uint8Array(60_000) }] })
  await client.ask({ op: 'flush' })
  expect(broker.stats().held).toBeGreaterThan(0)
  const unsubscribe = { op: 'unsubscribe', channel: provider.channelId, drain: true }
  const first = client.ask(unsubscribe)
  for (let i = 0; i < 10; i++) await expect(client.ask(unsubscribe)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
  expect(broker.stats().subscriptions).toBe(1)
  expect(await client.ask({ ...unsubscribe, drain: false })).toBe(true)
  expect(await first).toBe(true)
  expect(await client.ask(unsubscribe)).toBe(true)
})
