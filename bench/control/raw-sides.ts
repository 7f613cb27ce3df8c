/** The publishing, subscribing, requesting and answering sides of the control rows, on bare sockets. */
import { connect, type Socket } from 'node:net'
import type { Closable, Feed, Intake, PublishSide, RequestSide, Style, SubscribeSide } from '../contract.ts'
import { read32, sequenceAt } from '../payload.ts'
import { routeOf, subscribedTo, subscribing } from './record.ts'
import { RecordReader } from './record-reader.ts'
import { SlabWriter } from './slab-writer.ts'

const requestRoute = 1
const replyRoute = 2

export async function open(port: string): Promise<Socket> {
  const socket = connect({ port: Number(port), host: '127.0.0.1', noDelay: true })
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  return socket
}

/** Asks for routes; resolves when they will come. `take` gets everything else that the socket receives. */
export async function subscribeTo(
  socket: Socket,
  routes: readonly number[],
  take: (payload: Uint8Array, route: number) => void,
): Promise<void> {
  let missing = routes.length
  const confirmed = new Promise<void>((resolve) => {
    const reader = new RecordReader((payload, route) => {
      if (subscribedTo(route) === undefined) take(payload, route)
      else if (--missing === 0) resolve()
    })
    socket.on('data', (chunk: Buffer) => reader.read(chunk))
  })
  socket.write(Buffer.concat(routes.map(subscribing)))
  await confirmed
}

const closing = (socket: Socket): Closable => ({ close: async () => void socket.destroy() })

export async function publisher(port: string): Promise<PublishSide> {
  const socket = await open(port)
  const writer = new SlabWriter(socket)
  return {
    ...closing(socket),
    async publish(topics: readonly string[], feed: Feed) {
      const routes = topics.map(routeOf)
      let at = 0
      for (let payload = feed.next(); payload !== undefined; payload = feed.next()) {
        if (!writer.append(routes[at] as number, payload)) await writer.drained()
        if (++at === routes.length) at = 0
      }
      writer.flush()
      await writer.drained()
    },
    post(topic: string, payload: Uint8Array) {
      writer.append(routeOf(topic), payload)
      writer.flush()
    },
  }
}

export async function subscriber(port: string): Promise<SubscribeSide> {
  const socket = await open(port)
  return {
    ...closing(socket),
    async subscribe(patterns: readonly string[], _style: Style, intake: Intake) {
      await subscribeTo(socket, patterns.map(routeOf), (payload) => intake.take(payload))
    },
  }
}

/** Through a relay, or, with `subscribes` false, to a server that answers itself. */
export async function requester(port: string, subscribes = true): Promise<RequestSide> {
  const socket = await open(port)
  const writer = new SlabWriter(socket)
  const waiting = new Map<number, (reply: Uint8Array) => void>()
  const take = (payload: Uint8Array): void => {
    const id = read32(payload, sequenceAt)
    waiting.get(id)?.(payload)
    waiting.delete(id)
  }
  if (subscribes) {
    await subscribeTo(socket, [replyRoute], take)
  } else {
    const reader = new RecordReader(take)
    socket.on('data', (chunk: Buffer) => reader.read(chunk))
  }
  return {
    ...closing(socket),
    request(payload) {
      writer.append(requestRoute, payload)
      writer.flushSoon()
      return new Promise((resolve) => waiting.set(read32(payload, sequenceAt), resolve))
    },
  }
}

export async function responder(port: string): Promise<Closable> {
  const socket = await open(port)
  const writer = new SlabWriter(socket)
  await subscribeTo(socket, [requestRoute], (payload) => {
    writer.append(replyRoute, payload)
    writer.flushSoon()
  })
  return closing(socket)
}
