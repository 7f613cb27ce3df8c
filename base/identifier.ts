/**
 * Names that nobody can guess: channel ids, link sessions, producer ids.
 *
 * Floor 0. `uuid` rather than `crypto.randomUUID`, which browsers offer on secure pages only.
 */
import { v4 } from 'uuid'

/** A new random UUID (version 4, 122 random bits). */
export function newId(): string {
  return v4()
}
