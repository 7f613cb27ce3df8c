/** Another client, written from broker/PROTOCOL.md alone: offsets, flags and fields are spelled out here once more. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decode, encode } from '@msgpack/msgpack'
import { describe, expect, it } from 'vitest'
import { newId } from '../../base/identifier.ts'
import { Broker } from '../../broker/broker.ts'
import { brokerErrors } from '../../broker/shared/errors.ts'
import { Link } from '../../socket/client/link.ts'
import { failure, take } from './tools/reading.ts'

const brokerChannel = '5167a1b0-0000-4000-8000-000000000001'
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()

interface SpokenRecord {
  readonly flags: number
  readonly attributes?: object
  readonly payload: Uint8Array
}

/** [BROKER 2.1] [BROKER 2.4] */
function batch(topic: string, sender: string, producerSeq: number, records: readonly SpokenRecord[]): Uint8Array {
  const names = [topic, 'foreign', sender].map((name) => Buffer.from(name)) as [Buffer, Buffer, Buffer]
  const parts = records.flatMap(({ flags, attributes, payload }) => {
    const head = Buffer.alloc(5)
    head.writeUInt32LE(payload.length, 0)
    head.writeUInt8(flags, 4)
    if (attributes === undefined) return [head, payload]
    const extra = encode(attributes)
    const length = Buffer.alloc(4)
    length.writeUInt32LE(extra.length)
    return [head, length, extra, payload]
  })
  const body = Buffer.concat([...names, ...parts])
  const header = Buffer.alloc(56)
  header.writeUInt8(1, 0)
  header.writeUInt16LE(names[0].length, 2)
  header.writeUInt16LE(names[1].length, 4)
  header.writeUInt16LE(names[2].length, 6)
  header.writeUInt32LE(56 + body.length, 8)
  header.writeUInt32LE(records.length, 12)
  header.writeBigUInt64LE(BigInt(producerSeq), 48)
  return Buffer.concat([header, body])
}

function readBatch(bytes: Uint8Array) {
  const buffer = Buffer.from(bytes)
  const [topicBytes, producerBytes, senderBytes] = [2, 4, 6].map((at) => buffer.readUInt16LE(at)) as [
    number,
    number,
    number,
  ]
  const number = (at: number) => Number(buffer.readBigUInt64LE(at))
  const [producerAt, senderAt] = [56 + topicBytes, 56 + topicBytes + producerBytes]
  let at = senderAt + senderBytes
  const payloads: Uint8Array[] = []
  for (let i = 0; i < buffer.readUInt32LE(12); i++) {
    const length = buffer.readUInt32LE(at)
    const start = at + 5 + (buffer.readUInt8(at + 4) & 1 ? 4 + buffer.readUInt32LE(at + 5) : 0)
    payloads.push(bytes.subarray(start, start + length))
    at = start + length
  }
  return {
    ...{ kind: bytes[0], size: buffer.readUInt32LE(8), epoch: buffer.readUInt32LE(16), payloads },
    ...{ seq: number(24), position: number(32), time: number(40), producerSeq: number(48) },
    topic: text(bytes.subarray(56, producerAt)),
    producer: text(bytes.subarray(producerAt, senderAt)),
    sender: text(bytes.subarray(senderAt, senderAt + senderBytes)),
  }
}

const subscribe = {
  ...{ op: 'subscribe', noEcho: false, limitMessages: 100, limitBytes: 1_000_000, from: 'new', resume: null },
}

async function foreigner(url: string) {
  const link = await Link.connect(url, { name: 'stranger' })
  const consumer = await link.consumer(brokerChannel)
  const ask = async <T = never>(request: object): Promise<T> =>
    decode(await consumer.send(Buffer.concat([Buffer.from([2]), encode(request)]), { ordered: true })) as T
  const provide = () => link.provider(newId())
  return { link, consumer, ask, provide, [Symbol.asyncDispose]: () => link.close() }
}

