/**
 * Makes a connection to the server at an address.
 *
 * Floor 5.
 */
import { Connection } from './connection.ts'
import { type LinkOptions, linkSettings } from './options.ts'
import { parseAddress } from './transport/address.ts'
import { dial } from './transport/sockets.ts'

/** A connection that has not begun to connect. Throws INVALID_OPTION. */
export function newConnection(url: string, options: LinkOptions): Connection {
  const address = parseAddress(url)
  return new Connection(linkSettings(options), ({ tls, connectTimeoutMs, clock }, signal) =>
    dial(address, tls, connectTimeoutMs, clock, signal),
  )
}

/** A channel end on a connection of its own: opened, or the connection is closed again. Rejects as either may. */
export async function openedAlone<T extends { readonly whenOpened: Promise<void> }>(
  url: string,
  options: LinkOptions,
  make: (connection: Connection) => T,
): Promise<T> {
  const connection = await connectionTo(url, options)
  try {
    const end = make(connection)
    await end.whenOpened
    return end
  } catch (error) {
    await connection.close()
    throw error
  }
}

/** Resolves once the handshake is done. Rejects with CONNECT_FAILED, UNAUTHENTICATED, VERSION_MISMATCH ... */
export async function connectionTo(url: string, options: LinkOptions): Promise<Connection> {
  const connection = newConnection(url, options)
  await connection.connect()
  return connection
}
