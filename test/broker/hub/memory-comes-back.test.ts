/**
 * Whatever clients do, and however they end, what the broker counts for them comes back: nothing is counted once all have
 * left and all topics are forgotten, and no history is once the broker has closed.
 */
import fc from 'fast-check'
import { Broker } from 'signalbox'
import { expect, it } from 'vitest'
import { until } from '../../socket/tools/until.ts'
import { RawClient } from '../tools/raw-client.ts'

const kib = 1024
const topics = ['kept.a', 'kept.b', 'x.a', 'x.b', '_INBOX.a']
const patterns = ['**', 'kept.*', 'x.**', 'kept.a', '_INBOX.**']

const client = fc.nat(2)
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      publish: fc.constantFrom(...topics),
      client,
      bytes: fc.constantFrom(1, 3_000, 60_000, 200_000),
      names: fc.constantFrom(1, 1, 30),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      subscribe: fc.constantFrom(...patterns),
      client,
      from: fc.constantFrom<unknown>('new', 'all', { last: 2 }, { seq: 1 }),
      resumes: fc.boolean(),
      limitMessages: fc.constantFrom(1, 20, 1_000_000),
      maxMessageBytes: fc.constantFrom(2_000, 16 * kib * kib),
    }),
  },
  { weight: 2, arbitrary: fc.record({ read: fc.nat(9), messages: fc.integer({ min: 1, max: 20 }) }) },
  { weight: 1, arbitrary: fc.record({ end: fc.nat(9), how: fc.constantFrom('close', 'drop', 'drain') }) },
  { weight: 1, arbitrary: fc.record({ leave: client }) },
)
const run = fc.record({
  steps: fc.array(step, { minLength: 10, maxLength: 60 }),
  memory: fc.constantFrom(200 * kib, 1_000 * kib, 64_000 * kib),
  share: fc.constantFrom(0, 0.1),
  history: fc.constantFrom(0, 1, 1_000),
})
type Run = typeof run extends fc.Arbitrary<infer T> ? T : never

async function play({ steps, memory, share, history }: Run): Promise<void> {
  const options = { maxMemoryBytes: memory, topicIdleMs: 40, pacing: { share }, drainMs: 50 }
  const broker = await Broker.listen({ ...options, topics: history > 0 ? { 'kept.*': { history } } : {} })
  const connect = () => RawClient.connect(broker.url)
  const clients = await Promise.all([connect(), connect(), connect()])
  const { epoch } = await (clients[0] as RawClient).ask<{ epoch: number }>({ op: 'hello' })
  const open: Awaited<ReturnType<RawClient['subscribe']>>['provider'][] = []
  for (const one of steps) {
    if ('publish' in one) {
      for (let i = 0; i < one.names; i++) {
        const name = i === 0 ? one.publish : `${one.publish}${i}`
        const entries = [{ value: new Uint8Array(one.bytes) }, { value: 'small' }]
        void clients[one.client]?.publish(name, { entries }).catch(() => {})
      }
    } else if ('subscribe' in one) {
      const { subscribe, limitMessages, maxMessageBytes, from, resumes } = one
      const seen = topics.map((topic) => [topic, 1, epoch])
      const more = { limitMessages, maxMessageBytes, from, resume: resumes ? { epoch, position: 0, seen } : null }
      const asked = clients[one.client]?.subscribe(subscribe, more)
      await asked?.then(({ provider }) => open.push(provider)).catch(() => {})
    } else if ('read' in one) {
      for (let i = 0; i < one.messages; i++) void open[one.read]?.receive().catch(() => {})
    } else if ('end' in one) {
      const provider = open.splice(one.end, 1)[0]
      if (one.how === 'close') void provider?.close()
      else if (provider) {
        const request = { op: 'unsubscribe', channel: provider.channelId, drain: one.how === 'drain' }
        for (const each of clients) void each.ask(request).catch(() => {})
      }
    } else {
      await clients[one.leave]?.[Symbol.asyncDispose]()
      clients[one.leave] = await connect()
    }
  }
  for (const each of clients) await each[Symbol.asyncDispose]()
  await until('all have ended', () => broker.stats().subscriptions === 0)
  if (history === 0) await until('all is forgotten', () => broker.stats().topics === 0)
  if (history === 0) await until('all has come back', () => broker.stats().memory.used === 0)
  await broker.close()
  const { memory: left, server, held, paced } = broker.stats()
  expect([left.used, server?.memory.used, held, paced]).toEqual([0, 0, 0, 0])
}

it('nothing is counted any more once all have left', { timeout: 60_000 }, async () => {
  await fc.assert(fc.asyncProperty(run, play), { numRuns: Number(process.env['RUNS'] ?? 12), endOnFailure: true })
})
