/**
 * Waiting for a condition, with a limit so generous that only a condition which never comes true meets it.
 */
import { setTimeout as sleep } from 'node:timers/promises'

const limitMs = 15_000

/** Resolves once `test` gives something true, and with that; rejects with `what` when it never does. */
export async function until<T>(what: string, test: () => T | Promise<T>): Promise<NonNullable<T>> {
  const giveUpAt = Date.now() + limitMs
  for (;;) {
    const result = await test()
    if (result) return result
    if (Date.now() > giveUpAt) throw new Error(`waited in vain until ${what}`)
    await sleep(2)
  }
}

/** Turns of the event loop, for what must not happen to have had its chance. */
export async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn++) await sleep(1)
}
