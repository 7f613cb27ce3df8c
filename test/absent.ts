/**
 * What a test does when the machine lacks something it needs: on a laptop it skips and says why, in CI it fails.
 */
import type { TestContext } from 'vitest'

export function absent(context: TestContext, what: string): never {
  const { CI } = process.env
  if (CI !== undefined && CI !== '' && CI !== 'false') throw new Error(`${what} (in CI nothing is skipped)`)
  console.warn(`skipped: ${context.task.name}: ${what}`)
  context.skip(what)
}
