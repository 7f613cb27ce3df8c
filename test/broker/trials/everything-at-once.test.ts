/**
 * Every queue has a bound, and so has their sum: one broker, attacked with all of them at once, stays within its memory and
 * serves whoever is honest. What it used is printed.
 */
import { type BrokerStats, connect } from 'signalbox'
import { Link } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { brokerChannel } from '../../../broker/shared/broker-channel.ts'
import { encodeRequest } from '../../../broker/shared/requests.ts'
import { Flag, Kind } from '../../../socket/wire/frame.ts'
import { RawPeer } from '../../socket/tools/raw-peer.ts'
import { turns, until } from '../../socket/tools/until.ts'
import { encodeFrame } from '../../socket/wire/naive-frame.ts'
import { batchOf } from '../shared/batches.ts'
import { Child } from '../tools/child.ts'
import { take } from '../tools/reading.ts'

const mib = 1024 * 1024
const budget = 64 * mib
/** Of honest work, in each half of the attack. */
const rounds = 300

type Counts = BrokerStats & { readonly rss: number; readonly peak: number }

/** Subscribes to everything, a hundred times, with the largest limits there are, and reads nothing. */
async function neverReads(url: string): Promise<AsyncDisposable> {
  const client = await connect(url, { name: 'never reads' })
  for (let i = 0; i < 100; i++) {
    await client.subscribe('flood.**', { limit: { messages: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER } })
  }
  return client
}

/** Begins a large message on each of many streams of the broker's channel, and ends none of them. */
async function neverEnds(url: string): Promise<AsyncDisposable> {
  const peer = await RawPeer.welcomed(url)
  const streams = 64
  for (let number = 1; number <= streams; number++) peer.open(number, 'consumer', brokerChannel, true)
  const attached = () => peer.frames.filter(({ kind }) => kind === Kind.ATTACH)
  await until('all streams are there', () => attached().length === streams)
  const total = Buffer.alloc(4)
  total.writeUInt32LE(16 * mib)
  const fragment = Buffer.alloc(64 * 1024)
  for (const { stream } of attached()) peer.send({ kind: Kind.BEGIN, stream, id: 1, payload: total })
  const credit = new Map(attached().map(({ stream }) => [stream, 64 * 1024]))
  const pushing = setInterval(() => {
    for (const { kind, stream, id } of peer.frames.splice(0)) {
      if (kind === Kind.CREDIT) credit.set(stream, (credit.get(stream) ?? 0) + id)
      if (kind === Kind.RESET) credit.delete(stream)
    }
    for (const [stream, left] of credit) {
      if (left <= 0) continue
      credit.set(stream, left - fragment.length - 16)
      peer.write(encodeFrame({ kind: Kind.DATA, flags: Flag.MORE, stream, id: 1, payload: fragment }))
    }
  }, 1)
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(pushing)
      await peer[Symbol.asyncDispose]()
    },
  }
}

/** Asks and never takes an answer. */
async function neverTakesAnswers(url: string): Promise<AsyncDisposable> {
  const peer = await RawPeer.welcomed(url)
  peer.open(1, 'consumer', brokerChannel, true)
  const { stream } = await peer.next(Kind.ATTACH)
  peer.socket.pause()
  const payload = Buffer.from(encodeRequest({ op: 'hello', producerId: 'x', features: [] }))
  let id = 0
  const asking = setInterval(() => {
    if (peer.socket.writableLength > mib) return
    const frames = Array.from({ length: 500 }, () => encodeFrame({ kind: Kind.DATA, stream, id: ++id, payload }))
    peer.write(Buffer.concat(frames))
  }, 1)
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(asking)
      await peer[Symbol.asyncDispose]()
    },
  }
}

/** Publishes under names of 64 KiB, and to ever new topics. */
async function inventsNames(url: string): Promise<AsyncDisposable> {
  const link = await Link.connect(url, { name: 'mallory' })
  const consumer = await link.consumer(brokerChannel)
  let isOn = true
  const inventing = (async () => {
    for (let i = 0; isOn; i++) {
      const long = `${i}`.padEnd(65_000, 'x')
      await consumer.post(batchOf({ topic: long, sender: 'mallory', entries: [{ value: i }] })).catch(() => {})
      await consumer.post(batchOf({ topic: 't', sender: long, entries: [{ value: i }] })).catch(() => {})
      const topic = `new.${i}.${'y'.repeat(200)}`
      await consumer.post(batchOf({ topic, sender: 'mallory', entries: [{ value: i }] })).catch(() => {})
      await turns(1)
    }
  })()
  return {
    async [Symbol.asyncDispose]() {
      isOn = false
      await inventing
      await link.close()
    },
  }
}

/** Publishes what the others do not read, to a topic with a history and to one without. */
async function floods(url: string): Promise<AsyncDisposable> {
  const client = await connect(url, { name: 'floods' })
  let isOn = true
  const flooding = (async () => {
    const payload = new Uint8Array(16 * 1024)
    for (let i = 0; isOn; i++) await client.publish(i % 2 ? 'flood.kept' : `flood.${i % 100}`, payload).catch(() => {})
  })()
  return {
    async [Symbol.asyncDispose]() {
      isOn = false
      await flooding
      await client.close()
    },
  }
}

describe('a broker that is attacked with everything at once', { timeout: 120_000 }, () => {
  // What the process takes from the system is more than what is held: V8 collects late, and malloc keeps what was freed.
  // So the one is judged by being flat, and the other, after a collection, by the budget.
  it('stays within its memory, and loses nothing of what honest clients say', async () => {
    const options = { maxMemoryBytes: budget, maxTopics: 10_000, topics: { 'flood.kept': { history: 1_000_000 } } }
    const flags = ['--max-old-space-size=256', '--expose-gc']
    const { child: broker, url } = await Child.start<{ url: string }>('broker', options, flags)
    await using _ = broker
    await using reader = await connect(url, { name: 'reader' })
    await using writer = await connect(url, { name: 'writer' })
    const honest = await reader.subscribe<number>('honest.work')
    const living = async () => (await broker.ask<{ living: number }>('living')).living
    const before = await living()
    const attacks = [neverReads, neverEnds, neverTakesAnswers, inventsNames, floods]
    const attackers = await Promise.all(attacks.map((attack) => attack(url)))
    let used = 0
    const half = async (): Promise<{ living: number; peak: number }> => {
      for (let round = 0; round < rounds; round++) {
        for (let i = 0; i < 100; i++) await writer.publish('honest.work', round * 100 + i)
        const got = await take(honest, 100)
        expect(got.map(({ data }) => data)).toEqual(Array.from({ length: 100 }, (_, i) => round * 100 + i))
        used = Math.max(used, (await broker.ask<Counts>('stats')).memory.used)
      }
      return { living: await living(), peak: (await broker.ask<Counts>('stats')).peak }
    }
    const first = await half()
    const second = await half()
    for (const attacker of attackers) await attacker[Symbol.asyncDispose]()
    console.log(
      `attacked: at most ${Math.round(used / mib)} MiB held for others of ${budget / mib}; ` +
        `living ${before} MiB before, ${first.living} and ${second.living}; resident ${first.peak} and ${second.peak}`,
    )
    expect(honest.dropped).toBe(0)
    expect(used).toBeLessThan(budget * 1.25)
    expect(Math.max(first.living, second.living) - before).toBeLessThan((budget / mib) * 1.5)
    expect(second.peak).toBeLessThan(first.peak * 1.25)
    expect(broker.complaints).toBe('')
  })
})
