/**
 * Connects to the server at an address, and opens channel ends there, in a time that has an end.
 *
 * Floor 7.
 */
import { bounded } from '#base/bounded'
import { SignalboxError, socketError } from '#base/errors'
import { defined, invalid, verify } from '#base/verify'
import { type LinkOptions, linkSettings, type OpenOptions, openRules, openTimeoutMs } from '../options.ts'
import { dialOf } from '../transport/transports.ts'
import { Session } from './session.ts'

/** A channel end that the server takes, or does not. */
interface Opening {
  readonly whenOpened: Promise<void>
  close(): Promise<void>
}

/** A session that has not begun to connect. Throws INVALID_OPTION. */
export function newSession(url: string, options: LinkOptions): Session {
  const settings = linkSettings(options)
  const dial = dialOf(url, settings.transports)
  // Whoever says how to be secure must not be served in the clear.
  if (settings.tls && url.startsWith('tcp:')) throw invalid('connect', 'url', "'tls://...', for tls is given", url)
  return new Session(settings, (signal) => dial(url, settings, signal))
}

/** Resolves once the handshake is done. Rejects with CONNECT_FAILED, UNAUTHENTICATED, VERSION_MISMATCH ... */
export async function connectedSession(url: string, options: LinkOptions): Promise<Session> {
  const session = newSession(url, options)
  await session.connect()
  return session
}

/** Resolves with the channel end once the server has taken it. Else it is closed: refused, TIMEOUT or ABORTED. */
export async function opened<T extends Opening>(session: Session, end: T, options: OpenOptions): Promise<T> {
  const { timeoutMs = openTimeoutMs, signal } = options
  try {
    await bounded(end.whenOpened, { timeoutMs, signal }, session.settings.clock)
    return end
  } catch (error) {
    const { isOpen, trouble } = session
    await end.close()
    if (!(error instanceof SignalboxError) || error.code !== 'TIMEOUT') throw error
    const why = isOpen ? '' : `: there is no connection${trouble ? ` (${trouble.message})` : ''}`
    const what = `The server did not take the channel end within ${timeoutMs} ms${why}.`
    throw socketError('TIMEOUT', what, { cause: trouble, details: { timeoutMs } })
  }
}

/** A channel end on a connection of its own: opened, or the connection is closed again. Rejects as either may. */
export async function openedAlone<T extends Opening>(
  url: string,
  options: LinkOptions & Pick<OpenOptions, 'timeoutMs'>,
  make: (session: Session) => T,
): Promise<T> {
  const { timeoutMs, ...linkOptions } = options
  const limits = defined({ timeoutMs, signal: options.signal }) as OpenOptions
  verify('connect', limits, openRules)
  const session = await connectedSession(url, linkOptions)
  try {
    return await opened(session, make(session), limits)
  } catch (error) {
    await session.close()
    throw error
  }
}
