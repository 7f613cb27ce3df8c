/**
 * Shows that every tidy rule can fail: each is fed a made-up tree with one fault, and the same tree without it.
 */
import { describe, expect, it } from 'vitest'
import { clockCalls, consoleCalls, randomness, testCalls } from './calls.ts'
import { cycles, deadFiles, doors, floors, folderSize, nodeFree, nodeImports, sides, vendors } from './layers.ts'
import { typeNames, unreadOptions } from './names.ts'
import { fileLength, functionLength, headers, language } from './shape.ts'
import { parseSource, type Source } from './source.ts'

/** Sources from `{ path: code }`; each gets a header on floor 3 unless it brings its own comment. */
function tree(files: Record<string, string>): Source[] {
  return Object.entries(files).map(([path, code]) =>
    parseSource(path, code.startsWith('/**') ? code : `/** Made up. Floor 3. */\n${code}\n`),
  )
}

const low = '/** Low. Floor 1. */\nexport const low = 1\n'
const lines = (count: number): string => 'void 0\n'.repeat(count)

describe('headers', () => {
  it('wants a comment first', () => {
    expect(headers([parseSource('socket/a.ts', 'export const a = 1\n')])).toHaveLength(1)
    expect(headers([parseSource('broker/main.ts', '#!/usr/bin/env node\n/** Starts it. Floor 9. */\n')])).toEqual([])
  })
})

describe('floors', () => {
  it('wants each file to name its floor', () => {
    expect(floors(tree({ 'socket/a.ts': '/** Says nothing. */' }))).toEqual([
      "socket/a.ts: the header comment does not say 'Floor N.'",
    ])
  })

  it.each([
    "import { b } from './b.ts'",
    "import type { b } from './b.ts'",
    "import { type b } from './b.ts'",
    "export { b } from './b.ts'",
    "await import('./b.ts')",
    "type B = import('./b.ts').B",
  ])('refuses its own floor: %s', (code) => {
    expect(floors(tree({ 'socket/a.ts': code, 'socket/b.ts': '' }))).toEqual([
      'socket/a.ts:2: floor 3 imports socket/b.ts, which is on floor 3',
    ])
    expect(floors(tree({ 'socket/a.ts': code, 'socket/b.ts': low }))).toEqual([])
  })

  it('refuses a file that is not there', () => {
    expect(floors(tree({ 'socket/a.ts': "import './gone.ts'" }))).toEqual(["socket/a.ts:2: './gone.ts' is no file"])
  })
})

describe('cycles', () => {
  it('says each once', () => {
    const files = { 'socket/b.ts': "import './deep/c.ts'", 'socket/deep/c.ts': "import '../a.ts'" }
    expect(cycles(tree({ 'socket/a.ts': "import './b.ts'", ...files }))).toEqual([
      'socket/a.ts -> socket/b.ts -> socket/deep/c.ts -> socket/a.ts',
    ])
    expect(cycles(tree({ 'socket/a.ts': '', ...files }))).toEqual([])
  })
})

describe('doors', () => {
  it.each([
    ['socket/a.ts', '../broker/b.ts'],
    ['socket/a.ts', '#socket'],
    ['socket/a.ts', 'signalbox'],
    ['broker/a.ts', '../base/clock.ts'],
    ['broker/a.ts', '../socket/index.ts'],
    ['broker/a.ts', 'signalbox/socket'],
    ['broker/a.ts', '../test/a.ts'],
    ['test/a.test.ts', '../bench/a.ts'],
    ['test/a.test.ts', '#socket'],
    ['examples/a.ts', '../socket/index.ts'],
    ['examples/a.ts', 'signalbox/broker'],
    ['bench/a.ts', '../broker/broker.ts'],
    ['bench/a.ts', '#socket'],
  ])('stops %s at %s', (path, specifier) => {
    expect(doors(tree({ [path]: `import '${specifier}'` }))).toHaveLength(1)
  })

  it.each([
    ['socket/a.ts', './deep/b.ts'],
    ['broker/a.ts', '#socket'],
    ['test/socket/a.test.ts', '../../socket/a.ts'],
    ['test/a.test.ts', 'signalbox'],
    ['examples/a.ts', 'signalbox/socket'],
    ['bench/a.ts', 'ioredis'],
  ])('lets %s through to %s', (path, specifier) => {
    expect(doors(tree({ [path]: `import '${specifier}'` }))).toEqual([])
  })
})

