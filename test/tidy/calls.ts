/**
 * The tidy rules on what may be called where: time and randomness in one file, no console, honest tests.
 */
import { inPackages } from './layers.ts'
import { select } from './shape.ts'
import { dottedName, type Node, type Source, walk } from './source.ts'

const clock = 'base/clock.ts'
const timers = new Set(['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'])
const readings = new Set([
  'AbortSignal.timeout',
  'Date.now',
  'Math.random',
  'performance.now',
  'process.hrtime',
  'process.nextTick',
])
const timeModules = /^node:(timers|perf_hooks)\b/
const cryptoRandom = new Set([
  'getRandomValues',
  'randomBytes',
  'randomFill',
  'randomFillSync',
  'randomInt',
  'randomUUID',
])

/** Time, turns and randomness come in through the clock, or the whole cannot run under a simulated one. */
export function clockCalls(sources: readonly Source[]): string[] {
  return inPackages(sources)
    .filter((source) => source.path !== clock)
    .flatMap((source) =>
      select(source, (node, parent) => {
        const name = timeOrChance(node, parent)
        return name === undefined ? undefined : `'${name}' belongs in ${clock}`
      }),
    )
}

function timeOrChance(node: Node, parent: Node | undefined): string | undefined {
  if (node.type === 'ImportDeclaration') {
    const from = String(node.source?.value)
    return timeModules.test(from) ? from : undefined
  }
  const isCall = node.type === 'NewExpression' || node.type === 'CallExpression'
  if (isCall && dottedName(node.callee) === 'Date') return node.type === 'NewExpression' ? 'new Date' : 'Date'
  const name = dottedName(node)
  if (node.type === 'MemberExpression') return readings.has(name) || timers.has(name) ? name : undefined
  return timers.has(name) && parent !== undefined && isValue(node, parent) ? name : undefined
}

/**
 * Whether a name stands for a value, and is not a mere label: `x.setTimeout`, `{ setTimeout: 1 }`, `typeof` in a type.
 */
function isValue(node: Node, parent: Node): boolean {
  if (parent.type === 'TSTypeQuery' || parent.type === 'TSQualifiedName') return false
  if (parent.type === 'MemberExpression') return parent.object === node || parent.computed === true
  return parent.key !== node || parent.computed === true || parent.value === node
}

/** Unguessable numbers come from one file. */
export function randomness(sources: readonly Source[]): string[] {
  const users = inPackages(sources).filter((source) => {
    let uses = false
    walk(source.tree, (node) => {
      const name = node.type === 'MemberExpression' ? node.property : node.imported
      if (cryptoRandom.has(String(name?.name))) uses = true
    })
    return uses
  })
  if (users.length < 2) return []
  return [`crypto's random is used in more than one file: ${users.map((source) => source.path).join(', ')}`]
}

/** A library does not print. */
export function consoleCalls(sources: readonly Source[]): string[] {
  return inPackages(sources)
    .filter((source) => source.path !== 'broker/main.ts')
    .flatMap((source) =>
      select(source, (node) =>
        node.type === 'MemberExpression' && dottedName(node).startsWith('console.')
          ? `'${dottedName(node)}' belongs in broker/main.ts`
          : undefined,
      ),
    )
}

/** No test is left alone with `.only`, and none fails because the machine was slow. */
export function testCalls(sources: readonly Source[]): string[] {
  return sources
    .filter((source) => source.folder === 'test')
    .flatMap((source) => select(source, (node) => testFault(source, node)))
}

function testFault(source: Source, node: Node): string | undefined {
  if (node.type === 'MemberExpression') {
    const name = dottedName(node)
    return /^(it|test|describe|suite|bench)(\.\w+)*\.only$/.test(name) ? `'${name}' leaves the others out` : undefined
  }
  if (node.type !== 'CallExpression' || !/^toBeLessThan/.test(String(node.callee?.property?.name))) return undefined
  const text = source.text.slice(node.start, node.end)
  const isTimed = /\bexpect\(/.test(text) && /elapsed|duration|performance\.now|Date\.now/i.test(text)
  return isTimed ? 'asserts how fast it was: measure that in bench/' : undefined
}
