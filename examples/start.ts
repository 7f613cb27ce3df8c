/** Starts another program of an example as a process of its own, and waits until that is ready. */
import { type ChildProcess, fork } from 'node:child_process'

export interface Started {
  readonly process: ChildProcess
  /** What it said with `process.send` when it was ready; '' if it ended without a word. */
  readonly said: string
  /** Resolves when it has ended, with its exit code. */
  readonly ended: Promise<number | null>
}

/** `fork` runs it the way this program runs, loader and conditions included. */
export async function start(file: URL, ...args: readonly string[]): Promise<Started> {
  const child = fork(file, args)
  const ended = new Promise<number | null>((resolve) => {
    child.once('exit', resolve)
  })
  const said = new Promise<string>((resolve) => {
    child.once('message', (message) => resolve(String(message)))
  })
  return { process: child, said: await Promise.race([said, ended.then(() => '')]), ended }
}
