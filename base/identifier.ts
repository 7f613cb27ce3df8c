/**
 * Names that nobody can guess: channel ids, link sessions, producer ids.
 *
 * Floor 1. `uuid` rather than `crypto.randomUUID`, which browsers offer on secure pages only.
 */
import { v4 } from 'uuid'
import { type Clock, systemClock } from './clock.ts'

const idBytes = 16

/** A new random UUID (version 4, 122 random bits). A clock that is seeded makes the same ones for the same seed. */
export function newId(clock: Pick<Clock, 'entropy'> = systemClock): string {
  return v4({ random: clock.entropy(idBytes) })
}
