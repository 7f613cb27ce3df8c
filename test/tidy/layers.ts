/**
 * The tidy rules on who may import whom. Each is a pure function from the sources to its complaints.
 */
import { builtinModules } from 'node:module'
import { type Import, inOrder, type Source } from './source.ts'

const packages = ['base', 'socket', 'broker']

/** Reaches into the source, because what it measures has no public door. */
const insider = 'bench/roles/match.ts'
const builtins = new Set(builtinModules)
const maxFolderFiles = 15

export const inPackages = (sources: readonly Source[]): Source[] =>
  sources.filter((source) => packages.includes(source.folder))

/** Every file of a package names its floor and imports only from lower ones of its own package. */
export function floors(sources: readonly Source[]): string[] {
  const byPath = new Map(sources.map((source) => [source.path, source]))
  return inPackages(sources).flatMap((source) => {
    const { floor } = source
    if (floor === undefined) return [`${source.path}: the header comment does not say 'Floor N.'`]
    return source.imports.flatMap((each) => {
      if (each.target === undefined || folderOf(each.target) !== source.folder) return []
      const target = byPath.get(each.target)
      if (target === undefined) return [`${at(source, each)}: '${each.specifier}' is no file`]
      if (target.floor === undefined || target.floor < floor) return []
      return [`${at(source, each)}: floor ${floor} imports ${target.path}, which is on floor ${target.floor}`]
    })
  })
}

/** No file imports itself, by whatever way round. Says each cycle once, starting at its first path. */
export function cycles(sources: readonly Source[]): string[] {
  const byPath = new Map(sources.map((source) => [source.path, source]))
  const done = new Set<string>()
  const found = new Set<string>()
  const follow = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path)
    if (start >= 0) {
      const cycle = trail.slice(start)
      const first = cycle.indexOf(inOrder(cycle)[0] ?? path)
      const turned = [...cycle.slice(first), ...cycle.slice(0, first)]
      found.add([...turned, turned[0]].join(' -> '))
      return
    }
    if (done.has(path)) return
    for (const { target } of byPath.get(path)?.imports ?? []) {
      if (target !== undefined) follow(target, [...trail, path])
    }
    done.add(path)
  }
  for (const source of sources) follow(source.path, [])
  return [...found]
}

/**
 * Layers meet at their public doors only: broker sees `#socket`, both see the files of `#base/`, which is the ground
 * under them and sees neither; nobody looks up. Examples and benchmarks
 * are written like a user's program. Tests mirror the sources and may reach into them.
 */
export function doors(sources: readonly Source[]): string[] {
  return sources.flatMap((source) =>
    source.imports.flatMap((each) => {
      const fault = doorFault(source, each)
      return fault === undefined ? [] : [`${at(source, each)}: ${fault}`]
    }),
  )
}

function doorFault({ folder, path }: Source, { specifier, target }: Import): string | undefined {
  if (target !== undefined) {
    const to = folderOf(target)
    const isGround = specifier.startsWith('#base/') && (folder === 'socket' || folder === 'broker')
    const isInsider = folder === 'test' || path === insider
    const allowed = to === folder || isGround || (isInsider && packages.includes(to))
    return allowed ? undefined : `'${specifier}' leaves ${folder}/`
  }
  if (specifier.startsWith('#')) {
    const isDoor = specifier === '#socket' || specifier === '#socket/client'
    return folder === 'broker' && isDoor ? undefined : `'${specifier}' is not for ${folder}/`
  }
  const isSelf = specifier === 'signalbox' || specifier.startsWith('signalbox/')
  if (!isSelf) return undefined
  if (packages.includes(folder)) return `'${specifier}' is the package itself`
  const isDoor = specifier === 'signalbox' || specifier === 'signalbox/socket'
  return isDoor ? undefined : `'${specifier}' is not one of 'signalbox' and 'signalbox/socket'`
}

