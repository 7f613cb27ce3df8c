/** The contract of a transport on all that there are: TCP, TLS, unix sockets, and the pair of ports in one process. */
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectTcp, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import type { TestContext } from 'vitest'
import { type Clock, systemClock } from '../../../base/clock.ts'
import type { ListenAddress, TlsOptions } from '../../../socket/options.ts'
import { parseAddress } from '../../../socket/transport/address.ts'
import { joinedPorts } from '../../../socket/transport/in-process.ts'
import { socketTransports } from '../../../socket/transport/node/dial.ts'
import { listen } from '../../../socket/transport/node/listen.ts'
import type { Port } from '../../../socket/transport/port.ts'
import { dialOf } from '../../../socket/transport/transports.ts'
import { until } from '../tools/until.ts'
import { certificate } from './certificate.ts'
import { type PortAdapter, portSuite } from './port.suite.ts'

/** A fifth of a second here is a second for the ports. */
const clock: Clock = { ...systemClock, after: (ms, call, hold) => systemClock.after(ms / 5, call, hold) }

interface Place {
  readonly where: ListenAddress
  readonly tls?: TlsOptions
  readonly release?: () => void
}

type Connected = { readonly far: Port; readonly url: string; readonly release: () => Promise<void> }

async function accepting<T>(place: Place, connect: (url: string) => Promise<T>): Promise<Connected & { near: T }> {
  const accepted: Port[] = []
  const settings = { clock, handshakeTimeoutMs: 5_000 }
  const listener = await listen(place.where, settings, (port) => accepted.push(port))
  const near = await connect(listener.url)
  const far = await until('it was accepted', () => accepted[0])
  const release = async (): Promise<void> => {
    for (const port of accepted) port.destroy()
    await listener.close()
    place.release?.()
  }
  return { near, far, url: listener.url, release }
}

function byteStream(transport: string, place: (context: TestContext) => Place): PortAdapter {
  return {
    transport,
    async pair(context) {
      const here = place(context)
      const connected = await accepting(here, (url) => {
        const settings = { clock, connectTimeoutMs: 5_000, tls: here.tls }
        return dialOf(url, socketTransports)(url, settings, new AbortController().signal)
      })
      const release = async (): Promise<void> => {
        connected.near.destroy()
        await connected.release()
      }
      return { near: connected.near, far: connected.far, release }
    },
    async bare(context) {
      const here = place(context)
      const connected = await accepting(here, async (url) => plainSocket(url, here.tls))
      const release = async (): Promise<void> => {
        connected.near.destroy()
        await connected.release()
      }
      return { port: connected.far, socket: connected.near, release }
    },
  }
}

function plainSocket(url: string, tls: TlsOptions | undefined): Socket {
  const address = parseAddress(url)
  const where = address.transport === 'unix' ? { path: address.path } : { host: address.host, port: address.port }
  const socket = tls ? connectTls({ ...where, ...tls }) : connectTcp(where)
  return socket.on('error', () => {})
}

portSuite(byteStream('tcp', () => ({ where: { port: 0 } })))

portSuite(
  byteStream('unix', () => {
    const folder = mkdtempSync(join(tmpdir(), 'signalbox-'))
    return {
      where: { path: join(folder, 'socket') },
      release: () => rmSync(folder, { recursive: true, force: true }),
    }
  }),
)

portSuite(
  byteStream('tls', (context) => {
    const { key, cert } = certificate(context)
    return { where: { port: 0, tls: { key, cert } }, tls: { ca: cert } }
  }),
)

portSuite({
  transport: 'local',
  async pair() {
    const [near, far] = joinedPorts(clock)
    return { near, far, release: async () => {} }
  },
})
