/**
 * Socket.IO: a hub that passes what it gets on to a room. It has no flow control of its own, so every so many messages
 * the publisher asks for an acknowledgement, and has two such runs under way.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Adapter, Closable, Feed, Intake, PublishSide, RequestSide, Style, SubscribeSide } from '../contract.ts'
import { loadPeer } from '../peers/load.ts'

const maxRun = 250
const runBytes = 512 * 1024
const maxMessageBytes = 16 * 1024 * 1024
const responderRoom = 'responder'

type Reply = (...values: unknown[]) => void
type Listener = (...values: never[]) => void

interface Socket {
  emit(event: string, ...values: unknown[]): unknown
  emitWithAck(event: string, ...values: unknown[]): Promise<Uint8Array>
  on(event: string, listener: Listener): this
}

interface ServerSocket extends Socket {
  join(rooms: readonly string[]): Promise<void> | void
}

interface Hub {
  on(event: 'connection', listener: (socket: ServerSocket) => void): void
  to(room: string): { emit(event: string, ...values: unknown[]): void }
}

interface ServerPackage {
  readonly Server: new (server: object, options: object) => Hub
}

interface ClientSocket extends Socket {
  disconnect(): void
}

interface ClientPackage {
  io(url: string, options: object): ClientSocket
}

async function start(): Promise<string> {
  const { Server } = await loadPeer<ServerPackage>('socket.io')
  const http = createServer()
  const hub = new Server(http, { transports: ['websocket'], maxHttpBufferSize: maxMessageBytes, serveClient: false })
  let responder: ServerSocket | undefined
  hub.on('connection', (socket) => {
    socket.on('publish', (topic: string, payload: Buffer, reply?: Reply) => {
      hub.to(topic).emit('message', payload)
      reply?.()
    })
    socket.on('subscribe', async (topics: string[], reply: Reply) => {
      await socket.join(topics)
      if (topics.includes(responderRoom)) responder = socket
      reply()
    })
    socket.on('request', (payload: Buffer, reply: Reply) => responder?.emit('request', payload, reply))
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`
}

async function client(url: string): Promise<ClientSocket> {
  const { io } = await loadPeer<ClientPackage>('socket.io-client')
  const socket = io(url, { transports: ['websocket'], forceNew: true, reconnection: false })
  await new Promise<void>((resolve, reject) => {
    socket.on('connect', () => resolve())
    socket.on('connect_error', (error: Error) => reject(error))
  })
  return socket
}

async function publisher(url: string): Promise<PublishSide> {
  const socket = await client(url)
  return {
    async publish(topics: readonly string[], feed: Feed) {
      const run = Math.max(1, Math.min(maxRun, feed.holds >> 1, Math.floor(runBytes / feed.size)))
      let [at, inRun] = [0, 0]
      let taken: Promise<unknown> = Promise.resolve()
      for (let payload = feed.next(); payload !== undefined; payload = feed.next()) {
        const topic = topics[at] as string
        if (++at === topics.length) at = 0
        if (++inRun < run) {
          socket.emit('publish', topic, payload)
          continue
        }
        inRun = 0
        const next = socket.emitWithAck('publish', topic, payload)
        await taken
        taken = next
      }
      await taken
    },
    post(topic: string, payload: Uint8Array) {
      socket.emit('publish', topic, payload)
    },
    close: async () => void socket.disconnect(),
  }
}

async function subscriber(url: string): Promise<SubscribeSide> {
  const socket = await client(url)
  return {
    async subscribe(patterns: readonly string[], _style: Style, intake: Intake) {
      socket.on('message', (payload: Buffer) => intake.take(payload))
      await socket.emitWithAck('subscribe', patterns)
    },
    close: async () => void socket.disconnect(),
  }
}

async function requester(url: string): Promise<RequestSide> {
  const socket = await client(url)
  return {
    request: (payload) => socket.emitWithAck('request', payload),
    close: async () => void socket.disconnect(),
  }
}

async function responder(url: string): Promise<Closable> {
  const socket = await client(url)
  socket.on('request', (payload: Buffer, reply: Reply) => reply(payload))
  await socket.emitWithAck('subscribe', [responderRoom])
  return { close: async () => void socket.disconnect() }
}

export const socketio: Adapter = {
  name: 'socketio',
  packages: ['socket.io', 'socket.io-client'],
  hasPatterns: false,
  hasRoutes: true,
  styles: ['callback'],
  server: { kind: 'node', start },
  publisher,
  subscriber,
  requester,
  responder,
}
