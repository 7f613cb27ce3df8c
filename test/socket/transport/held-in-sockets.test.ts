/**
 * What waits in a socket whose peer does not read takes about as much memory as its bytes: 200 links that did not read,
 * and were sent a frame of 16 bytes in each turn, ended a server with a heap of 256 MiB by what Node keeps of each write.
 */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { expect, it } from 'vitest'
import { systemClock } from '../../../base/clock.ts'
import { highWaterBytes, SocketPort } from '../../../socket/transport/node/socket-port.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { Recording } from '../tools/recording.ts'
import { turns, until } from '../tools/until.ts'
import { decodeFrames, encodeFrame, type NaiveFrame } from '../wire/naive-frame.ts'

const plain = { kind: Kind.DATA, flags: 0, stream: 1 }

/** A port whose peer has not read for so long that its socket holds something. */
class Stuck implements AsyncDisposable {
  readonly port: SocketPort
  /** What the socket was given and has not taken. */
  readonly pieces: Uint8Array[] = []
  readonly frames: NaiveFrame[] = []
  readonly #peer: Socket
  #rest: Buffer = Buffer.alloc(0)

  constructor(socket: Socket, peer: Socket) {
    this.#peer = peer
    this.port = new SocketPort(socket, 'tcp', systemClock)
    const write = socket.write.bind(socket)
    socket.write = (piece: Uint8Array, ...more: never[]) => {
      this.pieces.push(piece)
      return write(piece, ...more)
    }
    this.port.attach(new Recording())
  }

  static async begin(): Promise<Stuck> {
    const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const dialling = { port, host: '127.0.0.1', highWaterMark: highWaterBytes }
    const socket = connect(dialling)
    const [[peer]] = await Promise.all([once(server, 'connection'), once(socket, 'connect')])
    server.close()
    const stuck = new Stuck(socket, peer)
    const filling = encodeFrame({ ...plain, id: 0, payload: Buffer.alloc(60_000) })
    for (; socket.writableLength === 0; await turns(1)) stuck.port.relay(filling, 0, filling.length)
    stuck.pieces.length = 0
    return stuck
  }

  /** What has come when the peer has read it all. */
  async read(count: number): Promise<readonly NaiveFrame[]> {
    this.#peer.on('data', (chunk: Buffer) => {
      const { frames, rest } = decodeFrames(Buffer.concat([this.#rest, chunk]))
      this.frames.push(...frames.filter(({ id }) => id > 0))
      this.#rest = rest
    })
    this.#peer.resume()
    await until('all has come', () => this.frames.length === count)
    return this.frames
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.port.destroy()
    this.#peer.destroy()
  }
}

it('small frames of many turns wait in one piece', async () => {
  await using stuck = await Stuck.begin()
  const count = 500
  for (let id = 1; id <= count; id++, await turns(1)) stuck.port.send(Kind.DATA, 0, 1, id, Buffer.alloc(10, id), 0, 10)
  expect(stuck.pieces.length).toBeLessThan(5)
  const frames = await stuck.read(count)
  expect(frames.map(({ id }) => id)).toEqual(Array.from({ length: count }, (_, index) => index + 1))
  expect(frames.every(({ id, payload }) => payload.equals(Buffer.alloc(10, id)))).toBe(true)
  expect(stuck.port.buffered).toBe(0)
})

it('frames that came in large buffers keep few of them alive, congested or not', async () => {
  await using stuck = await Stuck.begin()
  const count = 100
  for (let id = 1; id <= count; id++, await turns(1)) {
    const frame = encodeFrame({ ...plain, id, payload: Buffer.alloc(9_000, id) })
    stuck.port.relay(Buffer.concat([frame, Buffer.alloc(highWaterBytes - frame.length)]), 0, frame.length)
  }
  const buffers = new Set(stuck.pieces.map(({ buffer }) => buffer))
  let kept = 0
  for (const { byteLength } of buffers) kept += byteLength
  expect(kept).toBeLessThan(6 * highWaterBytes)
  const frames = await stuck.read(count)
  expect(frames.every(({ id, payload }) => payload.equals(Buffer.alloc(9_000, id)))).toBe(true)
  expect(frames.length).toBe(count)
})
