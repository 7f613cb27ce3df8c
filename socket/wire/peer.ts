/**
 * Who is at the other end: links, identities and roles as hooks and handlers see them.
 *
 * Floor 0. Plain data.
 */

/** The two sides of a channel. */
export type Role = 'consumer' | 'provider'

/** Who a link is, as the server's `authenticate` hook decided. Anything JSON can carry besides the name. */
export interface Identity {
  readonly name?: string
  readonly [claim: string]: unknown
}

/** Of a link that needed not say more. One for all, for there may be many. */
export const noIdentity: Identity = Object.freeze({})

/** A link as the server sees it. */
export interface LinkInfo {
  /** Unique among the links of this server while it runs. */
  readonly linkId: number
  /** The name that the client gave itself; not proven. */
  readonly name: string
  /** 'tcp', 'tls', 'unix' or 'local'. */
  readonly transport: string
  /** The address of the peer, such as '10.0.0.7:51820'; '' where it has none. */
  readonly address: string
  /** The credentials that the client sent. Not passed on to other links. */
  readonly auth: unknown
  /** Set once authenticated. */
  readonly identity: Identity
  /** What its program can do beyond the bare protocol. */
  readonly features: readonly string[]
}

/** The other end of a stream, as told to the application. */
export interface PeerInfo {
  readonly linkId: number
  readonly name: string
  readonly transport: string
  /** '' where the server does not tell. */
  readonly address: string
  readonly identity: Identity
  /** What the program at the other end can do beyond the bare protocol. */
  readonly features: readonly string[]
}
