/**
 * Makes a connection to the server at an address.
 *
 * Floor 8.
 */
import { Connection } from './connection.ts'
import { type LinkOptions, linkSettings } from './options.ts'
import { parseAddress } from './transport/address.ts'
import { dial } from './transport/sockets.ts'

/** Resolves once the handshake is done. Rejects with CONNECT_FAILED, UNAUTHENTICATED, VERSION_MISMATCH ... */
export async function connectionTo(url: string, options: LinkOptions): Promise<Connection> {
  const address = parseAddress(url)
  const settings = linkSettings(options)
  const connection = new Connection(settings, ({ tls, connectTimeoutMs, clock, signal }) =>
    dial(address, tls, connectTimeoutMs, clock, signal),
  )
  await connection.connect()
  return connection
}
