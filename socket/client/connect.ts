/**
 * Makes a connection to the server at an address.
 *
 * Floor 5.
 */

import { MemoryBudget } from '#base/memory-budget'
import { type LinkOptions, linkSettings } from '../options.ts'
import { parseAddress } from '../transport/address.ts'
import { dial } from '../transport/node/dial.ts'
import { Session } from './session.ts'

/** A connection that has not begun to connect. Throws INVALID_OPTION. */
export function newSession(url: string, options: LinkOptions): Session {
  const address = parseAddress(url)
  const { maxMemoryBytes } = options
  const settings = linkSettings(options, maxMemoryBytes === undefined ? undefined : new MemoryBudget(maxMemoryBytes))
  return new Session(settings, ({ tls, connectTimeoutMs, clock }, signal) =>
    dial(address, tls, connectTimeoutMs, clock, signal),
  )
}

/** A channel end on a connection of its own: opened, or the connection is closed again. Rejects as either may. */
export async function openedAlone<T extends { readonly whenOpened: Promise<void> }>(
  url: string,
  options: LinkOptions,
  make: (session: Session) => T,
): Promise<T> {
  const session = await connectedSession(url, options)
  try {
    const end = make(session)
    await end.whenOpened
    return end
  } catch (error) {
    await session.close()
    throw error
  }
}

/** Resolves once the handshake is done. Rejects with CONNECT_FAILED, UNAUTHENTICATED, VERSION_MISMATCH ... */
export async function connectedSession(url: string, options: LinkOptions): Promise<Session> {
  const session = newSession(url, options)
  await session.connect()
  return session
}
