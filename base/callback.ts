/**
 * Calls what the program has given to be told.
 *
 * Floor 1.
 */
import type { Clock } from './clock.ts'

/** Tells whoever is to be told. What it throws is thrown in a turn of its own: here it would leave things half done. */
export function callBack<T extends unknown[]>(
  clock: Clock,
  call: ((...given: T) => void) | undefined,
  ...given: T
): void {
  try {
    call?.(...given)
  } catch (error) {
    clock.turn(() => {
      throw error
    })
  }
}