describe('sides', () => {
  it('keeps client and hub apart, and lets both see what they share', () => {
    const there = { 'broker/hub/topics.ts': '', 'broker/shared/gap.ts': '', 'broker/client/client.ts': '' }
    const fault = { ...there, 'broker/client/deep/a.ts': "import type { Topics } from '../../hub/topics.ts'" }
    expect(sides(tree(fault))).toEqual(["broker/client/deep/a.ts:2: client/ imports '../../hub/topics.ts'"])
    const other = { ...there, 'broker/hub/a.ts': "export { a } from '../client/client.ts'" }
    expect(sides(tree(other))).toEqual(["broker/hub/a.ts:2: hub/ imports '../client/client.ts'"])
    const good = {
      ...there,
      'broker/client/a.ts': "import '../shared/gap.ts'\nimport './client.ts'",
      'broker/broker.ts': "import './hub/topics.ts'\nimport './client/client.ts'",
    }
    expect(sides(tree(good))).toEqual([])
  })
})

describe('folderSize', () => {
  const folder = (name: string, count: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`${name}/file-${i}.ts`, '']))

  it('ends a folder at fifteen files, and does not count those of the folders in it', () => {
    expect(folderSize(tree({ ...folder('socket/wire', 15), ...folder('socket/wire/deep', 15) }))).toEqual([])
    expect(folderSize(tree(folder('socket/wire', 16)))).toEqual(['socket/wire/: 16 files, 15 at most'])
    expect(folderSize(tree(folder('test/socket', 40)))).toEqual([])
  })
})

describe('nodeImports', () => {
  it('keeps them at the edges', () => {
    const code = "import type { Socket } from 'node:net'"
    expect(nodeImports(tree({ 'socket/link.ts': code }))).toHaveLength(1)
    expect(nodeImports(tree({ 'socket/transport/port.ts': code }))).toHaveLength(1)
    expect(nodeImports(tree({ 'socket/server.ts': `/** Node only. Floor 5. */\n${code}` }))).toHaveLength(1)
    expect(nodeImports(tree({ 'socket/link.ts': "import 'net'" }))).toEqual(["socket/link.ts:2: write 'node:net'"])
    expect(nodeImports(tree({ 'socket/transport/node/tcp.ts': code, 'broker/main.ts': code }))).toEqual([])
  })
})

describe('nodeFree', () => {
  const entries = ['broker/client/connect.ts']
  const files = (last: string): Source[] =>
    tree({
      'broker/client/connect.ts': "import { Link } from '#socket/client'",
      'socket/client/index.ts': "export { Link } from './link.ts'",
      'socket/client/link.ts': "import '#base/bytes'",
      'base/bytes.ts': last,
    })

  it.each(["import 'node:net'", "import type { Socket } from 'node:net'", "await import('node:net')"])(
    'says by which way an entry reaches a module of Node: %s',
    (code) => {
      const way = 'broker/client/connect.ts -> socket/client/index.ts -> socket/client/link.ts -> base/bytes.ts'
      expect(nodeFree(files(code), entries)).toEqual([`${way} -> node:net`])
    },
  )

  it('does not mind what no entry reaches', () => {
    const server = tree({ 'socket/index.ts': "import 'node:net'" })
    expect(nodeFree([...files(''), ...server], entries)).toEqual([])
  })
})

describe('vendors', () => {
  it('are imported in one file, whatever part of them', () => {
    const first = { 'broker/a.ts': "import '@msgpack/msgpack'" }
    expect(vendors(tree({ ...first, 'socket/b.ts': "import '@msgpack/msgpack/lite'" }))).toEqual([
      "'@msgpack/msgpack' is imported in more than one file: broker/a.ts, socket/b.ts",
    ])
    expect(vendors(tree({ ...first, 'socket/b.ts': "import 'uuid'", 'test/c.ts': "import 'uuid'" }))).toEqual([])
  })
})

describe('deadFiles', () => {
  it('follows imports and worker URLs from the entries', () => {
    const files = tree({
      'socket/index.ts': "export { a } from './a.ts'",
      'socket/a.ts': "new Worker(new URL('./worker.ts', import.meta.url))",
      'socket/worker.ts': '',
      'broker/forgotten.ts': '',
    })
    expect(deadFiles(files, ['socket/index.ts'])).toEqual([
      'broker/forgotten.ts: nothing leads here from socket/index.ts',
    ])
  })
})

describe('sizes', () => {
  it('ends a file at 400 lines', () => {
    expect(fileLength(tree({ 'socket/a.ts': `/** A. */\n${lines(399)}` }))).toEqual([])
    expect(fileLength(tree({ 'socket/a.ts': `/** A. */\n${lines(400)}` }))).toEqual([
      'socket/a.ts: 401 lines, 400 at most',
    ])
  })

  it.each([
    ['function a() {', '}'],
    ['const a = () => {', '}'],
    ['class A { a() {', '} }'],
    ['const a = { a() {', '} }'],
  ])('ends a function at 70 lines: %s', (head, foot) => {
    expect(functionLength(tree({ 'socket/a.ts': `${head}\n${lines(68)}${foot}` }))).toEqual([])
    expect(functionLength(tree({ 'socket/a.ts': `${head}\n${lines(69)}${foot}` }))).toEqual([
      'socket/a.ts:2: a function of 71 lines, 70 at most',
    ])
  })
})

