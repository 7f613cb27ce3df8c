/**
 * What broke: all that subscriptions were to be told was made at once, when they came back in one turn. A hundred of one
 * client, from before 58,000 topics, ended a broker with a heap of 256 MiB; here they are 20,000, and 96 MiB.
 */
import { expect, it } from 'vitest'
import { Child } from '../tools/child.ts'
import { RawClient } from '../tools/raw-client.ts'

const mib = 1024 * 1024
const topics = 20_000

it('very many subscriptions that missed very many topics are answered one after the other', {
  timeout: 60_000,
}, async () => {
  const options = { pacing: { share: 0 }, maxMemoryBytes: 32 * mib }
  const { child, url } = await Child.start<{ url: string }>('broker', options, ['--max-old-space-size=96'])
  await using _broker = child
  await using writer = await RawClient.connect(url)
  await writer.subscribe('t.**', { limitMessages: 1, limitBytes: 1 })
  for (let i = 0; i < topics; i++) await writer.publish(`t.${i}`)
  const { epoch } = await writer.ask<{ epoch: number }>({ op: 'hello' })
  await using client = await RawClient.connect(url)
  const resume = { epoch, position: 0, seen: [] }
  const asked = Array.from({ length: 100 }, () => client.subscribe('t.**', { resume }))
  // On a busy machine not all are answered in time.
  const answers = (await Promise.allSettled(asked)).filter(({ status }) => status === 'fulfilled')
  expect(answers.length).toBeGreaterThan(0)
  expect((await child.ask<{ topics: number }>('stats')).topics).toBe(topics)
})
