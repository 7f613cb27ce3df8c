/**
 * What broke: what a broker refused while it closed was told to nobody: it answered those who ask about refusals before
 * it judged what was under way. A flush then said yes.
 */
import { Broker, connect } from 'signalbox'
import { Server } from 'signalbox/socket'
import { expect, it } from 'vitest'
import { failure, Told } from '../tools/reading.ts'

it('what a broker refuses while it closes is told, and by the next flush too [BROKER 3.9]', async () => {
  await using server = await Server.listen({ port: 0 })
  const first = await Broker.attach(server.url, { maxTopics: 1 })
  await using client = await connect(server.url)
  const told = new Told(client)
  await using _held = await client.subscribe('held')
  await client.publish('held', 1)
  await client.flush()
  for (let i = 0; i < 5; i++) void client.publish(`other.${i}`, i)
  await first.close()
  expect(first.stats().refused).toBe(5)
  await using _second = await Broker.attach(server.url)
  expect(await failure(client.flush())).toMatchObject({ code: 'TOO_MANY_TOPICS', details: { refused: 5 } })
  await told.first('refused')
  expect(client.stats().refusedByBroker).toBe(5)
  await client.flush()
})
