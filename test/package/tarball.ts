/**
 * Makes a project that has installed Signalbox the way a user does: the packed tarball, from the npm client.
 *
 * Everything happens in a temporary folder on a copy of the sources, so that runs side by side cannot meet in dist/.
 */
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'

const root = join(import.meta.dirname, '../..')
const run = promisify(execFile)

export interface Project {
  readonly path: string
  /** Writes a file of the project. */
  write(name: string, text: string): void
  /** Runs plain `node` in the project, and resolves with what it printed once it has ended by itself. */
  node(...args: string[]): Promise<string>
  /** Paths of the files of the installed package. */
  files(): string[]
  /** Text of one of them. */
  read(path: string): string
  remove(): void
}

/** The registry cannot be reached and the npm cache does not hold what is needed. */
export class RegistryAbsent extends Error {}

export async function installedProject(): Promise<Project> {
  const scratch = mkdtempSync(join(tmpdir(), 'signalbox-package-'))
  try {
    const tarball = await pack(scratch)
    const path = join(scratch, 'project')
    mkdirSync(path)
    writeFileSync(join(path, 'package.json'), '{ "name": "project", "private": true, "type": "module" }\n')
    await install(path, tarball)
    return project(path, scratch)
  } catch (error) {
    rmSync(scratch, { recursive: true, force: true })
    throw error
  }
}

async function pack(scratch: string): Promise<string> {
  const copy = join(scratch, 'sources')
  const left = new Set(['.git', 'bench', 'dist', 'node_modules', 'test'])
  cpSync(root, copy, { recursive: true, filter: (path) => path === root || !left.has(basename(path)) })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction')
  await npm(copy, 'run', 'build')
  await npm(copy, 'pack', '--ignore-scripts', '--pack-destination', scratch)
  const name = readdirSync(scratch).find((each) => each.endsWith('.tgz'))
  if (name === undefined) throw new Error('npm pack made no tarball')
  return join(scratch, name)
}

async function install(path: string, tarball: string): Promise<void> {
  try {
    await npm(path, 'install', tarball, '--no-audit', '--no-fund', '--prefer-offline', '--fetch-retries=1')
  } catch (error) {
    const text = String(error)
    const isOffline = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|ENOTCACHED)\b/.test(text)
    throw isOffline ? new RegistryAbsent('the npm registry cannot be reached', { cause: error }) : error
  }
  // A program in TypeScript for Node has these; the copy spares a download.
  for (const name of ['@types/node', 'undici-types']) {
    cpSync(join(root, 'node_modules', name), join(path, 'node_modules', name), { recursive: true })
  }
}

function project(path: string, scratch: string): Project {
  return {
    path,
    write: (name, text) => writeFileSync(join(path, name), text),
    node: (...args) => output(process.execPath, args, path, 30_000),
    files: () =>
      readdirSync(join(path, 'node_modules/signalbox'), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(join(path, 'node_modules/signalbox').length + 1))
        .map((name) => name.replaceAll('\\', '/')),
    read: (name) => readFileSync(join(path, 'node_modules/signalbox', name), 'utf8'),
    remove: () => rmSync(scratch, { recursive: true, force: true }),
  }
}

const npm = (cwd: string, ...args: string[]): Promise<string> => output('npm', args, cwd, 120_000)

/** A failure's message holds all that was printed: tsc explains itself on stdout. */
async function output(file: string, args: readonly string[], cwd: string, timeout: number): Promise<string> {
  const shell = process.platform === 'win32' && file === 'npm'
  try {
    return (await run(file, args, { cwd, env: plainEnvironment(), shell, timeout })).stdout
  } catch (error) {
    const { stdout = '', stderr = '', killed = false } = error as { stdout?: string; stderr?: string; killed?: boolean }
    const how = killed ? 'did not end by itself' : 'failed'
    throw new Error(`${basename(file)} ${args.join(' ')} ${how}\n${stdout}${stderr}`, { cause: error })
  }
}

/** Without what `npm test` and the test runner add: it would point a nested npm at the wrong folder. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const added = /^(npm_(package|lifecycle|command|config_(local_prefix|package|call))|NODE_OPTIONS$|NODE_ENV$|VITEST)/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !added.test(name)))
}
