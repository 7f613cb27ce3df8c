/**
 * Addresses as text: `tcp://host:port`, `tls://host:port`, `unix:/path`.
 *
 * Floor 0, pure.
 */
import { socketError } from '#base/errors'

export type Address =
  | { readonly transport: 'tcp' | 'tls'; readonly host: string; readonly port: number }
  | { readonly transport: 'unix'; readonly path: string }

const expected = "expected 'tcp://host:port', 'tls://host:port' or 'unix:/path'"

/** Throws INVALID_OPTION when the text is no address. */
export function parseAddress(url: unknown): Address {
  if (typeof url !== 'string') throw socketError('INVALID_OPTION', `The address is a ${typeof url}; ${expected}.`)
  if (url.startsWith('unix:')) {
    const path = url.slice(url.startsWith('unix://') ? 7 : 5)
    if (path === '') throw wrong(url)
    return { transport: 'unix', path }
  }
  const match = /^(tcp|tls):\/\/(\[[0-9a-fA-F:.]+\]|[^:/[\]]+):(\d{1,5})\/?$/.exec(url)
  if (match === null || Number(match[3]) > 65_535) throw wrong(url)
  const host = (match[2] as string).replace(/^\[|\]$/g, '')
  return { transport: match[1] as 'tcp' | 'tls', host, port: Number(match[3]) }
}

function wrong(url: string): Error {
  return socketError('INVALID_OPTION', `The address is ${JSON.stringify(url.slice(0, 200))}; ${expected}.`)
}

export function formatAddress(address: Address): string {
  if (address.transport === 'unix') return `unix:${address.path}`
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return `${address.transport}://${host}:${address.port}`
}
