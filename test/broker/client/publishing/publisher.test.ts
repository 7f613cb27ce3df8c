/** The publisher: batches per turn and topic, the order kept over all topics, bounds while there is no credit. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PublishOptions } from '../../../../broker/client/options.ts'
import { Publisher } from '../../../../broker/client/publishing/publisher.ts'
import type { Receipt } from '../../../../broker/client/publishing/receipt.ts'
import { ReceivedBatch } from '../../../../broker/client/received-batch.ts'
import { BatchHeader } from '../../../../broker/shared/batch.ts'
import { maxFrameBytes } from '../../../../socket/wire/frame.ts'
import { ManualClock } from '../../../socket/tools/manual-clock.ts'
import { turns } from '../../../socket/tools/until.ts'
import { FakeConsumer } from '../../hub/delivery/fake-consumer.ts'

function made(credit = Number.POSITIVE_INFINITY, bounds: { maxBufferedBytes?: number; maxMessageBytes?: number } = {}) {
  const fake = new FakeConsumer(credit)
  const { maxBufferedBytes = 1_000_000, maxMessageBytes = 20_000_000 } = bounds
  const names = { producerId: 'me', sender: 'my name' }
  const clock = new ManualClock()
  const publisher = new Publisher({
    ...names,
    clock,
    maxBufferedBytes,
    maxMessageBytes,
    open: fake.open,
    refused: () => {},
  })
  const publish = (topic: string, data: unknown, options?: PublishOptions) => publisher.publish(topic, data, options)
  return { fake, publisher, publish, clock }
}

/** Every batch that was posted, with its messages. */
function batches(fake: FakeConsumer) {
  return fake.posted.flatMap((bytes) => {
    const found: { topic: string; messages: { id: string; data: unknown; sender: string }[] }[] = []
    for (let at = 0; at < bytes.length; ) {
      const header = new BatchHeader(bytes, at)
      const batch = new ReceivedBatch(header, header.topic, { batches: 0, release: () => {}, compact: () => bytes })
      const messages = Array.from({ length: header.count }, () => batch.next())
      found.push({ topic: header.topic, messages: messages.map(({ id, data, sender }) => ({ id, data, sender })) })
      at = header.end
    }
    return found
  })
}
const contents = (fake: FakeConsumer) =>
  batches(fake).map(({ topic, messages }) => [topic, ...messages.map(({ data }) => data)])

