/** A server whose socket file was removed, and made anew by another, leaves the other's file where it is. */
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Link, Server } from 'signalbox/socket'
import { afterEach, beforeEach, expect, it } from 'vitest'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'signalbox-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

it('the successor on the same path can still be reached when the first has closed', async () => {
  const path = join(folder, 'socket')
  const first = await Server.listen({ path, graceMs: 0 })
  rmSync(path)
  const second = await Server.listen({ path, graceMs: 0 })
  const { ino } = statSync(path)
  await first.close()
  expect([statSync(path).ino, readdirSync(folder)]).toEqual([ino, ['socket']])
  const link = await Link.connect(second.url)
  await link.close()
  await second.close()
  expect(existsSync(path)).toBe(false)
})

it('a server whose file has vanished closes as always', async () => {
  const path = join(folder, 'socket')
  const server = await Server.listen({ path, graceMs: 0 })
  rmSync(path)
  await server.close()
  expect(readdirSync(folder)).toEqual([])
})
