/**
 * The package as its users get it: packed, installed in an empty project, run with plain node, compiled against.
 */
import { readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest'
import { absent } from './absent.ts'
import { installedProject, type Project, RegistryAbsent } from './package/tarball.ts'

const brokerProgram = `
import { Broker, connect } from 'signalbox'

const broker = await Broker.listen({ port: 0 })
const client = await connect(broker.url)
const orders = await client.subscribe('orders.*')
await client.publish('orders.created', { id: 7 })
for await (const message of orders) {
  console.log(message.topic, message.seq, JSON.stringify(message.data))
  break
}
await client.close()
await broker.close()
`

const socketProgram = `
import { randomUUID } from 'node:crypto'
import { Consumer, Provider, Server } from 'signalbox/socket'

const channel = randomUUID()
const server = await Server.listen({ port: 0 })
const provider = await Provider.connect(server.url, channel)
const consumer = await Consumer.connect(server.url, channel)
const answering = (async () => {
  for await (const request of provider) await request.respond(Buffer.from(request.payload).reverse())
})()
console.log(Buffer.from(await consumer.send(Buffer.from('stressed'))).toString())
await consumer.close()
await provider.close()
await answering
await server.close()
`

const typedProgram = `
import { Broker, connect } from 'signalbox'
import { Consumer, Provider, Server, SignalboxError } from 'signalbox/socket'

export async function messages(): Promise<string[]> {
  await using broker = await Broker.listen({ port: 0 })
  const client = await connect(broker.url)
  const seen: string[] = []
  await client.publish('orders.created', { id: 7 }, { headers: { source: 'api' } })
  for await (const message of await client.subscribe('orders.*', { buffer: 10 })) {
    const topic: string = message.topic
    const seq: number = message.seq
    const payload: Uint8Array = message.payload
    seen.push(topic + seq + payload.byteLength)
  }
  // @ts-expect-error a topic is text
  await client.publish(7, 'x')
  // @ts-expect-error a port is a number
  await Broker.listen({ port: 'x' })
  await client.close()
  return seen
}

export async function request(channel: string): Promise<Uint8Array> {
  const server = await Server.listen({ port: 0 })
  const provider = await Provider.connect(server.url, channel)
  const consumer = await Consumer.connect(server.url, channel)
  provider.serve(async (request) => request.payload)
  // @ts-expect-error a payload is bytes
  await consumer.send('text')
  return consumer.send(new Uint8Array(3), { timeoutMs: 5_000 })
}

export const isRetryable = (error: unknown): boolean => error instanceof SignalboxError && error.retryable
`

const compilerOptions = {
  target: 'ES2023',
  lib: ['ES2023', 'ESNext.Disposable'],
  module: 'NodeNext',
  moduleResolution: 'NodeNext',
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noEmit: true,
  skipLibCheck: false,
}

describe('the package', { timeout: 60_000 }, () => {
  let made: Project | RegistryAbsent

  beforeAll(async () => {
    made = await installedProject().catch((error: unknown) => {
      if (error instanceof RegistryAbsent) return error
      throw error
    })
  }, 400_000)

  afterAll(() => {
    if (made && !(made instanceof RegistryAbsent)) made.remove()
  })

  const project = (context: TestContext): Project =>
    made instanceof RegistryAbsent ? absent(context, made.message) : made

  it('holds what is run and what is read, and nothing else', (context) => {
    const files = project(context).files()
    expect(files).toEqual(expect.arrayContaining(['package.json', 'LICENSE', 'README.md', 'docs/errors.md']))
    const other = files.filter(
      (path) =>
        !/^(package\.json|LICENSE|(README|CHANGELOG|(socket|broker)\/PROTOCOL)\.md|docs\/.*)$/.test(path) &&
        !/^dist\/(base|socket|broker)\/.*\.(js|d\.ts)(\.map)?$/.test(path) &&
        !/^(base|socket|broker|examples)\/.*\.(ts|md)$/.test(path),
    )
    expect(other).toEqual([])
  })

  it('has every file that its exports lead to', (context) => {
    const files = project(context).files()
    const path = join(project(context).path, 'node_modules/signalbox/package.json')
    const { exports, imports } = JSON.parse(readFileSync(path, 'utf8')) as Record<string, Record<string, unknown>>
    const text = JSON.stringify({ exports, imports })
    const targets = [...text.matchAll(/"\.\/([^"]*\.[a-z]+)"(?!:)/g)].map((match) => match[1])
    expect(targets).toContain('dist/broker/index.js')
    // A pattern leads to every file of a folder.
    expect(files).toEqual(expect.arrayContaining(targets.filter((target) => !target?.includes('*'))))
  })

  it('has every source that its maps lead to', (context) => {
    const files = project(context).files()
    const maps = files.filter((path) => path.endsWith('.map'))
    expect(maps.length).toBeGreaterThan(100)
    for (const path of maps) {
      const map = project(context).read(path)
      const { sources } = JSON.parse(map) as { sources: string[] }
      for (const source of sources) expect(files, path).toContain(posix.join(posix.dirname(path), source))
    }
  })

  it('has every file that its pages link to', (context) => {
    const files = project(context).files()
    for (const path of files.filter((each) => each.endsWith('.md'))) {
      const links = [
        ...project(context)
          .read(path)
          .matchAll(/\]\((?!https?:|#)([^)#\s]+)/g),
      ].map(([, link = '']) => link)
      for (const link of links) {
        const target = posix.join(posix.dirname(path), link).replace(/\/$/, '')
        expect(
          files.some((each) => each === target || each.startsWith(`${target}/`)),
          `${path}: ${link}`,
        ).toBe(true)
      }
    }
  })

  it('runs nothing when it is installed', (context) => {
    const { scripts = {} } = JSON.parse(project(context).read('package.json')) as { scripts?: Record<string, string> }
    expect(Object.keys(scripts).filter((name) => /^(pre|post)?(install|prepare)$/.test(name))).toEqual([])
  })

  it('publishes and receives a message in plain node, and lets the process end', async (context) => {
    project(context).write('broker.js', brokerProgram)
    expect(await project(context).node('broker.js')).toBe('orders.created 1 {"id":7}\n')
  })

  it('answers a request in plain node, and lets the process end', async (context) => {
    project(context).write('socket.js', socketProgram)
    expect(await project(context).node('socket.js')).toBe('desserts\n')
  })

  it('gives a strict compiler types that hold', async (context) => {
    project(context).write('typed.ts', typedProgram)
    project(context).write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['typed.ts'] }))
    const tsc = join(import.meta.dirname, '../node_modules/typescript/bin/tsc')
    expect(await project(context).node(tsc, '-p', '.')).toBe('')
  })
})
