/**
 * Runs every program of README.md in a project that has Signalbox installed. A comment behind a `console.log` is what
 * that prints. A block with a file name belongs to others and is run together with them.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { freePort } from './free-port.ts'
import { type Program, startProgram } from './program.ts'

const root = join(import.meta.dirname, '..')
const run = promisify(execFile)
const text = readFileSync(join(root, 'README.md'), 'utf8')

interface Block {
  readonly name: string
  readonly code: string
  readonly prints: readonly string[]
}

let unnamed = 0
const blocks: Block[] = [...text.matchAll(/^```(?:ts|js)(?: (\S+))?\n(.*?)^```$/gms)].map(([, name, code = '']) => {
  const prints = [...code.matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)].map(([, line = '']) => line)
  return { name: name ?? `readme-${++unnamed}.ts`, code, prints }
})
const alone = blocks.filter(({ name }) => name.startsWith('readme-'))

describe('README.md', { timeout: 60_000 }, () => {
  let project = ''

  beforeAll(() => {
    project = mkdtempSync(join(tmpdir(), 'signalbox-readme-'))
    writeFileSync(join(project, 'package.json'), '{ "type": "module" }\n')
    mkdirSync(join(project, 'node_modules'))
    symlinkSync(root, join(project, 'node_modules/signalbox'), 'junction')
  })

  afterAll(() => rmSync(project, { recursive: true, force: true }))

  /** On a port that is free, whatever runs on 9090. */
  function start(name: string, port: number): Program {
    const block = blocks.find((one) => one.name === name)
    const path = join(project, name)
    writeFileSync(path, (block?.code ?? '').replaceAll('9090', String(port)))
    const program = startProgram(path)
    onTestFinished(() => program.stop())
    return program
  }

  async function expectToEnd(name: string, program: Program): Promise<void> {
    const { code, errors, lines } = await program.ended
    expect({ code, errors }).toEqual({ code: 0, errors: '' })
    const prints = blocks.find((one) => one.name === name)?.prints ?? []
    expect(prints).not.toHaveLength(0)
    expect(lines.filter((line) => prints.includes(line))).toEqual(prints)
  }

  it('has programs', () => {
    expect(blocks.filter((one) => !alone.includes(one)).map(({ name }) => name)).toEqual([
      'kitchen.ts',
      'table.ts',
      'hello.mjs',
    ])
    expect(alone.length).toBeGreaterThan(3)
  })

  it.each(alone.map(({ name }) => name))('%s runs and ends', async (name) => {
    await expectToEnd(name, start(name, await freePort()))
  })

  it('has a table that gets its soup from the kitchen', async () => {
    const port = await freePort()
    const kitchen = start('kitchen.ts', port)
    await kitchen.printed('The kitchen is open')
    await expectToEnd('table.ts', start('table.ts', port))
  })

  it('says how to talk to the broker of npm start', async () => {
    const port = await freePort()
    const broker = startProgram(join(root, 'broker/main.ts'), { PORT: String(port) })
    onTestFinished(() => broker.stop())
    await broker.printed('Stop it with Ctrl+C.')
    await expectToEnd('hello.mjs', start('hello.mjs', port))
  })

  it('satisfies a strict compiler', async () => {
    for (const { name, code } of blocks) writeFileSync(join(project, name), code)
    const compilerOptions = { typeRoots: [join(root, 'node_modules/@types')] }
    const config = { extends: join(root, 'tsconfig.json'), compilerOptions, include: ['*.ts'] }
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(config))
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const complaints = await run(process.execPath, [tsc, '-p', project]).then(
      () => '',
      (error: { stdout: string }) => error.stdout,
    )
    // What is wrong in the sources is for others to say.
    expect(complaints.split('\n').filter((line) => blocks.some(({ name }) => line.includes(`${name}(`)))).toEqual([])
  })

  it('links to files that are there', () => {
    const links = [...text.matchAll(/\]\((?!https:)([^)#]+)/g)].map(([, path = '']) => path)
    expect(links.length).toBeGreaterThan(5)
    for (const path of links) expect(() => readFileSync(join(root, path)), path).not.toThrow(/ENOENT/)
  })
})
