/** The same channels over TLS: only between those who can prove what they are. */
import { Link, Server } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { bytes, failure, text } from '../tools/house.ts'
import { certificate } from './certificate.ts'

describe('a channel over tls', () => {
  it('carries requests of every size, and names its transport', async (context) => {
    const { key, cert } = certificate(context)
    await using server = await Server.listen({ tls: { key, cert } })
    expect(server.url).toMatch(/^tls:\/\/127\.0\.0\.1:\d+$/)
    await using far = await Link.connect(server.url, { tls: { ca: cert } })
    await using near = await Link.connect(server.url.replace('127.0.0.1', 'localhost'), { tls: { ca: cert } })
    const provider = await far.provider(newId())
    const consumer = await near.consumer(provider.channelId)
    provider.serve(({ payload, peer }) => (payload.length > 10 ? payload : bytes(peer.transport)))
    expect(text(await consumer.send(bytes('a')))).toBe('tls')
    const large = Buffer.from(Array.from({ length: 1_000_000 }, (_, at) => (at * at) % 251))
    expect(large.equals(await consumer.send(large))).toBe(true)
  })

  it('is not opened to a server that cannot prove its name, nor by a client without a certificate that is asked for one', async (context) => {
    const { key, cert } = certificate(context)
    await using server = await Server.listen({ tls: { key, cert } })
    expect((await failure(Link.connect(server.url))).code).toBe('CONNECT_FAILED')
    const plain = server.url.replace('tls:', 'tcp:')
    expect((await failure(Link.connect(plain, { connectTimeoutMs: 2_000 }))).code).toBe('CONNECT_FAILED')
    await using strict = await Server.listen({ tls: { key, cert, ca: cert, requestCert: true } })
    expect((await failure(Link.connect(strict.url, { tls: { ca: cert } }))).code).toBe('CONNECT_FAILED')
    await using known = await Link.connect(strict.url, { tls: { ca: cert, key, cert } })
    expect([known.isOpen, strict.stats().links]).toEqual([true, 1])
  })

  it('is never opened in the clear by who said how to be secure, nor by a server that cannot prove who it is', async (context) => {
    const { cert } = certificate(context)
    await using open = await Server.listen()
    const inTheClear = await failure(Link.connect(open.url, { tls: { ca: cert } }))
    expect([inTheClear.code, inTheClear.message]).toEqual(['INVALID_OPTION', expect.stringContaining("'tls://")])
    expect((await failure(Server.listen({ tls: {} }))).code).toBe('INVALID_OPTION')
    expect((await failure(Server.listen({ tls: { cert: undefined } }))).code).toBe('INVALID_OPTION')
    expect((await failure(Server.listen({ tls: { cert } }))).message).toContain('key')
  })

  it('a client that forgot tls is told that it may be missing', async (context) => {
    await using server = await Server.listen({ tls: { ...certificate(context) } })
    const { code, message } = await failure(Link.connect(server.url.replace('tls:', 'tcp:')))
    expect([code, message]).toEqual(['CONNECT_FAILED', expect.stringContaining('may expect tls')])
  })
})
