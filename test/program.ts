/**
 * Runs a TypeScript program as a child process, from source, the way a reader of the examples does.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const root = join(import.meta.dirname, '..')

/** How a program ended, and what it printed. */
export interface Outcome {
  readonly code: number | null
  readonly lines: readonly string[]
  readonly errors: string
}

export interface Program {
  readonly ended: Promise<Outcome>
  /** Resolves once it has printed that line. Rejects if it ends without. */
  printed(line: string): Promise<void>
  /** Ends it now, and every process that it has started. Harmless when it has ended. */
  stop(): void
}

export function startProgram(path: string, env: Readonly<Record<string, string>> = {}): Program {
  const child = spawn(process.execPath, ['--import', 'tsx', '--conditions=signalbox-source', path], {
    cwd: root,
    // A group of its own, so that its children can be ended with it.
    detached: true,
    env: { ...process.env, NODE_NO_WARNINGS: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  let errors = ''
  let told = (): void => {}
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line)
    told()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, lines, errors }))
  })
  return {
    ended,
    async printed(line) {
      const seen = new Promise<void>((resolve) => {
        told = () => {
          if (lines.includes(line)) resolve()
        }
        told()
      })
      const tooLate = ended.then((outcome) => {
        if (!lines.includes(line)) throw new Error(`It never printed '${line}': ${JSON.stringify(outcome)}`)
      })
      await Promise.race([seen, tooLate])
    },
    stop() {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
      process.kill(-child.pid, 'SIGKILL')
    },
  }
}