describe('language', () => {
  it.each([
    'enum Colour { Red }',
    'const enum Colour { Red }',
    'namespace Things { export const a = 1 }',
    "export * from './a.ts'",
    'export default 1',
    'class A { private a = 1 }',
    'class A { private constructor() {} }',
    'class A { constructor(readonly a: number) {} }',
    'interface IThing {}',
    'class ThingImpl {}',
  ])('refuses: %s', (code) => {
    expect(language(tree({ 'socket/a.ts': code }))).toHaveLength(1)
  })

  it('lets words be words', () => {
    const code = "class A { #private = 'enum' }\ninterface InFlight {}\nconst implicit = 'export * from'"
    expect(language(tree({ 'socket/a.ts': code }))).toEqual([])
  })
})

describe('clockCalls', () => {
  it.each([
    'Date.now()',
    'new Date()',
    'Date()',
    'setTimeout(() => {}, 1)',
    'globalThis.setInterval(() => {}, 1)',
    'setImmediate(() => {})',
    'const later = queueMicrotask',
    'const { after = setTimeout } = {}',
    'process.nextTick(() => {})',
    'Math.random()',
    'performance.now()',
    'AbortSignal.timeout(1)',
    "import { setTimeout as sleep } from 'node:timers/promises'",
  ])('refuses: %s', (code) => {
    expect(clockCalls(tree({ 'broker/a.ts': code }))).not.toEqual([])
    expect(clockCalls(tree({ 'base/clock.ts': code, 'test/a.ts': code }))).toEqual([])
  })

  it('lets words be words', () => {
    const code = "// Date.now()\nconst a = 'setTimeout('\nsocket.setTimeout(1)\nlet t: ReturnType<typeof setTimeout>"
    expect(clockCalls(tree({ 'socket/a.ts': code }))).toEqual([])
  })
})

describe('randomness', () => {
  it('comes from one file', () => {
    const first = { 'socket/identity.ts': "import { randomUUID } from 'node:crypto'" }
    expect(randomness(tree(first))).toEqual([])
    expect(randomness(tree({ ...first, 'broker/a.ts': 'globalThis.crypto.getRandomValues(bytes)' }))).toEqual([
      "crypto's random is used in more than one file: socket/identity.ts, broker/a.ts",
    ])
  })
})

describe('consoleCalls', () => {
  it('belong in main', () => {
    expect(consoleCalls(tree({ 'broker/a.ts': "console.log('x')" }))).toHaveLength(1)
    expect(consoleCalls(tree({ 'broker/main.ts': "console.log('x')" }))).toEqual([])
  })
})

describe('testCalls', () => {
  it.each([
    "it.only('x', () => {})",
    'describe.concurrent.only',
    'it.only.each([])',
    'expect(elapsed).toBeLessThan(100)',
    'expect(performance.now() - start).toBeLessThanOrEqual(100)',
  ])('refuses: %s', (code) => {
    expect(testCalls(tree({ 'test/a.test.ts': code }))).toHaveLength(1)
  })

  it('lets other comparisons be', () => {
    const code = "expect(queue.length).toBeLessThan(100)\nconst a = 'it.only('\nfilter.only()"
    expect(testCalls(tree({ 'test/a.test.ts': code }))).toEqual([])
  })
})

describe('unreadOptions', () => {
  it.each(['use(options.windowBytes)', 'const { windowBytes = 1 } = options', "use(options['windowBytes'])"])(
    'knows a reader: %s',
    (code) => {
      const options = 'export interface LinkOptions { windowBytes?: number }\nverify(o.windowBytes)'
      expect(unreadOptions(tree({ 'socket/options.ts': options, 'broker/a.ts': code }))).toEqual([
        'socket/options.ts:2: nobody reads LinkOptions.windowBytes',
      ])
      expect(unreadOptions(tree({ 'socket/options.ts': options, 'socket/a.ts': code }))).toEqual([])
    },
  )
})

describe('typeNames', () => {
  it('lists what is exported as a type only', () => {
    const code = "export { type B, c } from './b.ts'\nexport type { A } from './a.ts'\nexport interface D {}"
    expect(tree({ 'socket/index.ts': code }).flatMap(typeNames)).toEqual(['A', 'B', 'D'])
  })
})
