/**
 * What broke: the answer to `subscribe` could be larger than what its client takes, who then never got one; and `watch`
 * could be asked without end, each kept until something was refused.
 */
import { Broker } from 'signalbox'
import { describe, expect, it } from 'vitest'
import { RawClient, received } from '../tools/raw-client.ts'

describe('a client that takes small messages only', () => {
  it('gets an answer that fits, and the gaps that do not as notices [BROKER 3.7, 4.6]', async () => {
    await using broker = await Broker.listen()
    await using writer = await RawClient.connect(broker.url)
    const { reply } = await writer.subscribe<{ epoch: number; position: number }>('a.**')
    const long = 'x'.repeat(100)
    const names = Array.from({ length: 200 }, (_, i) => `a.${long}.${i}`)
    for (const name of names) await writer.publish(name)
    await writer.ask({ op: 'flush' })
    const maxMessageBytes = 4_096
    await using raw = await RawClient.connect(broker.url, { maxMessageBytes })
    const resume = { epoch: reply.epoch, position: reply.position, seen: [] }
    const resumed = await raw.subscribe<{ gaps: unknown[][]; seen: unknown[][] }>('a.**', { resume, maxMessageBytes })
    const { gaps, seen } = resumed.reply
    expect(gaps.length).toBeGreaterThan(0)
    expect(seen.length).toBeGreaterThan(0)
    const told = gaps.map(([topic, first, last]) => `gap ${topic} ${first}-${last}`)
    while (told.length < names.length) told.push(...(await received(resumed.provider)))
    expect(told.toSorted()).toEqual(names.map((name) => `gap ${name} 1-1`).toSorted())
  })
})

describe('a client that watches many times', () => {
  it('is answered with nothing where there are too many, and told by the others [BROKER 3.9]', async () => {
    await using broker = await Broker.listen()
    await using raw = await RawClient.connect(broker.url)
    const answers: unknown[][] = []
    const asking = Array.from({ length: 100 }, async () => {
      answers.push(await raw.ask<unknown[]>({ op: 'watch' }))
    })
    await Promise.all(asking.slice(0, 84))
    await raw.ask({ op: 'flush' })
    expect(answers).toEqual(Array(84).fill([]))
    await raw.publish('a..b')
    await asking[84]
    expect(answers[84]).toMatchObject([{ topic: 'a..b', code: 'INVALID_TOPIC' }])
    await broker.close()
    await Promise.allSettled(asking)
  })
})
