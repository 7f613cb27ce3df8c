/**
 * Listens with the operating system's sockets.
 *
 * Floor 3. Node only.
 */
import { createServer, type ListenOptions, type Server as NetServer, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { type Cancel, longestTimerMs } from '#base/clock'
import { deferred } from '#base/deferred'
import { socketError } from '#base/errors'
import { invalid } from '#base/verify'
import { type Address, formatAddress, parseAddress } from '../address.ts'
import type { Listen, ListenAddress, Listener, ListenSettings, Port } from '../port.ts'
import { withIntake } from './adopt.ts'
import type { Intake } from './intake.ts'
import { leavingOthers, pathFault, removeAbandoned } from './socket-path.ts'
import { highWaterBytes, SocketPort } from './socket-port.ts'

type Tls = ListenAddress['tls']

/** With one of these a server can prove who it is. */
const provers = ['cert', 'pfx', 'SNICallback', 'secureContext', 'pskCallback'] as const
/** With one of these it can also use its certificate. */
const keyed = ['key', 'privateKeyIdentifier', 'pfx', 'SNICallback', 'secureContext', 'pskCallback'] as const

/** Who listens there: one of `own`, by the scheme of the address, or the operating system. Throws INVALID_OPTION. */
export function listenOf({ url }: ListenAddress, own: Readonly<Record<string, Listen>> = {}): Listen {
  const scheme = url === undefined ? '' : url.slice(0, Math.max(0, url.indexOf(':')))
  const found = Object.hasOwn(own, scheme) ? own[scheme] : listen
  if (typeof found !== 'function') throw invalid('Server.listen', `transports.${scheme}`, 'a function', found)
  return found
}

/** Listens on a socket of the operating system. */
export const listen: Listen = async (where, settings, accept) => {
  const { tls } = where
  const address = addressOf(where)
  if (address.transport === 'unix' && tls !== undefined) {
    throw invalid('listen', 'tls', 'none: a unix socket has no TLS', tls)
  }
  if (address.transport === 'tls' && tls === undefined) {
    throw invalid('listen', 'tls', 'a key and a certificate, for a tls:// address', tls)
  }
  if (tls && !provers.some((name) => tls[name] !== undefined)) {
    throw invalid('listen', 'tls', `to have ${provers.join(', ')}: without one no handshake can succeed`, tls)
  }
  if (tls?.['cert'] !== undefined && keyed.every((name) => tls[name] === undefined)) {
    throw invalid('listen', 'tls', 'to have the key of its cert: without it no handshake can succeed', tls)
  }
  return listening(address, tls, settings, accept)
}

function addressOf({ url, path, host = '127.0.0.1', port = 0, tls }: ListenAddress): Address {
  if (path !== undefined) return { transport: 'unix', path }
  const given = url === undefined ? undefined : parseAddress(url)
  if (given?.transport === 'unix') return given
  return { host, port, ...given, transport: tls === undefined ? (given?.transport ?? 'tcp') : 'tls' }
}

function listening(
  address: Address,
  tls: Tls,
  settings: ListenSettings,
  accept: (port: Port) => void,
): Promise<Listener> {
  const { transport } = address
  const path = address.transport === 'unix' ? address.path : undefined
  const binding: ListenOptions =
    address.transport === 'unix' ? { path: address.path } : { host: address.host, port: address.port }
  return new Promise((resolve, reject) => {
    const refuse = (error: Error & { code?: string }): void => {
      const why = (path !== undefined && pathFault(path, error)) || (error.code ?? error.message)
      reject(socketError('LISTEN_FAILED', `Cannot listen on ${formatAddress(address)}: ${why}.`, { cause: error }))
    }
    const take = (socket: Socket, intake?: Intake): void =>
      accept(new SocketPort(socket, transport, settings.clock, intake))
    try {
      const tooLong = path === undefined ? undefined : pathFault(path)
      if (tooLong !== undefined) return refuse(new Error(tooLong))
      const { server, cut } = tls ? securing(tls, settings, take) : plain(take)
      server.once('error', async (error: Error & { code?: string }) => {
        const isFree = error.code === 'EADDRINUSE' && path !== undefined && (await removeAbandoned(path))
        if (!isFree) return refuse(error)
        server.once('error', refuse)
        server.listen(binding)
      })
      server.listen(binding, () => {
        // Running out of file descriptors in accept is told as an error of the server; accepting goes on afterwards.
        server.on('error', () => {})
        resolve({ url: urlOf(server, address), close: closing(server, cut, path) })
      })
    } catch (error) {
      refuse(error as Error)
    }
  })
}

/** A server of the system, and what cuts those connections that nobody else knows of. */
interface Accepting {
  readonly server: NetServer
  readonly cut: () => void
}

const common = { highWaterMark: highWaterBytes }

function plain(take: (socket: Socket, intake: Intake | undefined) => void): Accepting {
  const server = createServer({ ...common, pauseOnConnect: true }, (socket) => take(socket, withIntake(socket)))
  return { server, cut: () => {} }
}

/** With TLS a connection is handed on when it is secured; until then it is kept here, by the address it came from. */
function securing(tls: Record<string, unknown>, settings: ListenSettings, take: (socket: Socket) => void): Accepting {
  const { handshakeTimeoutMs, reserve } = settings
  const unsecured = new Map<string, { readonly socket: Socket; readonly release: Cancel }>()
  const keyOf = (socket: Socket): string => `${socket.remoteAddress} ${socket.remotePort}`
  const forget = (key: string): void => {
    unsecured.get(key)?.release()
    unsecured.delete(key)
  }
  const options = { ...common, handshakeTimeout: Math.min(handshakeTimeoutMs, longestTimerMs), ...tls }
  const server = createTlsServer(options, (socket) => {
    forget(keyOf(socket))
    take(socket)
  })
  server.on('connection', (socket: Socket) => {
    // Who was gone before he was looked at has no address.
    const release = socket.remoteAddress === undefined ? undefined : reserve(() => socket.destroy())
    if (release === undefined) {
      socket.destroy()
      return
    }
    const key = keyOf(socket)
    forget(key)
    unsecured.set(key, { socket, release })
    socket.once('close', () => {
      if (unsecured.get(key)?.socket === socket) forget(key)
    })
  })
  // A TLS handshake that fails or takes too long is told here; the connection is gone and nobody else is concerned.
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  const cut = (): void => {
    for (const { socket } of unsecured.values()) socket.destroy()
  }
  return { server, cut }
}

function urlOf(server: NetServer, address: Address): string {
  const bound = server.address()
  if (address.transport === 'unix' || bound === null || typeof bound === 'string') return formatAddress(address)
  return formatAddress({ transport: address.transport, host: bound.address, port: bound.port })
}

/** What closes it. */
function closing(server: NetServer, cut: () => void, path: string | undefined): () => Promise<void> {
  const closed = deferred<void>()
  const close = (): void => void server.close(() => closed.resolve())
  const stop = path === undefined ? close : leavingOthers(path, close)
  return () => {
    stop()
    cut()
    return closed.promise
  }
}