/** The broker's two sides meet in what both must agree on, `broker/shared/`, and never in each other. */
export function sides(sources: readonly Source[]): string[] {
  const sideOf = (path: string): string | undefined => /^broker\/(client|hub)\//.exec(path)?.[1]
  return sources.flatMap((source) => {
    const side = sideOf(source.path)
    return source.imports.flatMap((each) => {
      const other = side && each.target && sideOf(each.target)
      return other && other !== side ? [`${at(source, each)}: ${side}/ imports '${each.specifier}'`] : []
    })
  })
}

/** A folder that is looked through in a moment. */
export function folderSize(sources: readonly Source[]): string[] {
  const sizes = new Map<string, number>()
  for (const { path } of inPackages(sources)) {
    const folder = path.slice(0, path.lastIndexOf('/'))
    sizes.set(folder, (sizes.get(folder) ?? 0) + 1)
  }
  return [...sizes]
    .filter(([, size]) => size > maxFolderFiles)
    .map(([folder, size]) => `${folder}/: ${size} files, ${maxFolderFiles} at most`)
}

/** Who may import Node's modules: the folder of its sockets, and the program that is started from the command line. */
const nodeFolder = 'socket/transport/node/'
const nodeFiles = ['broker/main.ts']

/** Node's own modules stay at the edges, so that the client half can run in a browser. */
export function nodeImports(sources: readonly Source[]): string[] {
  return inPackages(sources).flatMap((source) => {
    const isEdge = source.path.startsWith(nodeFolder) || nodeFiles.includes(source.path)
    return source.imports.flatMap((each) => {
      if (builtins.has(each.specifier)) return [`${at(source, each)}: write 'node:${each.specifier}'`]
      if (!each.specifier.startsWith('node:') || isEdge) return []
      return [`${at(source, each)}: imports '${each.specifier}', and is neither in ${nodeFolder} nor on the list`]
    })
  })
}

/** The entries of what is to run without Node reach none of its modules, by whatever way round. Says the way. */
export function nodeFree(sources: readonly Source[], entries: readonly string[]): string[] {
  const byPath = new Map(sources.map((source) => [source.path, source]))
  const reached = new Set<string>()
  const found: string[] = []
  const follow = (path: string, trail: readonly string[]): void => {
    if (reached.has(path)) return
    reached.add(path)
    const way = [...trail, path]
    for (const { specifier, target } of byPath.get(path)?.imports ?? []) {
      const next = target ?? publicDoors.get(specifier)
      if (next !== undefined) follow(next, way)
      else if (specifier.startsWith('node:') || builtins.has(specifier)) found.push([...way, specifier].join(' -> '))
    }
  }
  for (const entry of entries) follow(entry, [])
  return found
}

const publicDoors = new Map([
  ['#socket', 'socket/index.ts'],
  ['#socket/client', 'socket/client/index.ts'],
])

/** A package of someone else is imported in one file, which is then the one to change when it is replaced. */
export function vendors(sources: readonly Source[]): string[] {
  const users = new Map<string, Set<string>>()
  for (const source of inPackages(sources)) {
    for (const { specifier, target } of source.imports) {
      if (target !== undefined || /^(node:|#|signalbox(\/|$))/.test(specifier) || builtins.has(specifier)) continue
      const vendor = specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/')
      users.set(vendor, (users.get(vendor) ?? new Set()).add(source.path))
    }
  }
  return [...users]
    .filter(([, paths]) => paths.size > 1)
    .map(([vendor, paths]) => `'${vendor}' is imported in more than one file: ${[...paths].join(', ')}`)
}

/** Every file of a package can be reached from an entry point. */
export function deadFiles(sources: readonly Source[], entries: readonly string[]): string[] {
  const byPath = new Map(sources.map((source) => [source.path, source]))
  const reached = new Set<string>()
  const queue = [...entries]
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (reached.has(path)) continue
    reached.add(path)
    for (const { target } of byPath.get(path)?.imports ?? []) if (target !== undefined) queue.push(target)
  }
  return inPackages(sources)
    .filter((source) => !reached.has(source.path))
    .map((source) => `${source.path}: nothing leads here from ${entries.join(', ')}`)
}

const at = (source: Source, { line }: Import): string => `${source.path}:${line}`

const folderOf = (path: string): string => path.split('/')[0] ?? ''
