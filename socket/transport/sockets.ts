/**
 * Dials and listens with the operating system's sockets.
 *
 * Floor 4. Node only.
 */
import {
  connect as connectTcp,
  createServer,
  type ListenOptions,
  type Server as NetServer,
  type Socket,
} from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import type { Clock } from '../clock.ts'
import { socketError } from '../errors.ts'
import type { ListenAddress, TlsOptions } from '../options.ts'
import { type Address, formatAddress } from './address.ts'
import type { Port } from './port.ts'
import { highWaterBytes, SocketPort } from './socket-port.ts'

/** Resolves when connected (for TLS: secured). Rejects with CONNECT_FAILED, or TIMEOUT after `timeoutMs`. */
export function dial(
  address: Address,
  tls: TlsOptions | undefined,
  timeoutMs: number,
  clock: Clock,
  signal?: AbortSignal,
): Promise<Port> {
  return new Promise((resolve, reject) => {
    const socket = begin(address, tls)
    const fail = (why: string, cause?: unknown): void => {
      settle()
      socket.destroy()
      reject(socketError('CONNECT_FAILED', `No connection to ${formatAddress(address)}: ${why}.`, { cause }))
    }
    const onError = (error: Error & { code?: string }): void => fail(error.code ?? error.message, error)
    const onAbort = (): void => fail('aborted', signal?.reason)
    const stop = clock.after(timeoutMs, () => fail(`no answer within ${timeoutMs} ms`), true)
    const settle = (): void => {
      stop()
      signal?.removeEventListener('abort', onAbort)
      // The port puts its own listener; between the two an 'error' must not be unhandled.
      socket.on('error', () => {})
      socket.removeListener('error', onError)
    }
    socket.once('error', onError)
    if (signal?.aborted) return onAbort()
    signal?.addEventListener('abort', onAbort, { once: true })
    socket.once(address.transport === 'tls' ? 'secureConnect' : 'connect', () => {
      settle()
      resolve(new SocketPort(socket, address.transport, clock))
    })
  })
}

function begin(address: Address, tls: TlsOptions | undefined): Socket {
  const common = { writableHighWaterMark: highWaterBytes, highWaterMark: highWaterBytes }
  if (address.transport === 'unix') return connectTcp({ ...common, path: address.path })
  const { host, port } = address
  if (address.transport === 'tcp') return connectTcp({ ...common, host, port })
  return connectTls({ ...common, host, port, servername: host, ...tls })
}

export interface Listener {
  /** The address with the port that was picked. */
  readonly url: string
  /** Stops accepting; connections go on. */
  close(): Promise<void>
}

/** Listens; `accept` is called with a port for every connection. */
export function listen(where: ListenAddress, clock: Clock, accept: (port: Port) => void): Promise<Listener> {
  const transport = where.path === undefined ? (where.tls === undefined ? 'tcp' : 'tls') : 'unix'
  const options = { highWaterMark: highWaterBytes, pauseOnConnect: false }
  const take = (socket: Socket): void => accept(new SocketPort(socket, transport, clock))
  const server: NetServer = where.tls
    ? createTlsServer({ ...options, ...where.tls }, take)
    : createServer(options, take)
  // A TLS handshake that fails is told here; the connection is gone and nobody else is concerned.
  server.on('tlsClientError', () => {})
  const host = where.host ?? '127.0.0.1'
  const binding: ListenOptions = where.path === undefined ? { host, port: where.port ?? 0 } : { path: where.path }
  return new Promise((resolve, reject) => {
    server.once('error', (error: Error & { code?: string }) => {
      const what = `Cannot listen on ${where.path ?? `${host}:${where.port ?? 0}`}: ${error.code ?? error.message}.`
      reject(socketError('LISTEN_FAILED', what, { cause: error }))
    })
    server.listen(binding, () => {
      // Running out of file descriptors in accept is told as an error of the server; accepting goes on afterwards.
      server.on('error', () => {})
      resolve({ url: urlOf(server, transport, where), close: () => closed(server) })
    })
  })
}

function urlOf(server: NetServer, transport: 'tcp' | 'tls' | 'unix', where: ListenAddress): string {
  const bound = server.address()
  if (transport === 'unix' || bound === null || typeof bound === 'string') return `unix:${where.path}`
  return formatAddress({ transport, host: bound.address, port: bound.port })
}

function closed(server: NetServer): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
  })
}