describe('a publisher', () => {
  it('packs what is published in one turn to one topic, one after the other, into one batch [BROKER 2.2]', async () => {
    const { fake, publish } = made()
    for (const [topic, data] of [
      ['a', 1],
      ['a', 2],
      ['b', 3],
      ['a', 4],
    ] as const) {
      await publish(topic, data)
    }
    await turns(2)
    expect(fake.posted).toHaveLength(1)
    expect(contents(fake)).toEqual([
      ['a', 1, 2],
      ['b', 3],
      ['a', 4],
    ])
  })

  it('sends at the end of the turn, also a lone message', async () => {
    const { fake, publish } = made()
    void publish('a', 1)
    expect(fake.posted).toHaveLength(0)
    await turns(2)
    void publish('a', 2)
    await turns(2)
    expect([fake.posted.length, contents(fake)]).toEqual([
      2,
      [
        ['a', 1],
        ['a', 2],
      ],
    ])
  })

  it('sends a parcel that is full without waiting for the end of the turn', () => {
    const { fake, publish } = made()
    for (let i = 0; i < 200; i++) void publish('a', new Uint8Array(1_000))
    expect(fake.posted.length).toBeGreaterThanOrEqual(2)
    for (const bytes of fake.posted) expect(bytes.length).toBeLessThanOrEqual(maxFrameBytes)
  })

  it('gives receipts whose ids are those of the messages [BROKER 2.8]', async () => {
    const { fake, publish } = made()
    const receipts = [await publish('a', 1), await publish('b', 2, { id: 'mine' }), await publish('a', 3)]
    await turns(2)
    const ids = batches(fake).flatMap(({ messages }) => messages.map(({ id }) => id))
    expect(receipts.map(({ id }) => id)).toEqual(ids)
    expect(ids).toEqual(['me:0', 'mine', 'me:2'])
    const { topic, duplicate, durability } = receipts[1] as Receipt
    expect([topic, duplicate, durability]).toEqual(['b', false, 'none'])
  })

  it('signs every batch with its name', async () => {
    const { fake, publish } = made()
    void publish('a', 1)
    await turns(2)
    expect(batches(fake)[0]?.messages[0]?.sender).toBe('my name')
  })

  it('copies the bytes that it is given', async () => {
    const { fake, publish } = made()
    const bytes = new Uint8Array([1, 2, 3])
    void publish('a', bytes)
    bytes.fill(9)
    await turns(2)
    expect(contents(fake)).toEqual([['a', new Uint8Array([1, 2, 3])]])
  })

  it('takes what the encoder shares between calls', async () => {
    const { fake, publish } = made()
    void publish('a', { first: 'value' }, { headers: { some: 'header' } })
    void publish('a', { second: 'value' })
    await turns(2)
    expect(contents(fake)).toEqual([['a', { first: 'value' }, { second: 'value' }]])
  })

  it.each([
    ['INVALID_TOPIC', 'a..b', 1],
    ['INVALID_TOPIC', 7 as unknown as string, 1],
    ['INVALID_DATA', 'a', () => 1],
    ['MESSAGE_TOO_LARGE', 'a', new Uint8Array(20_000_000)],
  ])('refuses with %s, and what was published before and after goes out', async (code, topic, data) => {
    const { fake, publish } = made()
    void publish('a', 1)
    await expect(publish(topic, data)).rejects.toMatchObject({ code })
    void publish('a', 2)
    await turns(2)
    expect(contents(fake).flatMap(([, ...values]) => values)).toEqual([1, 2])
  })

  it('takes the largest message that its limit allows, with the longest names', async () => {
    const fake = new FakeConsumer(Number.POSITIVE_INFINITY)
    const long = { producerId: '\u20ac'.repeat(100), sender: '\u20ac'.repeat(200) }
    const bounds = { maxBufferedBytes: 1_000_000, maxMessageBytes: 100_000 }
    const settings = { ...long, clock: new ManualClock(), ...bounds, open: fake.open, refused: () => {} }
    const publisher = new Publisher(settings)
    const topic = `a.${'x'.repeat(253)}`
    let size = 100_000
    for (; size > 0; size--) {
      const published = publisher.publish(topic, new Uint8Array(size), undefined).catch(() => undefined)
      fake.left()
      if (await published) break
    }
    await turns(2)
    expect(size).toBeGreaterThan(98_000)
    expect(fake.posted[0]?.length).toBeLessThanOrEqual(100_000)
  })
})

