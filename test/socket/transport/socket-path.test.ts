/** Paths of unix sockets: what is wrong with one is said in words, and a dead socket is taken over by one server only. */
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Link, Server } from 'signalbox/socket'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { pathFault } from '../../../socket/transport/node/socket-path.ts'
import { failure } from '../tools/house.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'signalbox-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** A socket file that nobody listens on, as a killed server leaves it. */
async function abandoned(path: string): Promise<void> {
  const aside = `${path}-aside`
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(aside, resolve))
  // Node removes the path it listened on, which is another one by then.
  renameSync(aside, path)
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
}

describe('listening on a unix socket', () => {
  it('whose path is too long says so, and how long it may be', async () => {
    const error = await failure(Server.listen({ path: join(folder, 'x'.repeat(120)) }))
    expect([error.code, error.message]).toEqual([
      'LISTEN_FAILED',
      expect.stringMatching(/has \d+ bytes, .* at most \d+/),
    ])
  })

  it('in a folder that is not there says so', async () => {
    const error = await failure(Server.listen({ path: join(folder, 'none', 'socket') }))
    expect([error.code, error.message]).toEqual(['LISTEN_FAILED', expect.stringContaining('folder does not exist')])
  })

  it('where something else lies says so', async () => {
    const path = join(folder, 'file')
    writeFileSync(path, 'precious')
    const error = await failure(Server.listen({ path }))
    expect([error.code, error.message]).toEqual(['LISTEN_FAILED', expect.stringContaining('no socket')])
  })

  it('where another server listens says so', async () => {
    const path = join(folder, 'socket')
    await using _server = await Server.listen({ path, graceMs: 0 })
    const error = await failure(Server.listen({ path }))
    expect([error.code, error.message]).toEqual(['LISTEN_FAILED', expect.stringContaining('another server')])
  })

  it('where this user may not says so', () => {
    const denied = Object.assign(new Error('denied'), { code: 'EACCES' })
    expect(pathFault('/run/socket', denied)).toContain('may not make a socket')
  })

  it('that several servers find dead at once is had by one of them, which can be reached, and leaves nothing behind', async () => {
    const path = join(folder, 'socket')
    await abandoned(path)
    const tries = await Promise.allSettled([1, 2, 3, 4, 5].map(() => Server.listen({ path, graceMs: 0 })))
    const servers = tries.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    expect(servers.length).toBe(1)
    for (const each of tries) {
      if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'LISTEN_FAILED' })
    }
    const link = await Link.connect(`unix:${path}`)
    expect(servers[0]?.stats().links).toBe(1)
    await link.close()
    await servers[0]?.close()
    expect(readdirSync(folder)).toEqual([])
  })
})
