/**
 * Which transport takes an address: by its scheme, the part before the colon.
 *
 * Floor 1. The client half knows the contract and none of the transports, so that it can run where there are no sockets:
 * an entry point says which there are (`socket/index.ts` those of Node), and a link may bring others of its own.
 */
import { socketError } from '#base/errors'
import type { Dial } from './port.ts'

/** How to dial, by scheme: `{ sim: dial }` takes `sim:anything`. */
export type Transports = Readonly<Record<string, Dial>>

const known = new Map<string, Dial>()

/** Makes transports known to every link of the program. */
export function provideTransports(transports: Transports): void {
  for (const [scheme, dial] of Object.entries(transports)) known.set(scheme, dial)
}

/** How to dial an address; `own` goes before what the program has. Throws INVALID_OPTION when nobody takes it. */
export function dialOf(url: unknown, own: Transports = {}): Dial {
  const scheme = typeof url === 'string' ? /^([a-z][a-z0-9+.-]*):/.exec(url)?.[1] : undefined
  const dial = scheme === undefined ? undefined : Object.hasOwn(own, scheme) ? own[scheme] : known.get(scheme)
  if (dial !== undefined) return dial
  const given = typeof url === 'string' ? JSON.stringify(url.slice(0, 200)) : `of type ${typeof url}`
  const schemes = [...new Set([...known.keys(), ...Object.keys(own)])].map((each) => `'${each}:'`)
  const expected = schemes.length > 0 ? `expected one that begins with ${schemes.join(', ')}` : 'no transport is known'
  throw socketError('INVALID_OPTION', `The address is ${given}; ${expected}.`)
}
