/**
 * The tidy rules on names: options that nobody reads, and what an index exports.
 */
import { inPackages } from './layers.ts'
import { inOrder, type Node, type Source, walk } from './source.ts'

/** Every property of an `interface ...Options` in a package's options.ts is read in another file of the package. */
export function unreadOptions(sources: readonly Source[]): string[] {
  const files = inPackages(sources)
  return files
    .filter((source) => source.path.endsWith('/options.ts'))
    .flatMap((options) => {
      const read = new Set<string>()
      for (const source of files) {
        if (source.folder === options.folder && source !== options) readNames(source, read)
      }
      return declaredOptions(options)
        .filter(({ name }) => !read.has(name))
        .map(({ name, owner, node }) => `${options.path}:${options.line(node)}: nobody reads ${owner}.${name}`)
    })
}

interface Declared {
  readonly owner: string
  readonly name: string
  readonly node: Node
}

function declaredOptions(source: Source): Declared[] {
  const found: Declared[] = []
  walk(source.tree, (node) => {
    const owner = String(node.id?.name)
    if (node.type !== 'TSInterfaceDeclaration' || !owner.endsWith('Options')) return
    const members = (node.body as Node | undefined)?.body
    for (const member of Array.isArray(members) ? members : []) {
      const name = member.type === 'TSPropertySignature' ? member.key?.name : undefined
      if (typeof name === 'string') found.push({ owner, name, node: member })
    }
  })
  return found
}

/** Adds what a file reads of objects: `.name`, `['name']` and destructured `{ name }`. */
function readNames(source: Source, into: Set<string>): void {
  walk(source.tree, (node) => {
    if (node.type === 'MemberExpression') {
      const name = node.computed === true ? node.property?.value : node.property?.name
      if (typeof name === 'string') into.add(name)
    } else if (node.type === 'ObjectPattern') {
      for (const { key } of node.properties ?? []) if (typeof key?.name === 'string') into.add(key.name)
    }
  })
}

/** The names that a file exports as types only, in order. */
export function typeNames(source: Source): string[] {
  const names: string[] = []
  walk(source.tree, (node) => {
    if (node.type !== 'ExportNamedDeclaration') return
    for (const specifier of node.specifiers ?? []) {
      if (node.exportKind === 'type' || specifier.exportKind === 'type') names.push(String(specifier.exported?.name))
    }
    const declared = (node as { declaration?: Node | null }).declaration
    if (declared && /^TS(Interface|TypeAlias)Declaration$/.test(declared.type)) names.push(String(declared.id?.name))
  })
  return inOrder(names)
}
