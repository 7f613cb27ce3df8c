/** A request that waits for its answer keeps little alive: a client's sixteen `watch` kept 4 MiB, which nothing counted. */
import { it } from 'vitest'
import { Broker } from '../../../broker/index.ts'
import { brokerChannel } from '../../../broker/shared/broker-channel.ts'
import { tagged, WireKind } from '../../../broker/shared/gap.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { buffersAlive } from '../../socket/tools/buffers-alive.ts'
import { RawPeer } from '../../socket/tools/raw-peer.ts'
import { turns, until } from '../../socket/tools/until.ts'
import { encodeFrame, json } from '../../socket/wire/naive-frame.ts'

it('[BROKER 3] watch', async () => {
  await using broker = await Broker.listen()
  const watch = Buffer.from(tagged(WireKind.REQUEST, { op: 'watch' }))
  const peers: RawPeer[] = []
  try {
    const before = await buffersAlive()
    for (let i = 0; i < 5; i++) {
      const peer = await RawPeer.welcomed(broker.url)
      peers.push(peer)
      peer.send({
        kind: Kind.OPEN,
        stream: 1,
        payload: json({ role: 'consumer', channelId: brokerChannel, shared: true }),
      })
      const { stream } = await peer.next(Kind.ATTACH)
      const between = encodeFrame({ kind: 200, stream, payload: Buffer.alloc(62_000) })
      for (let id = 1; id <= 16; id++) {
        peer.write(
          Buffer.concat([
            encodeFrame({ kind: Kind.DATA, stream, id, payload: watch }),
            between,
            between,
            between,
            between,
          ]),
        )
        await turns(2)
      }
      // Behind all of them.
      peer.send({ kind: Kind.DATA, stream, id: 17, payload: Buffer.from('no request') })
      await until('they came', () => peer.frames.some((frame) => frame.kind === Kind.DATA && frame.id === 17))
    }
    await until('little is kept alive', async () => (await buffersAlive()) - before < 8 * 1024 * 1024)
  } finally {
    for (const { socket } of peers) socket.destroy()
  }
})
