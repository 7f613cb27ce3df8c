/** Aedes, an MQTT server in Node. */
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { Adapter } from '../contract.ts'
import { loadPeer } from '../peers/load.ts'
import { publisher, requester, responder, subscriber } from './mqtt.ts'

interface AedesPackage {
  readonly Aedes: { createBroker(): Promise<{ readonly handle: (socket: Socket) => void }> }
}

async function start(): Promise<string> {
  const { Aedes } = await loadPeer<AedesPackage>('aedes')
  const { handle } = await Aedes.createBroker()
  const server = createServer({ noDelay: true }, handle)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`
}

export const aedes: Adapter = {
  name: 'aedes',
  packages: ['aedes', 'mqtt'],
  hasPatterns: true,
  hasRoutes: true,
  styles: ['callback'],
  server: { kind: 'node', start },
  publisher,
  subscriber,
  requester,
  responder,
}
