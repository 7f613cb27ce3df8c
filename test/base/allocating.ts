/** Allocates 2 GiB, of which 2 MiB are in use, and says how many MiB lay outside of the heap at most. */
import { getHeapStatistics } from 'node:v8'
import { allocate } from '../../base/allocate.ts'

const mib = 1024 * 1024
const kept: Uint8Array[] = []
const before = getHeapStatistics().external_memory
let most = 0
for (let i = 0; i < 8_192; i++) {
  kept[i % 8] = allocate(mib / 4)
  most = Math.max(most, getHeapStatistics().external_memory - before)
}
console.log(most / mib)
