/**
 * What broke: a subscription that was being opened while its broker closed, or whose engine failed, was left behind or
 * answered with nothing; and where an engine had to be waited for, what came meanwhile went out before what was kept.
 */
import type { Request } from 'signalbox/socket'
import { beforeEach, describe, expect, it } from 'vitest'
import { deferred } from '../../../base/deferred.ts'
import { MemoryBudget } from '../../../base/memory-budget.ts'
import { Holdings } from '../../../broker/hub/delivery/holdings.ts'
import { Parcel } from '../../../broker/hub/delivery/parcel.ts'
import { MemoryEngine } from '../../../broker/hub/engine/memory-engine.ts'
import { hubDefaults } from '../../../broker/hub/options.ts'
import { Subscriptions } from '../../../broker/hub/subscriptions.ts'
import { Topics } from '../../../broker/hub/topics.ts'
import { BatchHeader } from '../../../broker/shared/batch.ts'
import type { SubscribeRequest } from '../../../broker/shared/requests.ts'
import { ManualClock } from '../../socket/tools/manual-clock.ts'
import { turns } from '../../socket/tools/until.ts'
import { numbered } from '../shared/batches.ts'
import { FakeConsumer } from './delivery/fake-consumer.ts'

const peer = { linkId: 1 }
const wanted: SubscribeRequest = {
  op: 'subscribe',
  channel: 'c',
  pattern: '**',
  noEcho: false,
  limitMessages: 100,
  limitBytes: 100_000,
  maxMessageBytes: 100_000,
  from: 'all',
  resume: null,
}

/** One that can be waited for, and can fail. */
class SlowEngine extends MemoryEngine {
  told: Promise<void> | undefined
  failure: Error | undefined
  override interest(): undefined {
    return this.told as undefined
  }
  override read(query: Parameters<MemoryEngine['read']>[0]): ReturnType<MemoryEngine['read']> {
    return this.failure ? Promise.reject(this.failure) : super.read(query)
  }
}

let fake: FakeConsumer & { peers?: unknown[] }
let opened: Promise<void>
let engine: SlowEngine
let topics: Topics
let memory: MemoryBudget
let subscriptions: Subscriptions

beforeEach(() => {
  const clock = new ManualClock()
  memory = new MemoryBudget(1e9)
  fake = new FakeConsumer(100_000)
  fake.peers = [peer]
  opened = Promise.resolve()
  engine = new SlowEngine(clock, new MemoryBudget(1e9))
  const settings = { ...hubDefaults, topics: { 'h.*': { history: 100 } } }
  topics = new Topics(settings, 7, clock, () => true, new MemoryBudget(1e9))
  const link = { consumer: () => opened.then(() => fake.consumer) } as never
  subscriptions = new Subscriptions({ link, settings, clock, engine, epoch: 7 }, new Holdings(memory))
  void engine.open({ committed() {}, settled() {}, changed() {}, trimmed: subscriptions.trimmed })
})

function open(): Promise<undefined> {
  const request = { peer, respond: () => Promise.resolve() } as unknown as Request
  return subscriptions.open(wanted, request, topics)
}

function commit(name: string): void {
  const bytes = numbered(name, 1, 1)
  const header = new BatchHeader(bytes)
  const topic = topics.open(bytes, header.topicAt, header.topicEnd)
  engine.append(header, topic)
  for (const target of subscriptions.matcher.match(name)) target.offer(new Parcel(bytes, 1), topic.keep !== undefined)
}

function told(): string[] {
  return fake.posted.flatMap((bytes) => {
    const found: string[] = []
    for (let at = 0; at < bytes.length; ) {
      const { topic, seq, end } = new BatchHeader(bytes, at)
      found.push(`${topic} ${seq}`)
      at = end
    }
    return found
  })
}

describe('a subscription that takes long to open', () => {
  it('gets what comes while the engine is waited for after what is kept, and once [BROKER 4.2]', async () => {
    const interested = deferred<void>()
    engine.told = interested.promise
    commit('h.a')
    const opening = open()
    await turns(1)
    commit('h.a')
    commit('x.a')
    interested.resolve()
    await opening
    await turns(1)
    commit('x.a')
    expect(told()).toEqual(['h.a 1', 'h.a 2', 'x.a 1', 'x.a 2'])
  })

  it('is refused when the broker closes meanwhile, so that the client asks the next one', async () => {
    const arrived = deferred<void>()
    opened = arrived.promise
    const opening = open()
    subscriptions.close()
    arrived.resolve()
    await expect(opening).rejects.toMatchObject({ code: 'BROKER_CLOSED' })
    expect([subscriptions.stats().subscriptions, subscriptions.matcher.size, memory.used]).toEqual([0, 0, 0])
  })

  it('is refused when the broker closes while the engine is waited for', async () => {
    const interested = deferred<void>()
    engine.told = interested.promise
    const opening = open()
    await turns(1)
    subscriptions.close()
    interested.resolve()
    await expect(opening).rejects.toMatchObject({ code: 'BROKER_CLOSED' })
  })

  it('is refused when its client is gone by then, and leaves nothing', async () => {
    fake.peers = []
    await expect(open()).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    expect([subscriptions.stats().subscriptions, subscriptions.matcher.size]).toEqual([0, 0])
  })

  it('fails with its engine, and leaves nothing', async () => {
    commit('h.a')
    engine.failure = new Error('the disk is gone')
    await expect(open()).rejects.toThrow('the disk is gone')
    expect([subscriptions.stats().subscriptions, subscriptions.matcher.size, memory.used]).toEqual([0, 0, 0])
    engine.failure = undefined
    fake = new FakeConsumer(100_000)
    fake.peers = [peer]
    await open()
    await turns(1)
    expect(told()).toEqual(['h.a 1'])
  })
})
