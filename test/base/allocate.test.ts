/** Memory outside of V8's heap. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'

it('large arrays that nobody refers to any more do not pile up, however few objects are made', () => {
  const program = join(import.meta.dirname, 'allocating.ts')
  // With one thread V8 collects at the same places each time, however busy the machine is.
  const flags = ['--single-threaded-gc', '--import', 'tsx']
  const most = Number(execFileSync(process.execPath, [...flags, program], { encoding: 'utf8' }))
  expect(most).toBeGreaterThan(2)
  // Without garbage it is 32 on Node 20 and 22, 114 on Node 24.
  expect(most).toBeLessThan(24)
})
