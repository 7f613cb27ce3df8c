/**
 * A publish that is held up keeps its credit and nothing else: each kept alive the large buffer that it was received in,
 * which its client had filled with what nobody keeps, for as long as the subscription did not read.
 */
import { expect, it } from 'vitest'
import { Broker } from '../../../broker/index.ts'
import { brokerChannel } from '../../../broker/shared/broker-channel.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { buffersAlive } from '../../socket/tools/buffers-alive.ts'
import { RawPeer } from '../../socket/tools/raw-peer.ts'
import { until } from '../../socket/tools/until.ts'
import { encodeFrame, json } from '../../socket/wire/naive-frame.ts'
import { batchOf } from '../shared/batches.ts'
import { RawClient } from '../tools/raw-client.ts'

it('publishes of little that are held up keep little alive', async () => {
  await using broker = await Broker.listen()
  await using reader = await RawClient.connect(broker.url)
  await reader.subscribe('jobs')
  // Its window is full, and it does not read.
  for (let i = 0; i < 3; i++) await reader.publish('jobs', { entries: [{ value: 'x'.repeat(30_000) }] })
  await using peer = await RawPeer.welcomed(broker.url)
  peer.send({ kind: Kind.OPEN, stream: 1, payload: json({ role: 'consumer', channelId: brokerChannel, shared: true }) })
  const { stream } = await peer.next(Kind.ATTACH)
  await until('the first came', () => broker.stats().published === 3)
  const before = await buffersAlive()
  const count = 250
  const publish = encodeFrame({
    kind: Kind.DATA,
    stream,
    payload: Buffer.from(batchOf({ sender: 'raw', topic: 'jobs', entries: [{ value: 'a' }] })),
  })
  // Of a kind that an end of a stream ignores, and that costs no credit.
  const between = encodeFrame({ kind: 200, stream, payload: Buffer.alloc(62_000) })
  for (let sent = 1; sent <= count; sent++) {
    peer.write(Buffer.concat([publish, between, between, between, between]))
    if (sent % 20 === 0) await until('they came', () => broker.stats().published === 3 + sent)
  }
  await until('all came', () => broker.stats().published === 3 + count)
  expect(broker.stats().paced).toBeGreaterThan(100)
  expect((await buffersAlive()) - before).toBeLessThan(8 * 1024 * 1024)
})
