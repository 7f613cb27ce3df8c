/** Memory outside of V8's heap. */
import { getHeapStatistics } from 'node:v8'
import { expect, it } from 'vitest'
import { allocate } from '../../base/allocate.ts'

const mib = 1024 * 1024

/** The most that lies outside of the heap meanwhile, in MiB more than before. */
function mostOf(allocations: number): number {
  const kept: Uint8Array[] = []
  const before = getHeapStatistics().external_memory
  let most = 0
  for (let i = 0; i < allocations; i++) {
    kept[i % 8] = allocate(mib / 4)
    most = Math.max(most, getHeapStatistics().external_memory - before)
  }
  return most / mib
}

it('large arrays that nobody refers to any more do not pile up, however few objects are made', () => {
  // Without garbage it is 90 on Node 20 and 300 on Node 24.
  expect(mostOf(8_192)).toBeLessThan(48)
  const inUse = Array.from({ length: 600 }, () => allocate(mib / 4))
  expect(mostOf(8_192)).toBeLessThan(48)
  expect(inUse.length).toBe(600)
})
