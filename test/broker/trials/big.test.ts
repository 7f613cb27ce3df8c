/**
 * The large cases, in processes of their own. What each of them used is printed. With SIGNALBOX_FULL=1 the longest one
 * has its full size, which takes minutes.
 */
import { connect } from 'signalbox'
import { describe, expect, it } from 'vitest'
import { Child } from '../tools/child.ts'
import { takeData } from '../tools/reading.ts'

const isFull = process.env['SIGNALBOX_FULL'] === '1'
const patience = { timeout: isFull ? 600_000 : 60_000 }

interface Done {
  readonly complete: number
  readonly received: number
  readonly dropped: number
  readonly peak: number
}
type BrokerCounts = { readonly held: number; readonly dropped: number; readonly rss: number; readonly peak: number }

const startBroker = () => Child.start<{ url: string }>('broker')

/** A subscriber and a publisher program of the same messages, at a broker. */
async function cast(url: string, count: number, bytes: number, extra: object = {}) {
  const [subscriber, publisher] = await Promise.all([
    Child.start<{ idle: number }>('subscriber', { url, topic: 't', count, ...extra }),
    Child.start('publisher', { url, topic: 't', count, bytes }),
  ])
  return {
    ...{ subscriber: subscriber.child, publisher: publisher.child, idle: subscriber.idle },
    async [Symbol.asyncDispose]() {
      await Promise.all([subscriber.child.kill(), publisher.child.kill()])
    },
  }
}

describe('a thousand subscribers', patience, () => {
  it('in one process, on one link, get every one of a thousand messages each', async () => {
    const { child: broker, url } = await startBroker()
    await using _ = broker
    await using players = await cast(url, 1_000, 128, { subscribers: 1_000 })
    const idle = await broker.ask<BrokerCounts>('stats')
    players.publisher.tell({ begin: true })
    const done = await players.subscriber.hear<Done>('done')
    const after = await broker.ask<BrokerCounts>('stats')
    console.log(
      `1,000 subscribers on one link: broker ${idle.rss} MiB idle, ${after.peak} at most; ` +
        `their process ${players.idle} idle, ${done.peak} at most`,
    )
    expect(done).toMatchObject({ complete: 1_000, dropped: 0 })
    expect(after).toMatchObject({ forwarded: 1_000_000, dropped: 0, held: 0 })
    expect(after.peak).toBeLessThan(400)
  })

  it('on a thousand TCP connections get every message each', async () => {
    const { child: broker, url } = await startBroker()
    await using _ = broker
    const before = await broker.ask<BrokerCounts>('stats')
    await using players = await cast(url, 200, 128, { subscribers: 1_000, ownLinks: true })
    const idle = await broker.ask<BrokerCounts & { server: { links: number } }>('stats')
    players.publisher.tell({ begin: true })
    const done = await players.subscriber.hear<Done>('done')
    const after = await broker.ask<BrokerCounts>('stats')
    console.log(
      `1,000 subscribers on 1,000 links: broker ${before.rss} MiB before them, ${idle.rss} idle, ${after.peak} at most; ` +
        `their process ${players.idle} idle, ${done.peak} at most`,
    )
    expect(idle.server.links).toBe(1_002)
    expect(done).toMatchObject({ complete: 1_000, dropped: 0 })
    expect(after.peak).toBeLessThan(500)
  })
})

describe('very many messages', patience, () => {
  it('go through three processes in order, none lost, in bounded memory', async () => {
    const count = isFull ? 10_000_000 : 1_000_000
    const { child: broker, url } = await startBroker()
    await using _ = broker
    await using players = await cast(url, count, 128)
    const begun = performance.now()
    players.publisher.tell({ begin: true })
    const done = await players.subscriber.hear<Done>('done')
    const seconds = (performance.now() - begun) / 1_000
    const { peak: publisherPeak } = await players.publisher.hear<{ peak: number }>('begin')
    const after = await broker.ask<BrokerCounts>('stats')
    console.log(
      `${count} messages of 128 bytes in ${seconds.toFixed(1)} s: publisher ${publisherPeak} MiB at most, ` +
        `broker ${after.peak}, subscriber ${done.peak}`,
    )
    expect(done).toMatchObject({ complete: 1, dropped: 0 })
    expect(after).toMatchObject({ published: count, forwarded: count, dropped: 0, held: 0 })
    for (const peak of [publisherPeak, after.peak, done.peak]) expect(peak).toBeLessThan(400)
  })
})

describe.concurrent('a subscriber that does not keep up', patience, () => {
  it('because it sleeps in its loop loses nothing, holds up nobody, and costs the broker little', async () => {
    const { child: broker, url } = await startBroker()
    await using _ = broker
    const count = 30_000
    await using players = await cast(url, count, 200, { sleepMs: isFull ? 5_000 : 2_000 })
    await using client = await connect(url)
    const awake = await client.subscribe('t')
    const before = await broker.ask<BrokerCounts>('stats')
    players.publisher.tell({ begin: true })
    await takeData(awake, count)
    const meanwhile = await broker.ask<BrokerCounts>('stats')
    expect(meanwhile.held).toBeGreaterThan(0)
    const done = await players.subscriber.hear<Done>('done')
    const after = await broker.ask<BrokerCounts>('stats')
    console.log(`${meanwhile.held} messages held for a sleeper: broker ${before.rss} MiB before, ${after.peak} at most`)
    expect(done).toMatchObject({ complete: 1, dropped: 0 })
    expect(after).toMatchObject({ dropped: 0, held: 0 })
    expect(after.peak - before.rss).toBeLessThan(150)
  })

  it('because its process was stopped costs the others nothing, and loses what is beyond its limit, as a gap', async () => {
    const { child: broker, url } = await startBroker()
    await using _ = broker
    const limit = { messages: 1_000, bytes: 1_000_000 }
    await using players = await cast(url, 20_000, 1_000, { options: { limit }, lossy: true })
    await using client = await connect(url)
    const awake = await client.subscribe('t')
    players.subscriber.process.kill('SIGSTOP')
    players.publisher.tell({ begin: true })
    await takeData(awake, 20_000)
    expect(awake.dropped).toBe(0)
    const counts = await broker.ask<BrokerCounts>('stats')
    expect(counts.held).toBeLessThanOrEqual(1_000)
    expect(counts.dropped).toBeGreaterThan(10_000)
    players.subscriber.process.kill('SIGCONT')
    const done = await players.subscriber.hear<Done>('done')
    expect(done).toMatchObject({ received: 20_000 - done.dropped, complete: 1 })
    expect(done.dropped).toBe((await broker.ask<BrokerCounts>('stats')).dropped)
  })
})
