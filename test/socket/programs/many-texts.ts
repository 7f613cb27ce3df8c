/** A Provider that does not read, and a peer that sends it metadata of a great many small texts. Exits with 0 if it lives. */
import { newId } from '../../../base/identifier.ts'
import { Server } from '../../../socket/index.ts'
import { Flag, Kind } from '../../../socket/wire/frame.ts'
import { RawPeer } from '../tools/raw-peer.ts'
import { until } from '../tools/until.ts'

const streams = 200
// All of them may wait.
const maxMemoryBytes = 64 * 1024 * 1024
const server = await Server.listen({ port: 0, maxMemoryBytes })
const link = server.link({ maxMemoryBytes })
const channelId = newId()
const provider = await link.provider(channelId)
const peer = await RawPeer.welcomed(server.url)
for (let number = 1; number <= streams; number++) peer.open(number, 'consumer', channelId)
const attached = () => peer.frames.filter(({ kind }) => kind === Kind.ATTACH)
await until('all streams are there', () => attached().length === streams)
const numbers = attached().map(({ stream }) => stream)
for (const stream of numbers) {
  const texts = Array.from({ length: 5_000 }, (_, at) => [`${stream.toString(36)}${at.toString(36)}`, ''])
  const value = Buffer.from(JSON.stringify(Object.fromEntries(texts)))
  const block = Buffer.alloc(5 + value.length)
  block.writeUInt16LE(3 + value.length, 0)
  block[2] = 1
  block.writeUInt16LE(value.length, 3)
  value.copy(block, 5)
  peer.send({ kind: Kind.DATA, flags: Flag.HEADER, stream, id: 0, payload: block })
}
await until('all of them wait', () => provider.pending === streams)
const first = await provider.receive()
if (Object.keys(first?.metadata ?? {}).length !== 5_000) process.exit(3)
process.exit(0)
