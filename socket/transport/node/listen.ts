/**
 * Listens with the operating system's sockets.
 *
 * Floor 3. Node only.
 */
import { lstatSync, rmSync } from 'node:fs'
import {
  connect as connectTcp,
  createServer,
  type ListenOptions,
  type Server as NetServer,
  type Socket,
} from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { type Clock, longestTimerMs } from '#base/clock'
import { socketError } from '#base/errors'
import type { ListenAddress, TlsOptions } from '../../options.ts'
import { formatAddress } from '../address.ts'
import type { Port } from '../port.ts'
import { withIntake } from './adopt.ts'
import type { Intake } from './intake.ts'
import { highWaterBytes, SocketPort } from './socket-port.ts'

export interface Listener {
  /** The address with the port that was picked. */
  readonly url: string
  /** Stops accepting; connections go on. */
  close(): Promise<void>
}

/** What listening takes of the server's settings. */
export interface ListenSettings {
  readonly clock: Clock
  /** For TLS, whose own handshake comes before the one that the server can see. */
  readonly handshakeTimeoutMs: number
}

/** Listens; `accept` is called with a port for every connection. Rejects with LISTEN_FAILED. */
export function listen(
  where: ListenAddress,
  settings: ListenSettings,
  accept: (port: Port) => void,
): Promise<Listener> {
  const transport = where.path === undefined ? (where.tls === undefined ? 'tcp' : 'tls') : 'unix'
  const host = where.host ?? '127.0.0.1'
  const binding: ListenOptions = where.path === undefined ? { host, port: where.port ?? 0 } : { path: where.path }
  return new Promise((resolve, reject) => {
    const refuse = (error: Error & { code?: string }): void => {
      const what = `Cannot listen on ${where.path ?? `${host}:${where.port ?? 0}`}: ${error.code ?? error.message}.`
      reject(socketError('LISTEN_FAILED', what, { cause: error }))
    }
    const take = (socket: Socket, intake?: Intake): void =>
      accept(new SocketPort(socket, transport, settings.clock, intake))
    try {
      const { server, cut } = where.tls ? securing(where.tls, settings, take) : plain(take)
      server.once('error', async (error: Error & { code?: string }) => {
        const isFree = error.code === 'EADDRINUSE' && where.path !== undefined && (await removeAbandoned(where.path))
        if (!isFree) return refuse(error)
        server.once('error', refuse)
        server.listen(binding)
      })
      server.listen(binding, () => {
        // Running out of file descriptors in accept is told as an error of the server; accepting goes on afterwards.
        server.on('error', () => {})
        resolve({ url: urlOf(server, transport, where), close: () => closed(server, cut) })
      })
    } catch (error) {
      refuse(error as Error)
    }
  })
}

/**
 * Removes a unix socket that nobody listens on: a server that was killed leaves its file behind. False if it is none.
 */
async function removeAbandoned(path: string): Promise<boolean> {
  try {
    if (!lstatSync(path).isSocket()) return false
    const isAbandoned = await new Promise<boolean>((resolve) => {
      const probe = connectTcp({ path }, () => {
        probe.destroy()
        resolve(false)
      })
      probe.once('error', (error: Error & { code?: string }) => resolve(error.code === 'ECONNREFUSED'))
    })
    if (isAbandoned) rmSync(path)
    return isAbandoned
  } catch {
    return false
  }
}

/** A server of the system, and what cuts those connections that nobody else knows of. */
interface Accepting {
  readonly server: NetServer
  readonly cut: () => void
}

const common = { highWaterMark: highWaterBytes }

function plain(take: (socket: Socket, intake: Intake | undefined) => void): Accepting {
  const server = createServer({ ...common, pauseOnConnect: true }, (accepted) => {
    const { socket, intake } = withIntake(accepted, highWaterBytes)
    take(socket, intake)
  })
  return { server, cut: () => {} }
}

/** With TLS a connection is handed on when it is secured; until then it is kept here, by the address it came from. */
function securing(tls: TlsOptions, { handshakeTimeoutMs }: ListenSettings, take: (socket: Socket) => void): Accepting {
  const unsecured = new Map<string, Socket>()
  const keyOf = (socket: Socket): string => `${socket.remoteAddress} ${socket.remotePort}`
  const options = { ...common, handshakeTimeout: Math.min(handshakeTimeoutMs, longestTimerMs), ...tls }
  const server = createTlsServer(options, (socket) => {
    unsecured.delete(keyOf(socket))
    take(socket)
  })
  server.on('connection', (socket: Socket) => {
    const key = keyOf(socket)
    unsecured.set(key, socket)
    socket.once('close', () => {
      if (unsecured.get(key) === socket) unsecured.delete(key)
    })
  })
  // A TLS handshake that fails or takes too long is told here; the connection is gone and nobody else is concerned.
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  const cut = (): void => {
    for (const socket of unsecured.values()) socket.destroy()
  }
  return { server, cut }
}

function urlOf(server: NetServer, transport: 'tcp' | 'tls' | 'unix', where: ListenAddress): string {
  const bound = server.address()
  if (transport === 'unix' || bound === null || typeof bound === 'string') return `unix:${where.path}`
  return formatAddress({ transport, host: bound.address, port: bound.port })
}

function closed(server: NetServer, cut: () => void): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    cut()
  })
}
