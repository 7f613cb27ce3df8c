/**
 * Metadata waits as it was received: read, many small texts take ten times as much.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const program = fileURLToPath(new URL('../programs/many-texts.ts', import.meta.url))
const flags = ['--max-old-space-size=64', '--import', 'tsx', '--conditions=signalbox-source']

test('Metadata of a million small texts that nobody reads does not end a program with a heap of 64 MiB. [SOCK 5.10]', async () => {
  const { stderr } = await promisify(execFile)(process.execPath, [...flags, program])
  expect(stderr).toBe('')
})
