/** The control row that nobody reaches: chunks passed on as they come, looked into by nobody, counted by the byte. */
import type { Socket } from 'node:net'
import type { Adapter, Intake, Style, SubscribeSide } from '../contract.ts'
import { Gate } from './gate.ts'
import { listen } from './raw-server.ts'
import { open, publisher } from './raw-sides.ts'
import { headerBytes, payloadBytesAt, routeAt, subscribedTo, subscribing } from './record.ts'

async function start(): Promise<string> {
  const subscribers: Socket[] = []
  return await listen((socket) => {
    const gate = new Gate(socket)
    socket.once('data', (first: Buffer) => {
      const route = subscribedTo(routeAt(first, 0))
      if (route === undefined) {
        gate.forward(subscribers, first)
        socket.on('data', (chunk: Buffer) => gate.forward(subscribers, chunk))
      } else {
        subscribers.push(socket)
        socket.write(subscribing(route))
      }
    })
  })
}

async function subscriber(port: string): Promise<SubscribeSide> {
  const socket = await open(port)
  return {
    async subscribe(_patterns: readonly string[], _style: Style, intake: Intake) {
      socket.write(subscribing(0))
      await new Promise((resolve) => socket.once('data', resolve))
      let recordBytes = 0
      let bytes = 0
      socket.on('data', (chunk: Buffer) => {
        if (recordBytes === 0) recordBytes = headerBytes + payloadBytesAt(chunk, 0)
        bytes += chunk.length
        const records = Math.floor(bytes / recordBytes)
        if (records > 0) intake.count(records)
        bytes -= records * recordBytes
      })
    },
    close: async () => void socket.destroy(),
  }
}

export const pipe: Adapter = {
  name: 'pipe',
  packages: [],
  hasPatterns: false,
  hasRoutes: false,
  styles: ['callback'],
  server: { kind: 'node', start },
  publisher,
  subscriber,
}
