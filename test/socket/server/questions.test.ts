/** Hooks that take their time, and many who make the server ask them: what is asked is bounded, whoever comes and goes. */
import { type Identity, Link, Server, type ServerOptions } from 'signalbox/socket'
import { expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { goodHello, RawPeer } from '../tools/raw-peer.ts'
import { until } from '../tools/until.ts'
import { encodeFrame, json } from '../wire/naive-frame.ts'

const MiB = 1024 * 1024
/** 15 KB that take twenty times as much when they are parsed. */
const large = Array.from({ length: 5_000 }, () => ({}))

/** A hook that answers when it is told to. */
function slow<Answer>() {
  const answers: ((answer: Answer) => void)[] = []
  return { answers, hook: (): Promise<Answer> => new Promise((resolve) => answers.push(resolve)) }
}

async function greets(url: string, auth: unknown): Promise<RawPeer> {
  const peer = await RawPeer.connect(url)
  peer.write(encodeFrame({ kind: Kind.HELLO, payload: json({ ...goodHello(), auth }) }))
  return peer
}

const listen = (options: ServerOptions) =>
  Server.listen({ graceMs: 0, maxMemoryBytes: 16 * MiB, handshakeTimeoutMs: 60_000, ...options })

it('[SOCK 3.7] credentials that take much while authenticate thinks are bounded together, and keep nobody else out', async () => {
  const { answers, hook } = slow<Identity>()
  await using server = await listen({ authenticate: hook })
  const peers = await Promise.all(Array.from({ length: 50 }, () => greets(server.url, large)))
  await until('all are asked about or refused', () => answers.length + server.stats().refused === 50)
  expect(answers.length).toBeGreaterThan(0)
  expect(answers.length).toBeLessThan(5)
  const asked = answers.length
  const link = Link.connect(server.url, { auth: 'x'.repeat(1_000), connectTimeoutMs: 60_000 })
  await until('the small one is asked about', () => answers.length > asked)
  for (const answer of answers.splice(0)) answer({})
  const small = await link
  // There is room again.
  peers.push(await greets(server.url, large))
  await until('it is asked about', () => answers.length === 1)
  await small.close()
  for (const peer of peers) await peer[Symbol.asyncDispose]()
})

it('whoever goes while authenticate thinks, and comes again, makes no room by that', async () => {
  const { answers, hook } = slow<Identity>()
  await using server = await listen({ authenticate: hook })
  for (let i = 0; i < 20; i++) {
    await using _peer = await greets(server.url, large)
    await until('it is asked about or refused', () => answers.length + server.stats().refused > i)
  }
  await until('all have gone', () => server.stats().handshakes === 0)
  expect(answers.length).toBeLessThan(5)
})

it('a hook that never answers is not counted for ever', async () => {
  const { answers, hook } = slow<Identity>()
  await using server = await listen({ authenticate: hook, handshakeTimeoutMs: 100 })
  const peers = await Promise.all(Array.from({ length: 20 }, () => greets(server.url, large)))
  await until('all are over', () => server.stats().refused === 20)
  const asked = answers.length
  await until('somebody is asked about again', async () => {
    peers.push(await greets(server.url, large))
    return answers.length > asked
  })
  for (const peer of peers) await peer[Symbol.asyncDispose]()
})

it('[SOCK 4.3] channel ends that authorise thinks about are bounded over all links, also those that have gone', async () => {
  const { answers, hook } = slow<boolean>()
  await using server = await listen({ authorise: hook, maxMemoryBytes: 4 * MiB })
  for (let i = 1; i <= 5; i++) {
    await using peer = await RawPeer.welcomed(server.url)
    for (let number = 1; number <= 1_000; number++) peer.open(number, 'consumer', newId(), true)
    await until('all are asked about or refused', () => answers.length + server.stats().refused >= i * 1_000)
  }
  // A megabyte of questions.
  expect(answers.length).toBeLessThanOrEqual(1_048)
  for (const answer of answers.splice(0)) answer(true)
  await using peer = await RawPeer.welcomed(server.url)
  peer.open(1, 'consumer', newId(), true)
  await until('it is asked about', () => answers.length === 1)
  answers[0]?.(true)
  await peer.next(Kind.OPENED)
})