describe('a client written from the protocol', () => {
  it('says hello, publishes, and is understood [BROKER 1.1] [BROKER 2.1] [BROKER 3.5]', async () => {
    await using broker = await Broker.listen()
    const subscription = await broker.subscribe('a.*')
    await using stranger = await foreigner(broker.url)
    const hello = await stranger.ask<{ epoch: number }>({ op: 'hello' })
    expect(hello).toMatchObject({ sender: 'stranger', maxMessageBytes: 16 * 1024 * 1024, features: [] })
    const { epoch } = hello
    const attributes = { id: 'i', headers: { h: 'v' }, correlationId: 'c', replyTo: 'r', unknown: 5 }
    const parcel = Buffer.concat([
      batch('a.b', 'stranger', 7, [
        { flags: 0, payload: encode({ n: 1 }) },
        { flags: 3, attributes, payload: new Uint8Array([1, 2]) },
      ]),
      batch('a.c', 'stranger', 9, [{ flags: 2, payload: new Uint8Array(0) }]),
    ])
    await stranger.consumer.post(parcel)
    expect(await stranger.ask({ op: 'flush' })).toEqual({ taken: 3, refused: 0 })
    const [one, two, three] = await take(subscription, 3)
    expect(one).toMatchObject({ topic: 'a.b', seq: 1, id: 'foreign:7', sender: 'stranger', data: { n: 1 }, epoch })
    expect(two).toMatchObject({ id: 'i', headers: { h: 'v' }, correlationId: 'c', replyTo: 'r' })
    expect([two?.data, two?.seq, two?.position]).toEqual([new Uint8Array([1, 2]), 2, 2])
    expect([three?.topic, three?.seq, three?.position, three?.id]).toEqual(['a.c', 1, 3, 'foreign:9'])
  })

  it('subscribes, and understands what comes: batches, gaps and the end [BROKER 3.7] [BROKER 4.2] [BROKER 4.6]', async () => {
    await using broker = await Broker.listen({ topics: { h: { history: 2 } } })
    for (const value of ['one', 'two', 'three']) await broker.publish('h', value)
    await broker.flush()
    await using stranger = await foreigner(broker.url)
    const provider = await stranger.provide()
    const { epoch } = await stranger.ask({ op: 'hello' })
    const wanted = { ...subscribe, channel: provider.channelId, pattern: 'h', from: { seq: 1 } }
    expect(await stranger.ask(wanted)).toEqual({
      ...{ epoch, position: 1, recovered: true },
      gaps: [['h', 1, 1, epoch]],
      seen: [['h', 1, epoch]],
      ...{ limitMessages: 100, limitBytes: 1_000_000 },
    })
    await broker.publish('h', 'four')
    const found: string[] = []
    for (let next = 2; next <= 4; ) {
      const request = await provider.receive()
      const { kind, size, topic, seq, position, sender, payloads, ...rest } = readBatch(request?.payload as Uint8Array)
      expect([kind, topic, seq, position, sender, rest.epoch]).toEqual([1, 'h', next, next, 'broker', epoch])
      expect([size, request?.isOneWay]).toEqual([request?.payload.length, true])
      found.push(...payloads.map((payload) => decode(payload) as string))
      next += payloads.length
    }
    expect(found).toEqual(['two', 'three', 'four'])
    expect(await stranger.ask({ op: 'unsubscribe', channel: provider.channelId, drain: true })).toBe(true)
    expect(broker.stats().subscriptions).toBe(0)
  })

  it('is told of gaps before what is later, when it takes too little [BROKER 4.3] [BROKER 4.4]', async () => {
    await using broker = await Broker.listen()
    await using stranger = await foreigner(broker.url)
    const provider = await stranger.provide()
    await stranger.ask({ ...subscribe, channel: provider.channelId, pattern: 't', limitMessages: 3 })
    for (let i = 1; i <= 200; i++) {
      await broker.publish('t', new Uint8Array(1_000))
      await broker.flush()
    }
    let next = 1
    while (next <= 200) {
      const { payload = new Uint8Array(0) } = (await provider.receive()) ?? {}
      if (payload[0] === 3) {
        const [[topic, first, last, epoch]] = decode(payload.subarray(1)) as [[string, number, number, number]]
        expect([topic, first, last, epoch > 0]).toEqual(['t', next, 197, true])
        next = last + 1
      } else {
        const { seq, payloads } = readBatch(payload)
        expect(seq).toBe(next)
        next += payloads.length
      }
    }
  })

  it('resumes where it was [BROKER 4.7] [BROKER 4.8]', async () => {
    await using broker = await Broker.listen({ topics: { h: { history: 100 } } })
    await using stranger = await foreigner(broker.url)
    const { epoch } = await stranger.ask<{ epoch: number }>({ op: 'hello' })
    for (const topic of ['h', 't', 'h', 't', 't']) await broker.publish(topic, topic)
    await broker.flush()
    const provider = await stranger.provide()
    const seen = [
      ['h', 1, epoch],
      ['t', 1, epoch],
    ]
    const wanted = { ...subscribe, channel: provider.channelId, pattern: '*', resume: { epoch, position: 2, seen } }
    expect(await stranger.ask(wanted)).toMatchObject({
      ...{ epoch, position: 2, recovered: false },
      gaps: [['t', 2, 3, epoch]],
      seen: [
        ['t', 3, epoch],
        ['h', 1, epoch],
      ],
      ...{ limitMessages: 100, limitBytes: 1_000_000 },
    })
    expect(readBatch((await provider.receive())?.payload as Uint8Array)).toMatchObject({
      topic: 'h',
      seq: 2,
      position: 3,
    })
    const other = await stranger.provide()
    const strange = { epoch: (epoch % 0xffff_ffff) + 1, position: 2, seen }
    expect(await stranger.ask({ ...wanted, channel: other.channelId, resume: strange })).toMatchObject({
      ...{ recovered: false, position: 0 },
      gaps: [['t', 1, 3, epoch]],
    })
  })

  it('is refused as the protocol says [BROKER 3.4] [BROKER 5.1]', async () => {
    await using broker = await Broker.listen({ maxSubscriptions: 1, maxTopics: 1 })
    await using stranger = await foreigner(broker.url)
    const provider = await stranger.provide()
    const wanted = { ...subscribe, channel: provider.channelId, pattern: 'a' }
    const codes = async (...calls: (() => Promise<unknown>)[]) =>
      Promise.all(calls.map(async (call) => (await failure(call())).code))
    await stranger.ask({ ...wanted, channel: (await stranger.provide()).channelId })
    await stranger.consumer.send(batch('a', 'stranger', 0, [{ flags: 0, payload: encode(1) }]))
    expect(
      await codes(
        () => stranger.ask({ op: 'sing' }),
        () => stranger.ask({ ...wanted, pattern: 'a.**.b' }),
        () => stranger.consumer.send(new Uint8Array([2, 0xc1])),
        () => stranger.consumer.send(new Uint8Array([4])),
        () => stranger.consumer.send(batch('b', 'stranger', 0, [{ flags: 0, payload: encode(1) }])),
        () => stranger.consumer.send(batch('a', 'other', 0, [{ flags: 0, payload: encode(1) }])),
      ),
    ).toEqual([
      'INVALID_REQUEST',
      'INVALID_PATTERN',
      'INVALID_DATA',
      'INVALID_REQUEST',
      'TOO_MANY_TOPICS',
      'INVALID_BATCH',
    ])
    const second = { ...wanted, channel: (await stranger.provide()).channelId }
    expect(await codes(() => stranger.ask(second))).toEqual(['TOO_MANY_SUBSCRIPTIONS'])
  })
})