describe('a publisher without credit', () => {
  it('holds messages back until there is credit, in order [BROKER 3.3]', async () => {
    const { fake, publish, publisher } = made(0)
    void publish('a', 1)
    await turns(2)
    const waiting = [publish('a', 2), publish('b', 3)]
    await turns(2)
    expect([fake.posted.length, publisher.buffered > 0]).toEqual([0, true])
    fake.grant(1_000_000)
    await Promise.all(waiting)
    expect(contents(fake).flatMap(([, ...values]) => values)).toEqual([1, 2, 3])
    expect(publisher.buffered).toBe(0)
  })

  it('resolves a publish when it has been taken, and not before', async () => {
    const { fake, publish } = made(0)
    await publish('a', 1)
    await turns(2)
    let isTaken = false
    const taken = publish('a', 2).then(() => {
      isTaken = true
    })
    await turns(5)
    expect(isTaken).toBe(false)
    fake.grant(1_000_000)
    await taken
  })

  it('refuses with BUFFER_FULL beyond maxBufferedBytes, counts that, and goes on afterwards', async () => {
    const { fake, publish, publisher } = made(0, { maxBufferedBytes: 10_000 })
    void publish('a', new Uint8Array(9_000))
    await turns(2)
    const refused = publish('a', new Uint8Array(1_000))
    await expect(refused).rejects.toMatchObject({ code: 'BUFFER_FULL', retryable: true })
    expect(publisher.refused).toBe(1)
    fake.grant(1_000_000)
    await turns(2)
    await publish('a', 'after')
    await turns(2)
    expect(contents(fake).at(-1)).toEqual(['a', 'after'])
  })

  it('takes one message that is larger than maxBufferedBytes', async () => {
    const { fake, publish } = made(0, { maxBufferedBytes: 1_000 })
    const only = publish('a', new Uint8Array(5_000))
    await turns(2)
    fake.grant(1_000_000)
    await only
    await turns(2)
    expect(fake.posted).toHaveLength(1)
  })

  it('stops waiting when asked to: TIMEOUT, or ABORTED with the reason; the message goes all the same', async () => {
    const { fake, publish, clock } = made(0)
    void publish('a', 0)
    await turns(2)
    const timed = publish('a', 1, { timeoutMs: 50 })
    const stop = new AbortController()
    const aborted = publish('a', 2, { signal: stop.signal })
    const outcomes = Promise.allSettled([timed, aborted])
    clock.advance(51)
    stop.abort('enough')
    expect(await outcomes).toMatchObject([
      { reason: { code: 'TIMEOUT' } },
      { reason: { code: 'ABORTED', cause: 'enough' } },
    ])
    fake.grant(1_000_000)
    await turns(2)
    expect(contents(fake).flatMap(([, ...values]) => values)).toEqual([0, 1, 2])
  })

  it('has sent everything when it says so', async () => {
    const { fake, publish, publisher } = made(0)
    void publish('a', 1)
    const sent = publisher.sent()
    await turns(2)
    fake.grant(1_000_000)
    await sent
    expect(contents(fake)).toEqual([['a', 1]])
  })
})

describe('a closed publisher', () => {
  it('rejects what waits and what comes, also where nobody looks', async () => {
    const { publish, publisher } = made(0)
    void publish('a', 1)
    await turns(2)
    const waiting = publish('a', 2)
    publisher.close(new Error('over'))
    void publish('a', 3)
    await expect(waiting).rejects.toThrow('over')
    await expect(publish('a', 4)).rejects.toThrow('over')
    await expect(publisher.sent()).rejects.toThrow('over')
  })

  it('closes when its consumer does', async () => {
    const { publish, fake } = made(0)
    void publish('a', 1)
    await turns(2)
    fake.close()
    await turns(2)
    await expect(publish('a', 2)).rejects.toMatchObject({ code: 'CLOSED' })
  })
})

describe('whatever is published, with credit coming and going', () => {
  const topic = fc.constantFrom('a', 'b', 'c/d')
  const step = fc.oneof(
    fc.record({ do: fc.constant('publish' as const), topic, size: fc.integer({ min: 0, max: 40_000 }) }),
    fc.record({ do: fc.constant('grant' as const), bytes: fc.integer({ min: 1, max: 100_000 }) }),
    fc.record({ do: fc.constant('turn' as const) }),
  )

  it('goes out once, whole and in the order of publishing, over all topics', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { fake, publish, publisher } = made(0, { maxBufferedBytes: 100_000_000 })
        const expected: string[] = []
        for (const each of steps) {
          if (each.do === 'grant') fake.grant(each.bytes)
          if (each.do === 'turn') await turns(1)
          if (each.do !== 'publish') continue
          void publish(each.topic, new Uint8Array(each.size))
          expected.push(`${each.topic} me:${expected.length} ${each.size}`)
        }
        fake.grant(100_000_000)
        await publisher.sent()
        const found = batches(fake).flatMap(({ topic, messages }) =>
          messages.map(({ id, data }) => `${topic} ${id} ${(data as Uint8Array).length}`),
        )
        expect(found).toEqual(expected)
      }),
      { numRuns: 60 },
    )
  })
})
