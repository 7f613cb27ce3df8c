/**
 * What matching finds: somebody that gets the messages of a topic.
 *
 * Floor 9. One subscription is one, and so will be a group of them. Clients are told apart by their links.
 */

import type { Outbox } from './outbox.ts'
import type { Parcel } from './parcel.ts'

export interface Target {
  /** Whether it wants what that client publishes. */
  wants(linkId: number): boolean
  /** Takes a parcel. `isKept`: its topics keep it, so whoever is behind will read it. Returns where it waits, if so. */
  offer(parcel: Parcel, isKept: boolean): Outbox | undefined
}