describe('the protocol', () => {
  const page = readFileSync(join(import.meta.dirname, '../../broker/PROTOCOL.md'), 'utf8')

  it('names every code of the broker with its number', () => {
    for (const [code, { number, retryable }] of Object.entries(brokerErrors)) {
      expect(page).toMatch(new RegExp(`\\| ${number} \\| \`${code}\`.*\\| ${retryable ? 'yes' : 'no'} \\|`))
    }
  })

  it('has every clause that a test or a source cites', () => {
    const clauses = new Set([...page.matchAll(/^(\d+\.\d+) /gm)].map(([, clause]) => clause))
    expect(clauses.size).toBeGreaterThan(30)
    const cited = citations(['broker', 'test/broker'])
    expect(cited.filter(([, clause]) => !clauses.has(clause) && !/^[1-5]$/.test(clause))).toEqual([])
  })
})

/** Every `[BROKER n.m]` in the TypeScript files of some folders. */
function citations(folders: readonly string[]): [file: string, clause: string][] {
  const root = join(import.meta.dirname, '../..')
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) =>
        [...readFileSync(join(root, folder, file), 'utf8').matchAll(/\[BROKER (\d+(?:\.\d+)?)\]/g)].map(
          ([, clause]): [string, string] => [file, clause as string],
        ),
      ),
  )
}
