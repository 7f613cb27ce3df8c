/**
 * The house style, as far as it can be counted: the rules of test/tidy/ on the real source tree.
 *
 * A rule that is wrong for a good reason is changed here, with the reason, and not worked around.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { clockCalls, consoleCalls, randomness, testCalls } from './tidy/calls.ts'
import {
  cycles,
  deadFiles,
  doors,
  floors,
  folderSize,
  inPackages,
  nodeFree,
  nodeImports,
  sides,
  vendors,
} from './tidy/layers.ts'
import { typeNames, unreadOptions } from './tidy/names.ts'
import { fileLength, functionLength, headers, language } from './tidy/shape.ts'
import { inOrder, readSources } from './tidy/source.ts'

const root = join(import.meta.dirname, '..')
const sources = readSources(root, ['base', 'socket', 'broker', 'test', 'examples', 'bench'])
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  exports: Record<string, string | Record<string, string>>
}
const exported = Object.values(manifest.exports).flatMap((entry) =>
  typeof entry === 'string' ? [] : [(entry['signalbox-source'] ?? '').replace(/^\.\//, '')],
)
const entries = [...new Set([...exported, 'broker/main.ts', 'socket/client/index.ts'])].filter((path) =>
  existsSync(join(root, path)),
)

// The public surface. A name is added here on purpose, with its documentation; to take one away breaks programs.
const socketValues = [
  'Consumer',
  'Link',
  'Provider',
  'RemoteError',
  'Request',
  'Server',
  'SignalboxError',
  'linkDefaults',
  'linkRules',
  'maxFrameBytes',
  'newId',
  'serverRules',
  'socketErrors',
  'systemClock',
]
const socketTypes = [
  'Answer',
  'Cancel',
  'Clock',
  'ConsumerOptions',
  'Dial',
  'DialSettings',
  'ErrorEntry',
  'ErrorExtras',
  'Handler',
  'Identity',
  'LinkEvent',
  'LinkInfo',
  'LinkOptions',
  'LinkStats',
  'ListenAddress',
  'OpenOptions',
  'PeerInfo',
  'Port',
  'PortOwner',
  'PostOptions',
  'ProviderOptions',
  'ReconnectOptions',
  'Role',
  'SendOptions',
  'ServeOptions',
  'ServerEvent',
  'ServerOptions',
  'ServerStats',
  'TlsOptions',
  'TransferOptions',
  'WaitOptions',
]
const brokerValues = ['Broker', 'RemoteError', 'SignalboxError', 'brokerErrors', 'connect', 'errors', 'socketErrors']
const brokerTypes = [
  'AttachOptions',
  'BrokerOptions',
  'BrokerStats',
  'Client',
  'ClientLimits',
  'ClientOptions',
  'ClientStats',
  'Delivery',
  'Durability',
  'ErrorCode',
  'From',
  'Gap',
  'Headers',
  'Identity',
  'LocalClientOptions',
  'Message',
  'Overflow',
  'PubSub',
  'PublishOptions',
  'Receipt',
  'RunOptions',
  'Status',
  'SubscribeOptions',
  'Subscription',
  'TopicOptions',
  'WaitOptions',
]

const typesOf = (path: string): string[] =>
  sources.filter((source) => source.path === path).flatMap((source) => typeNames(source))

describe('the source tree', () => {
  it('is where the rules look for it', () => {
    const packages = new Set(inPackages(sources).map((source) => source.folder))
    expect([...packages]).toEqual(['base', 'broker', 'socket'])
    expect(entries).toContain('socket/index.ts')
  })

  it('opens every file with a comment that says what it is', () => expect(headers(sources)).toEqual([]))
  it('imports only from lower floors', () => expect(floors(sources)).toEqual([]))
  it('has no import cycle', () => expect(cycles(sources)).toEqual([]))
  it('crosses between layers only by their public doors', () => expect(doors(sources)).toEqual([]))
  it('keeps the two sides of the broker apart', () => expect(sides(sources)).toEqual([]))
  it('has no crowded folder', () => expect(folderSize(sources)).toEqual([]))
  it("imports Node's modules only at the edges", () => expect(nodeImports(sources)).toEqual([]))
  it('has a client half that runs without Node', () => {
    const clientHalf = ['socket/client/index.ts', 'broker/client/connect.ts']
    expect(sources.map(({ path }) => path)).toEqual(expect.arrayContaining(clientHalf))
    expect(nodeFree(sources, clientHalf)).toEqual([])
  })
  it('imports each vendor in one file', () => expect(vendors(sources)).toEqual([]))
  it('has no dead file', () => expect(deadFiles(sources, entries)).toEqual([]))
  it('has no file over 400 lines', () => expect(fileLength(sources)).toEqual([]))
  it('has no function over 70 lines', () => expect(functionLength(sources)).toEqual([]))
  it('keeps to erasable syntax and plain names', () => expect(language(sources)).toEqual([]))
  it('takes time and chance from the clock alone', () => expect(clockCalls(sources)).toEqual([]))
  it('draws unguessable numbers in one file', () => expect(randomness(sources)).toEqual([]))
  it('prints nothing', () => expect(consoleCalls(sources)).toEqual([]))
  it('has no lonely and no timed test', () => expect(testCalls(sources)).toEqual([]))
  it('has no option that nobody reads', () => expect(unreadOptions(sources)).toEqual([]))

  it('keeps registry addresses out of the lock file', () => {
    expect(readFileSync(join(root, 'package-lock.json'), 'utf8')).not.toContain('"resolved"')
  })
})

describe('the public names', () => {
  it('of signalbox/socket are these values', async () => {
    expect(inOrder(Object.keys(await import('signalbox/socket')))).toEqual(socketValues)
  })

  it('of signalbox/socket are these types', () => expect(typesOf('socket/index.ts')).toEqual(socketTypes))

  it('of signalbox are these values', async () => {
    expect(inOrder(Object.keys(await import('signalbox')))).toEqual(brokerValues)
  })

  it('of signalbox are these types', () => expect(typesOf('broker/index.ts')).toEqual(brokerTypes))
})
