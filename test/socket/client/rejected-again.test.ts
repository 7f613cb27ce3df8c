/** Links that came back and were not let in, for whoever knows them may be away for a moment. */
import { Link, type LinkEvent, systemClock } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import type { SocketErrorCode } from '../../../base/errors.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { failure } from '../tools/house.ts'
import { ScriptedServer } from '../tools/scripted-server.ts'
import { until } from '../tools/until.ts'

/** A server that welcomes a link, and dismisses it the next times it says HELLO. */
function dismissing(code: SocketErrorCode, times: number): ScriptedServer {
  const server = new ScriptedServer()
  server.onFrame = ({ kind }, connection) => {
    if (kind !== Kind.HELLO) return
    const before = server.connections.length - 1
    if (before > 0 && before <= times) connection.dismiss(code)
    else connection.welcome()
  }
  return server
}

describe('a link that was welcomed before', () => {
  it('is tried again when it is told UNAUTHENTICATED, ten times in a row', async () => {
    const server = dismissing('UNAUTHENTICATED', 10)
    await using link = await Link.connect(server.url, server.reach)
    server.last.port.destroy()
    await until('it is back', () => link.isOpen && server.connections.length > 1)
    expect(server.connections.length).toBe(12)
  })

  it('does not believe it, however often it is told, before ten seconds have passed', async () => {
    const server = dismissing('UNAUTHENTICATED', 30)
    const clock = { ...systemClock, monotonic: () => 0 }
    await using link = await Link.connect(server.url, { ...server.reach, clock })
    server.last.port.destroy()
    await until('it is back', () => link.isOpen && server.connections.length > 1)
    expect(server.connections.length).toBe(32)
  })

  it('believes the eleventh after that', async () => {
    const server = dismissing('UNAUTHENTICATED', 11)
    let now = 0
    const clock = { ...systemClock, monotonic: () => (now += 10_000) }
    const link = await Link.connect(server.url, { ...server.reach, clock })
    server.last.port.destroy()
    expect(await link.closed).toMatchObject({ code: 'UNAUTHENTICATED' })
    expect(server.connections.length).toBe(12)
  })

  it('counts anew when it was told something else between', async () => {
    const server = new ScriptedServer()
    server.onFrame = ({ kind }, connection) => {
      if (kind !== Kind.HELLO) return
      const before = server.connections.length - 1
      if (before === 0 || before > 12) connection.welcome()
      else connection.dismiss(before === 6 ? 'TOO_MANY_LINKS' : 'UNAUTHENTICATED')
    }
    let now = 0
    const clock = { ...systemClock, monotonic: () => (now += 10_000) }
    await using link = await Link.connect(server.url, { ...server.reach, clock })
    server.last.port.destroy()
    await until('it is back', () => link.isOpen && server.connections.length > 1)
    expect(server.connections.length).toBe(14)
  })

  it('is tried again for as long as it takes when it is told AUTH_UNAVAILABLE', async () => {
    const server = dismissing('AUTH_UNAVAILABLE', 30)
    const reasons: string[] = []
    const observe = ({ type, error }: LinkEvent): void => {
      if (type === 'reconnecting') reasons.push((error as { code?: string }).code ?? '')
    }
    await using link = await Link.connect(server.url, { ...server.reach, observe })
    server.last.port.destroy()
    await until('it is back', () => link.isOpen && server.connections.length > 1)
    expect(reasons.slice(1)).toEqual(Array.from({ length: 30 }, () => 'AUTH_UNAVAILABLE'))
  })
})

describe('a link that was never welcomed', () => {
  it.each([
    ['UNAUTHENTICATED', false],
    ['AUTH_UNAVAILABLE', true],
  ] as const)('rejects with %s, and says whether to try again', async (code, retryable) => {
    const server = new ScriptedServer()
    server.onFrame = (_frame, connection) => connection.dismiss(code)
    expect(await failure(Link.connect(server.url, server.reach))).toMatchObject({ code, retryable })
    expect(server.connections.length).toBe(1)
  })
})

describe('a server that insists on a feature that is not here', () => {
  it('[SOCK 3.8] is told so, and the link ends with FEATURE_MISSING', async () => {
    const server = new ScriptedServer()
    server.onFrame = ({ kind }, connection) => {
      if (kind === Kind.HELLO) connection.welcome({ requires: ['header', 'telepathy'] })
    }
    const error = await failure(Link.connect(server.url, server.reach))
    expect(error).toMatchObject({ code: 'FEATURE_MISSING', retryable: false })
    expect(error.message).toContain('telepathy')
    await until('it is told', () => server.last.frames.length === 2)
    expect(server.last.frames[1]?.kind).toBe(Kind.BYE)
    expect(JSON.parse(String(server.last.frames[1]?.payload)).code).toBe('FEATURE_MISSING')
  })
})
