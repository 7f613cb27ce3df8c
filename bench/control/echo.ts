/** The control row of requests: the server itself sends back what it gets, two hops in all. */
import type { Adapter, Closable } from '../contract.ts'
import { listen } from './raw-server.ts'
import { requester } from './raw-sides.ts'

async function start(): Promise<string> {
  return await listen((socket) => void socket.pipe(socket))
}

async function responder(): Promise<Closable> {
  return { close: async () => {} }
}

export const echo: Adapter = {
  name: 'echo',
  packages: [],
  hasPatterns: false,
  hasRoutes: false,
  styles: ['callback'],
  server: { kind: 'node', start },
  requester: (port) => requester(port, false),
  responder,
}
