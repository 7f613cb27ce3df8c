/**
 * The source tree as the tidy rules see it: each file parsed once, with its header, its imports and its syntax tree.
 *
 * The parser is the one that vitest brings along, so a rule never mistakes a string or a comment for code.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { parseAst } from 'vitest/node'

/** A node of the ESTree syntax tree, with the fields that some rule looks at. */
export interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly name?: unknown
  readonly value?: unknown
  readonly kind?: string
  readonly computed?: boolean
  readonly accessibility?: string | null
  readonly exportKind?: string
  readonly id?: Node | null
  readonly key?: Node
  readonly body?: Node | Node[] | null
  readonly source?: Node | null
  readonly callee?: Node
  readonly object?: Node
  readonly property?: Node
  readonly init?: Node | null
  readonly properties?: readonly Node[]
  readonly arguments?: readonly Node[]
  readonly specifiers?: readonly Node[]
  readonly exported?: Node
  readonly imported?: Node
}

export interface Import {
  readonly specifier: string
  readonly line: number
  /** The path inside the repository that a relative specifier leads to. */
  readonly target: string | undefined
}

export interface Source {
  /** Relative to the repository, with forward slashes. */
  readonly path: string
  /** The first folder of the path: 'socket', 'broker', 'test' and so on. */
  readonly folder: string
  readonly text: string
  /** The comment that the file opens with, or ''. */
  readonly header: string
  readonly floor: number | undefined
  /** Static, type-only, re-exporting and dynamic imports, and `new URL('./file.ts', import.meta.url)`. */
  readonly imports: readonly Import[]
  readonly tree: Node
  line(node: Node): number
}

/** Calls for every node, parents first. */
export function walk(node: Node, visit: (node: Node, parent: Node | undefined) => void, parent?: Node): void {
  visit(node, parent)
  for (const child of Object.values(node)) {
    for (const each of Array.isArray(child) ? child : [child]) {
      if (isNode(each)) walk(each, visit, node)
    }
  }
}

/** `a.b.c` for a chain of plain names, with any `globalThis.` left out; '' for anything else. */
export function dottedName(node: Node | undefined): string {
  if (node?.type === 'Identifier') return String(node.name)
  if (node?.type === 'MetaProperty') return 'import.meta'
  if (node?.type !== 'MemberExpression' || node.computed === true) return ''
  const object = dottedName(node.object)
  const property = dottedName(node.property)
  if (object === '' || property === '') return ''
  return object === 'globalThis' ? property : `${object}.${property}`
}

export function parseSource(path: string, text: string): Source {
  const tree = parseAst(text, { lang: 'ts' }) as unknown as Node
  const line = (node: Node): number => text.slice(0, node.start).split('\n').length
  const imports: Import[] = []
  walk(tree, (node) => {
    const specifier = importedBy(node)
    if (specifier === undefined) return
    const target = targetOf(path, specifier)
    imports.push({ specifier, line: line(node), target })
  })
  const header = /^(?:#!.*\n)?(\/\*\*[\s\S]*?\*\/)/.exec(text)?.[1] ?? ''
  const digit = /\bFloor (\d+)[.,\s]/.exec(header)?.[1]
  const floor = digit === undefined ? undefined : Number(digit)
  return { path, folder: path.split('/')[0] ?? '', text, header, floor, imports, tree, line }
}

/** Every .ts file below the folders, in order of path; a folder that is not there has none. */
export function readSources(root: string, folders: readonly string[]): Source[] {
  const paths: string[] = []
  for (const folder of folders) {
    for (const entry of readdirSync(root, { withFileTypes: true })) {
      if (entry.name === folder && entry.isDirectory()) paths.push(...typescriptFiles(root, folder))
    }
  }
  return inOrder(paths).map((path) => parseSource(path, readFileSync(join(root, path), 'utf8')))
}

/** Sorted by code unit, which is the same everywhere. */
export function inOrder(names: readonly string[]): string[] {
  return [...names].sort((a, b) => (a < b ? -1 : 1))
}

function typescriptFiles(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === 'node_modules') return []
    const path = posix.join(folder, entry.name)
    if (entry.isDirectory()) return typescriptFiles(root, path)
    return entry.name.endsWith('.ts') ? [path] : []
  })
}

const importing = new Set([
  'ImportDeclaration',
  'ExportNamedDeclaration',
  'ExportAllDeclaration',
  'ImportExpression',
  'TSImportType',
])

function importedBy(node: Node): string | undefined {
  let from: Node | null | undefined
  if (importing.has(node.type)) from = node.source
  // A worker is started by its URL: no import, but just as much a use of the file.
  else if (node.type === 'NewExpression' && dottedName(node.callee) === 'URL' && node.arguments?.length === 2) {
    if (dottedName(node.arguments[1]) === 'import.meta.url') from = node.arguments[0]
  }
  return typeof from?.value === 'string' ? from.value : undefined
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'
}

/** The file of this tree that an import names, if it names one. */
function targetOf(path: string, specifier: string): string | undefined {
  if (specifier.startsWith('#base/')) return `${specifier.slice(1)}.ts`
  return specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : undefined
}
