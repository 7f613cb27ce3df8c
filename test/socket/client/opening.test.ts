/** Opening a channel end has an end, also when the server never says a word about it. */
import { Consumer, Link, newId, Provider, Server } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { Kind } from '../../../socket/wire/frame.ts'
import { failure } from '../tools/house.ts'
import { ScriptedServer } from '../tools/scripted-server.ts'
import { until } from '../tools/until.ts'

/** A server that says nothing to an OPEN. */
function hanging(): ScriptedServer {
  const server = new ScriptedServer()
  server.onFrame = ({ kind }, connection) => {
    if (kind === Kind.HELLO) connection.welcome()
  }
  return server
}

describe.each(['provider', 'consumer'] as const)('opening a %s', (role) => {
  it('ends with TIMEOUT after timeoutMs, and leaves nothing open', async () => {
    const server = hanging()
    await using link = await Link.connect(server.url, server.reach)
    const error = await failure(link[role](newId(), { timeoutMs: 10 }))
    expect(error).toMatchObject({ code: 'TIMEOUT', retryable: true, details: { timeoutMs: 10 } })
    expect(link.stats().ends).toBe(0)
    await until('it is shut', () => server.last.frames.at(-1)?.kind === Kind.SHUT)
  })

  it('ends with ABORTED when its signal is aborted, before or while it waits', async () => {
    const server = hanging()
    await using link = await Link.connect(server.url, server.reach)
    const before = link[role](newId(), { signal: AbortSignal.abort('before') })
    expect(await failure(before)).toMatchObject({ code: 'ABORTED', cause: 'before' })
    const controller = new AbortController()
    const during = failure(link[role](newId(), { signal: controller.signal }))
    controller.abort('during')
    expect(await during).toMatchObject({ code: 'ABORTED', cause: 'during' })
    expect(link.stats().ends).toBe(0)
  })

  it('refuses limits that make no sense', async () => {
    const server = hanging()
    await using link = await Link.connect(server.url, server.reach)
    for (const wrong of [{ timeoutMs: -1 }, { timeoutMs: '5' }, { signal: {} }]) {
      expect((await failure(link[role](newId(), wrong as never))).code).toBe('INVALID_OPTION')
    }
  })

  it('that waits for a connection says why there is none', async () => {
    const server = hanging()
    await using link = await Link.connect(server.url, { ...server.reach, reconnect: { minMs: 60_000, maxMs: 60_000 } })
    server.last.dismiss('TOO_MANY_LINKS')
    await until('it is lost', () => !link.isOpen)
    const error = await failure(link[role](newId(), { timeoutMs: 10 }))
    expect(error).toMatchObject({ code: 'TIMEOUT', cause: { code: 'TOO_MANY_LINKS' } })
    expect(error.message).toContain('maxLinks')
  })
})

describe('a connection of its own', () => {
  it.each([
    ['Provider', Provider],
    ['Consumer', Consumer],
  ] as const)('is closed again when the %s is not opened in time', async (_name, kind) => {
    await using server = await Server.listen({ graceMs: 0, authorise: () => new Promise<boolean>(() => {}) })
    expect((await failure(kind.connect(server.url, newId(), { timeoutMs: 20 }))).code).toBe('TIMEOUT')
    await until('the link is gone', () => server.stats().links === 0)
  })
})
