/**
 * Dials with the operating system's sockets.
 *
 * Floor 3. Node only.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { socketError } from '#base/errors'
import { type Address, formatAddress, parseAddress } from '../address.ts'
import type { DialSettings, Port } from '../port.ts'
import type { Transports } from '../transports.ts'
import { Intake } from './intake.ts'
import { highWaterBytes, SocketPort } from './socket-port.ts'

type Tls = DialSettings['tls']

async function dial(url: string, settings: DialSettings, signal?: AbortSignal): Promise<Port> {
  return connected(parseAddress(url), settings, signal)
}

/** The transports of the operating system. */
export const socketTransports: Transports = { tcp: dial, tls: dial, unix: dial }

function connected(address: Address, settings: DialSettings, signal: AbortSignal | undefined): Promise<Port> {
  const { clock, connectTimeoutMs, tls } = settings
  return new Promise((resolve, reject) => {
    const refuse = (why: string, cause?: unknown): void =>
      reject(socketError('CONNECT_FAILED', `No connection to ${formatAddress(address)}: ${why}.`, { cause }))
    let socket: Socket
    // What comes over TLS is decrypted by Node, into memory of its own.
    const intake = address.transport === 'tls' ? undefined : new Intake()
    try {
      socket = begin(address, tls, intake)
    } catch (error) {
      refuse((error as Error).message, error)
      return
    }
    const fail = (why: string, cause?: unknown): void => {
      settle()
      socket.destroy()
      refuse(why, cause)
    }
    const onError = (error: Error & { code?: string }): void => fail(error.code ?? error.message, error)
    const onAbort = (): void => fail('aborted', signal?.reason)
    const stop = clock.after(connectTimeoutMs, () => fail(`no answer within ${connectTimeoutMs} ms`), true)
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
      resolve(new SocketPort(socket, address.transport, clock, intake))
    })
  })
}

function begin(address: Address, tls: Tls, intake: Intake | undefined): Socket {
  const common = { highWaterMark: highWaterBytes, ...(intake && { onread: intake.onread }) }
  if (address.transport === 'unix') return connectTcp({ ...common, path: address.path })
  const { host, port } = address
  if (address.transport === 'tcp') return connectTcp({ ...common, host, port })
  // A number is no name to ask for; the certificate is checked against it all the same.
  const servername = isIP(host) === 0 ? { servername: host } : {}
  return connectTls({ ...common, host, port, ...servername, ...tls })
}
