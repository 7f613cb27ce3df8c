/** The history of a topic in memory: exact in messages, bounded in bytes, and it knows what it has forgotten. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ReceivedBatch } from '../../../../broker/client/received-batch.ts'
import { MemoryLog, type StoredBatch } from '../../../../broker/hub/engine/memory.ts'
import { BatchHeader } from '../../../../broker/shared/batch.ts'
import { lying, numbered } from '../../shared/batches.ts'

const all = () => true

/** Position is ten times the sequence, time a hundred times. */
function stored(seq: number, count: number): StoredBatch {
  return { bytes: numbered('t', seq, count, seq * 10), count, seq, position: seq * 10, time: seq * 100 }
}

function sequences(batches: readonly StoredBatch[]): number[] {
  return batches.flatMap(({ bytes, seq, count }) => {
    const header = new BatchHeader(bytes)
    expect([header.seq, header.count]).toEqual([seq, count])
    const batch = new ReceivedBatch(header, 't', { batches: 0, release: () => {} })
    return Array.from({ length: count }, () => batch.next().data as number)
  })
}

describe('a history in memory', () => {
  it('keeps exactly as many messages as it may, cut inside a batch', () => {
    const log = new MemoryLog(4, 1_000_000)
    for (const [seq, count] of [
      [1, 3],
      [4, 3],
      [7, 1],
    ] as const) {
      log.append(stored(seq, count))
    }
    expect([log.length, sequences(log.read(all))]).toEqual([4, [4, 5, 6, 7]])
    log.append(stored(8, 1))
    expect([log.length, sequences(log.read(all))]).toEqual([4, [5, 6, 7, 8]])
  })

  it('keeps no more bytes than it may, whatever its number of messages', () => {
    const one = stored(1, 3).bytes.length
    const log = new MemoryLog(1_000, one * 2)
    for (let seq = 1; seq <= 13; seq += 3) log.append(stored(seq, 3))
    expect(sequences(log.read(all))).toEqual([10, 11, 12, 13, 14, 15])
    const tiny = new MemoryLog(1_000, one - 1)
    tiny.append(stored(1, 3))
    expect([tiny.length, tiny.read(all), tiny.forgotten]).toEqual([0, [], 12])
  })

  it('knows the position of the newest message that it has forgotten', () => {
    const log = new MemoryLog(4, 1_000_000)
    log.append(stored(1, 4))
    expect(log.forgotten).toBe(0)
    log.append(stored(5, 1))
    expect(log.forgotten).toBe(10)
    log.append(stored(6, 3))
    expect(log.forgotten).toBe(13)
  })

  it('reads from a sequence, a position or a time on', () => {
    const log = new MemoryLog(100, 1_000_000)
    log.append(stored(1, 3))
    log.append(stored(4, 3))
    expect(sequences(log.read((seq) => seq >= 3))).toEqual([3, 4, 5, 6])
    expect(sequences(log.read((_seq, position) => position > 41))).toEqual([6])
    expect(sequences(log.read((_seq, _position, time) => time >= 400))).toEqual([4, 5, 6])
    expect(log.read((seq) => seq > 6)).toEqual([])
  })

  it('leaves out a batch that it cannot cut, because its records lie', () => {
    const log = new MemoryLog(4, 1_000_000)
    log.append({ ...stored(1, 3), bytes: lying(stored(1, 3).bytes, 0) })
    log.append(stored(4, 3))
    expect(sequences(log.read(all))).toEqual([4, 5, 6])
  })

  it('is the same as a list of the latest messages', () => {
    const counts = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), counts, (max, sizes) => {
        const log = new MemoryLog(max, 1_000_000)
        let last = 0
        for (const size of sizes) {
          log.append(stored(last + 1, size))
          last += size
          const first = Math.max(1, last - max + 1)
          expect(sequences(log.read(all))).toEqual(Array.from({ length: last - first + 1 }, (_, i) => first + i))
          expect(log.length).toBe(last - first + 1)
        }
      }),
    )
  })
})
