/**
 * The tidy rules on the shape of a file: its header, its size, and the part of the language it keeps to.
 */
import { inPackages } from './layers.ts'
import { type Node, type Source, walk } from './source.ts'

const maxFileLines = 400
const maxFunctionLines = 70

/** A file opens with a comment that says what it is. */
export function headers(sources: readonly Source[]): string[] {
  return sources
    .filter((source) => source.header === '')
    .map((source) => `${source.path}: does not open with a /** comment`)
}

export function fileLength(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => {
    const lines = source.text.replace(/\n$/, '').split('\n').length
    return lines > maxFileLines ? [`${source.path}: ${lines} lines, ${maxFileLines} at most`] : []
  })
}

/** Tests are left out: the body of a `describe` is a function only in name. */
export function functionLength(sources: readonly Source[]): string[] {
  return inPackages(sources).flatMap((source) =>
    select(source, (node) => {
      if (!/^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type)) return undefined
      const lines = source.text.slice(node.start, node.end).split('\n').length
      return lines > maxFunctionLines ? `a function of ${lines} lines, ${maxFunctionLines} at most` : undefined
    }),
  )
}

/** Node strips the types and runs the rest, and every public name is written out somewhere. */
export function language(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => select(source, languageFault))
}

const banned = new Map([
  ['TSEnumDeclaration', "'enum' is not erasable: use an object 'as const'"],
  ['TSParameterProperty', 'a parameter property is not erasable: declare the field'],
  ['TSImportEqualsDeclaration', "'import =' is not erasable"],
  ['TSExportAssignment', "'export =' is not erasable"],
  ['ExportAllDeclaration', "'export *' hides the names: list them"],
  ['ExportDefaultDeclaration', "no 'export default': export a name"],
])

function languageFault(node: Node): string | undefined {
  const fault = banned.get(node.type)
  if (fault !== undefined) return fault
  if (node.type === 'TSModuleDeclaration' && node.kind === 'namespace') return "no 'namespace': a file is one"
  if (node.accessibility === 'private') return "no 'private': use a #name"
  const name = typeof node.id?.name === 'string' ? node.id.name : ''
  if (node.type === 'TSInterfaceDeclaration' && /^I[A-Z][a-z]/.test(name)) return `'${name}': no I in front of a name`
  return /Impl(?![a-z])/.test(name) ? `'${name}': say what it does, not that it is an Impl` : undefined
}

/** The complaints about single nodes of a source. */
export function select(source: Source, fault: (node: Node, parent: Node | undefined) => string | undefined): string[] {
  const found: string[] = []
  walk(source.tree, (node, parent) => {
    const what = fault(node, parent)
    if (what !== undefined) found.push(`${source.path}:${source.line(node)}: ${what}`)
  })
  return found
}
