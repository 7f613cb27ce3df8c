/**
 * Small records with revisions, in memory.
 *
 * Floor 7, pure. A revision is never used twice, also not after a record was deleted: whoever writes says which one it
 * has read, and is refused when another came first.
 */
import { brokerError } from '../../shared/errors.ts'
import type { StateKind, StateRecord } from './engine.ts'

export class States {
  readonly #kinds = new Map<StateKind, Map<string, StateRecord>>()
  #revision = 0

  load(kind: StateKind, prefix: string): StateRecord[] {
    const records = [...(this.#kinds.get(kind)?.values() ?? [])].filter(({ key }) => key.startsWith(prefix))
    // Whoever reads one may write to its bytes.
    return records.sort((a, b) => (a.key < b.key ? -1 : 1)).map((one) => ({ ...one, value: one.value.slice() }))
  }

  /** Throws CONFLICT. */
  save(kind: StateKind, key: string, value: Uint8Array | null, expected: number): number {
    let records = this.#kinds.get(kind)
    if (records === undefined) {
      records = new Map()
      this.#kinds.set(kind, records)
    }
    const actual = records.get(key)?.revision ?? 0
    if (actual !== expected) {
      const what = `The ${kind} record ${JSON.stringify(key)} has revision ${actual}, not ${expected}.`
      throw brokerError('CONFLICT', what, { details: { expected, actual } })
    }
    const revision = ++this.#revision
    if (value === null) records.delete(key)
    // A Buffer's own `slice` would be a view of what its owner writes to again.
    else records.set(key, { key, value: new Uint8Array(value), revision })
    return revision
  }
}
