/**
 * What every test program does: take its argument, say lines of JSON, take commands, and complain of what nobody
 * handled.
 */
import { createInterface } from 'node:readline'

process.on('unhandledRejection', (reason) => {
  console.error('unhandledRejection', reason)
  process.exit(90)
})

export const argument = JSON.parse(process.argv[2] ?? '{}') as Record<string, never>

export function say(what: object): void {
  process.stdout.write(`${JSON.stringify(what)}\n`)
}

export function rssMiB(): number {
  return Math.round(process.memoryUsage.rss() / 1024 / 1024)
}

/** Answers commands until the input ends, and the program with it: it does not outlive the test that started it. */
export function obey(commands: Record<string, (argument: never) => unknown>): void {
  const input = createInterface({ input: process.stdin })
  input.on('close', () => process.exit())
  input.on('line', async (line) => {
    for (const [name, given] of Object.entries(JSON.parse(line))) {
      const answer = (await commands[name]?.(given as never)) ?? {}
      say({ [name]: true, ...answer })
    }
  })
}
