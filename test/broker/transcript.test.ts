/** Version 1 as it was frozen: the present code reads those messages and writes them, or old peers are left alone. */
import { join } from 'node:path'
import { Broker, connect, type Message } from 'signalbox'
import { type Consumer, Link, Provider, Server } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { type Clock, systemClock } from '../../base/clock.ts'
import { BatchHeader, batchKind } from '../../broker/shared/batch.ts'
import { brokerChannel } from '../../broker/shared/broker-channel.ts'
import { decodeValue } from '../../broker/shared/codec.ts'
import { readTranscript } from '../socket/tools/transcript.ts'
import { until } from '../socket/tools/until.ts'
import { take } from './tools/reading.ts'

type Name = 'HELLO' | 'SUBSCRIBE' | 'UNSUBSCRIBE' | 'WATCH' | 'FLUSH' | 'PARCEL' | 'GAPS'
type Place = 'control' | 'publish' | 'first' | 'second' | 'third'

const lines = readTranscript<Place, Name>(join(import.meta.dirname, 'transcript-1.txt'))

function frozen(who: Place, isSaid: boolean, name: Name, at = 0): Buffer {
  const found = lines.filter((line) => line.who === who && line.isSaid === isSaid && line.name === name)[at]
  if (found === undefined) throw new Error(`the transcript has no ${name} of ${who}`)
  return found.bytes
}

/** Where the three subscriptions provide, as their requests say. */
const channels = lines
  .filter(({ name, isSaid }) => name === 'SUBSCRIBE' && isSaid)
  .map(({ bytes }) => (decodeValue(bytes.subarray(1)) as { channel: string }).channel)

/** As hex. Of a refusal all but its text, which is for people. */
function comparable(name: Name, bytes: Uint8Array): unknown {
  if (name !== 'WATCH') return Buffer.from(bytes).toString('hex')
  return (decodeValue(bytes) as { message: string }[]).map(({ message: _message, ...rest }) => rest)
}

/** Time and chance as they were then. */
const clock: Clock = {
  ...systemClock,
  now: () => 1_700_000_000_000,
  random: () => 0.5,
  entropy: (count) => new Uint8Array(count).fill(7),
}

describe('the transcript of version 1', () => {
  it('has every request, parcels and notices', () => {
    const names = ['HELLO', 'SUBSCRIBE', 'UNSUBSCRIBE', 'WATCH', 'FLUSH', 'PARCEL', 'GAPS']
    expect(new Set(lines.map(({ name }) => name))).toEqual(new Set(names))
  })

  it('is what a broker reads and writes', async () => {
    await using server = await Server.listen({ graceMs: 50 })
    await using _broker = await Broker.attach(server.url, { clock })
    await using link = await Link.connect(server.url, { name: 'client' })
    const streams: Partial<Record<Place, Consumer>> = {
      control: await link.consumer(brokerChannel),
      publish: await link.consumer(brokerChannel),
    }
    const [first, second, third] = await Promise.all(channels.map((channel) => link.provider(channel)))
    const subscriptions: Partial<Record<Place, Provider | undefined>> = { first, second, third }
    const answers = new Map<Name, Promise<Uint8Array>>()
    for (const { who, isSaid, name, bytes } of lines) {
      const [stream, subscription] = [streams[who], subscriptions[who]]
      if (stream && isSaid && name === 'PARCEL') await stream.post(bytes)
      else if (stream && isSaid) answers.set(name, stream.send(bytes, { ordered: true }))
      else {
        const heard = stream ? await answers.get(name) : (await subscription?.receive())?.payload
        expect([who, name, comparable(name, heard as Uint8Array)]).toEqual([who, name, comparable(name, bytes)])
      }
    }
  })

  it('is what a client reads and writes', async () => {
    await using server = await Server.listen({ graceMs: 50 })
    await using broker = await Provider.connect(server.url, brokerChannel)
    const said: [Name, Buffer][] = []
    const never = new Promise<Uint8Array>(() => {})
    broker.serve((request) => {
      const bytes = Buffer.from(request.payload)
      const isParcel = bytes[0] === batchKind
      const name = isParcel ? 'PARCEL' : ((decodeValue(bytes.subarray(1)) as { op: string }).op.toUpperCase() as Name)
      const isAgain = said.some(([known]) => known === name)
      said.push([name, bytes])
      if (isParcel) return undefined
      return name === 'WATCH' && isAgain ? never : frozen(name === 'FLUSH' ? 'publish' : 'control', false, name)
    })
    const next = async (name: Name): Promise<string> => {
      const found = await until(`the client says ${name}`, () => said.find(([known]) => known === name))
      return found[1].toString('hex')
    }

    await using client = await connect(server.url, { name: 'client', producerId: 'producer', clock })
    const refused = (async () => {
      for await (const event of client.status()) if (event.type === 'refused') return event
      return undefined
    })()
    expect(await next('HELLO')).toEqual(frozen('control', true, 'HELLO').toString('hex'))
    const subscription = await client.subscribe('a.*')
    expect(await next('SUBSCRIBE')).toEqual(frozen('control', true, 'SUBSCRIBE').toString('hex'))

    const publishing = [
      client.publish('a.b', { n: 1 }),
      client.publish('a.b', new Uint8Array([1, 2, 3]), { id: 'one', headers: { h: 'v' } }),
      client.publish('a.c', null, { correlationId: 'c', replyTo: '_INBOX.r' }),
    ]
    await Promise.all(publishing)
    expect(await next('PARCEL')).toEqual(frozen('publish', true, 'PARCEL').toString('hex'))
    await using link = await Link.connect(server.url)
    const to = await link.consumer(channels[0] as string)
    await to.post(frozen('first', false, 'PARCEL'))
    const plain = ({ topic, seq, data, id, headers, correlationId, replyTo, sender }: Message) => {
      return [topic, seq, data, id, headers, correlationId, replyTo, sender]
    }
    expect((await take(subscription, 3)).map(plain)).toEqual([
      ['a.b', 1, { n: 1 }, 'producer:0', {}, undefined, undefined, 'client'],
      ['a.b', 2, new Uint8Array([1, 2, 3]), 'one', { h: 'v' }, undefined, undefined, 'client'],
      ['a.c', 1, null, 'producer:2', {}, 'c', '_INBOX.r', 'client'],
    ])
    const { epoch } = new BatchHeader(frozen('first', false, 'PARCEL'))
    expect(epoch).toBe(0x8000_0000)

    await client.flush()
    expect(await next('FLUSH')).toEqual(frozen('publish', true, 'FLUSH').toString('hex'))
    expect(await next('WATCH')).toEqual(frozen('control', true, 'WATCH').toString('hex'))
    await to.post(frozen('second', false, 'GAPS'))
    await to.post(frozen('first', false, 'PARCEL', 2))
    expect((await take(subscription, 1)).map(({ seq, data }) => [seq, data])).toEqual([[4, 7]])
    expect(subscription.lastGap).toMatchObject({ topic: 'a.b', first: 3, last: 3 })
    expect(await refused).toMatchObject({ topic: 'a.b', code: 'INVALID_BATCH', count: 1 })
    // It would wait for the step that was taken last, which is still being worked on.
    const draining = subscription.drain().catch(() => {})
    expect(await next('UNSUBSCRIBE')).toEqual(frozen('control', true, 'UNSUBSCRIBE').toString('hex'))
    await client.close()
    await draining
  })
})
