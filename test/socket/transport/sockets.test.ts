/** Dialling and listening: what cannot be is an error with a code, and nobody can hold up the door. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server as NetServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../base/clock.ts'
import { socketTransports } from '../../../socket/transport/node/dial.ts'
import { listen } from '../../../socket/transport/node/listen.ts'
import type { DialSettings, Listener, Port } from '../../../socket/transport/port.ts'
import { dialOf } from '../../../socket/transport/transports.ts'
import { Child } from '../tools/child.ts'
import { until } from '../tools/until.ts'
import { certificate } from './certificate.ts'

const settings = { clock: systemClock, handshakeTimeoutMs: 5_000, reserve: () => () => {} }
const releases: (() => unknown)[] = []

const dial = (url: string, given: Partial<DialSettings> = {}, signal = new AbortController().signal): Promise<Port> =>
  dialOf(url, socketTransports)(url, { clock: systemClock, connectTimeoutMs: 5_000, ...given }, signal)

afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release()
})

/** A listener of the plainest kind, which accepts and says nothing. */
async function silentServer(): Promise<{ url: string; sockets: Socket[] }> {
  const sockets: Socket[] = []
  const server: NetServer = createServer((socket) => {
    sockets.push(socket.on('error', () => {}).resume())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  releases.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as { port: number }
  return { url: `tcp://127.0.0.1:${port}`, sockets }
}

function plainSocket(url: string): Socket {
  const { port } = new URL(url.replace(/^tls/, 'tcp'))
  const socket = connect(Number(port), '127.0.0.1').on('error', () => {})
  releases.push(() => socket.destroy())
  return socket
}

const listening = async (...[where, how, accept]: Parameters<typeof listen>): Promise<Listener> => {
  const listener = await listen(where, how, accept)
  releases.push(() => listener.close())
  return listener
}

describe('dialling', () => {
  it('fails with CONNECT_FAILED where nobody listens, and gives the reason', async () => {
    const { url } = await silentServer()
    await releases.pop()?.()
    const failure = dial(url)
    await expect(failure).rejects.toMatchObject({ code: 'CONNECT_FAILED', retryable: true })
    await expect(failure).rejects.toThrow(/ECONNREFUSED/)
    const nowhere = dial('unix:/nowhere/at/all')
    await expect(nowhere).rejects.toThrow(/ENOENT/)
  })

  it('fails with CONNECT_FAILED when nobody answers in time', async () => {
    const { url } = await silentServer()
    const failure = dial(url.replace('tcp:', 'tls:'), { tls: { ca: '' }, connectTimeoutMs: 50 })
    await expect(failure).rejects.toMatchObject({ code: 'CONNECT_FAILED' })
    await expect(failure).rejects.toThrow(/no answer within 50 ms/)
  })

  it('is given up when its signal is aborted, before or while it is under way', async () => {
    const { url, sockets } = await silentServer()
    const tls = url.replace('tcp:', 'tls:')
    const before = dial(tls, {}, AbortSignal.abort('before'))
    await expect(before).rejects.toMatchObject({ code: 'CONNECT_FAILED', cause: 'before' })
    const controller = new AbortController()
    const during = dial(tls, {}, controller.signal)
    await until('it has connected', () => sockets.length > 0)
    controller.abort('during')
    await expect(during).rejects.toMatchObject({ code: 'CONNECT_FAILED', cause: 'during' })
    await until('the socket is gone', () => sockets.every(({ closed }) => closed))
  })

  it('fails with CONNECT_FAILED when the certificate is not trusted', async (context) => {
    const { key, cert } = certificate(context)
    const { url } = await listening({ tls: { key, cert } }, settings, () => {})
    await expect(dial(url, { tls: {} })).rejects.toMatchObject({ code: 'CONNECT_FAILED' })
  })

  it('fails with CONNECT_FAILED when the TLS settings make no sense', async () => {
    const { url } = await silentServer()
    const failure = dial(url.replace('tcp:', 'tls:'), { tls: { ca: 5, cert: {} } })
    await expect(failure).rejects.toMatchObject({ code: 'CONNECT_FAILED' })
  })

  it('makes no warning of a TLS address that is a number', async (context) => {
    const { key, cert } = certificate(context)
    const warnings: Error[] = []
    const onWarning = (warning: Error): void => void warnings.push(warning)
    process.on('warning', onWarning)
    releases.push(() => process.off('warning', onWarning))
    const { url } = await listening({ tls: { key, cert } }, settings, (port) => port.close())
    const port = await dial(url, { tls: { ca: cert } })
    const named = await dial(url.replace('127.0.0.1', 'localhost'), { tls: { ca: cert } })
    for (const one of [port, named]) one.destroy()
    await new Promise(setImmediate)
    expect(warnings).toEqual([])
  })
})

describe('listening', () => {
  it('fails with LISTEN_FAILED where it cannot', async () => {
    const { url } = await listening({}, settings, () => {})
    const taken = { port: Number(new URL(url).port) }
    await expect(listen(taken, settings, () => {})).rejects.toMatchObject({ code: 'LISTEN_FAILED', retryable: true })
    await expect(listen(taken, settings, () => {})).rejects.toThrow(/EADDRINUSE/)
    await expect(listen({ path: '/nowhere/at/all' }, settings, () => {})).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
    })
  })

  it('fails with INVALID_OPTION for a unix socket with TLS, which nobody could dial', async () => {
    const refused = listen({ url: 'unix:/nowhere/at/all', tls: {} }, settings, () => {})
    await expect(refused).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })

  it('fails with LISTEN_FAILED when the TLS settings make no sense', async () => {
    const failure = listen({ tls: { key: 'no key', cert: 'no certificate' } }, settings, () => {})
    await expect(failure).rejects.toMatchObject({ code: 'LISTEN_FAILED' })
  })

  it('picks a free port and says which', async () => {
    const one = await listening({ port: 0 }, settings, () => {})
    const two = await listening({ host: '::1' }, settings, () => {}).catch(() => one)
    expect(one.url).toMatch(/^tcp:\/\/127\.0\.0\.1:[1-9]\d+$/)
    expect(two.url).toMatch(/^tcp:\/\/(\[::1\]|127\.0\.0\.1):[1-9]\d+$/)
  })

  it('takes the path of a unix socket and gives it back when it closes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'signalbox-'))
    releases.push(() => rmSync(folder, { recursive: true, force: true }))
    const path = join(folder, 'socket')
    for (let round = 0; round < 2; round++) {
      const listener = await listen({ path }, settings, () => {})
      expect(listener.url).toBe(`unix:${path}`)
      await listener.close()
    }
  })

  it('takes the path that a killed server has left behind, but not that of a living one, nor any other file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'signalbox-'))
    releases.push(() => rmSync(folder, { recursive: true, force: true }))
    const path = join(folder, 'socket')
    await using child = new Child('listening', path)
    await child.says('ready')
    await expect(listen({ path }, settings, () => {})).rejects.toMatchObject({ code: 'LISTEN_FAILED' })
    child.process.kill('SIGKILL')
    await child.ended()
    const listener = await listen({ path }, settings, () => {})
    const port = await dial(listener.url)
    port.destroy()
    await listener.close()
    const file = join(folder, 'file')
    writeFileSync(file, 'precious')
    await expect(listen({ path: file }, settings, () => {})).rejects.toThrow(/EADDRINUSE/)
    expect(readFileSync(file, 'utf8')).toBe('precious')
  })

  it('cuts a peer that connects to a TLS port and says nothing', async (context) => {
    const { key, cert } = certificate(context)
    const accepted: Port[] = []
    const { url } = await listening({ tls: { key, cert } }, { ...settings, handshakeTimeoutMs: 50 }, (port) =>
      accepted.push(port),
    )
    const socket = plainSocket(url)
    socket.resume()
    await until('it was cut', () => socket.closed)
    expect(accepted).toEqual([])
  })

  it('is not held up in closing by a peer that never finishes its TLS handshake', async (context) => {
    const { key, cert } = certificate(context)
    const listener = await listen({ tls: { key, cert } }, { ...settings, handshakeTimeoutMs: 600_000 }, () => {})
    const socket = plainSocket(listener.url)
    socket.resume()
    await until('it has connected', () => socket.readyState === 'open')
    await new Promise((resolve) => setTimeout(resolve, 20))
    await listener.close()
    await until('it was cut', () => socket.closed)
  })
})
