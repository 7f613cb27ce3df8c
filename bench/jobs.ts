/** What a process of the harness can be told to do. It gets its job as its only argument, as JSON. */
import type { Style } from './contract.ts'

/** How long a cell warms up, and is then measured. */
export interface Timing {
  readonly warmSeconds: number
  readonly seconds: number
}

interface Work {
  readonly adapter: string
  readonly url: string
}

/** Start the adapter's server. */
export interface ServeJob {
  readonly role: 'serve'
  readonly adapter: string
}

/** Publish at full speed from `publishers` connections. With one of them each topic is a lane; else each of them is. */
export interface PublishJob extends Work, Timing {
  readonly role: 'publish'
  readonly topics: readonly string[]
  readonly publishers: number
  readonly size: number
}

/** Receive on `subscribers` connections. */
export interface ReceiveJob extends Work, Timing {
  readonly role: 'receive'
  readonly patterns: readonly string[]
  readonly style: Style
  readonly subscribers: number
  /** Each lane has a sequence of its own. */
  readonly lanes: number
  readonly size: number
}

/** Send requests, `outstanding` at a time. */
export interface RequestJob extends Work, Timing {
  readonly role: 'request'
  readonly outstanding: number
  readonly size: number
}

export interface RespondJob extends Work {
  readonly role: 'respond'
}

/** Send one message back and forth with another process; `serves` begins. */
export interface VolleyJob extends Work, Timing {
  readonly role: 'volley'
  readonly serves: boolean
  readonly style: Style
  readonly size: number
}

/** Pass messages round in a ring of `clients`, each on a connection of its own; or by pairs, back and forth. */
export interface RingJob extends Work, Timing {
  readonly role: 'ring'
  readonly style: Style
  readonly clients: number
  /** One message for each pair; in a ring there is one for each client. */
  readonly inPairs: boolean
  readonly size: number
}

/** Take a processor, for whoever is measured meanwhile. */
export interface SpinJob {
  readonly role: 'spin'
}

/** Hold idle subscriptions, each on a connection of its own: `first` of them, then on 'go' `more`. */
export interface IdleJob extends Work {
  readonly role: 'idle'
  readonly style: Style
  readonly first: number
  readonly more: number
}

/** Match topics among that many subscriptions, in one process. */
export interface MatchJob {
  readonly role: 'match'
  readonly subscriptions: number
}

export type Job =
  | ServeJob
  | PublishJob
  | ReceiveJob
  | RequestJob
  | RespondJob
  | VolleyJob
  | RingJob
  | SpinJob
  | IdleJob
  | MatchJob
