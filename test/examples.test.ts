/** Runs every example as a child process, and checks what it prints and that it ends by itself. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startProgram } from './program.ts'

const folder = join(import.meta.dirname, '../examples')

/** By name: the lines it prints, in whatever order where several processes print. */
const expected: Readonly<Record<string, ReadonlyArray<string | RegExp>>> = {
  '01-rpc.ts': [
    'Hello, Ada!',
    'Hello, Grace! Hello, Edsger! Hello, Barbara!',
    'NO_NAME: Whom shall I greet?',
    'An answer of 1000008 bytes',
  ],
  '02-pubsub.ts': [
    'orders.created #1 from shop: order 1, 12.5 euro, table any',
    'orders.created #2 from shop: order 2, 7 euro, table window',
    'orders.cancelled #1 from shop: order 1, 12.5 euro, table any',
  ],
  '03-many-subscribers.ts': ['Each of 10 subscribers got 1000 messages that add up to 500500'],
  '04-many-topics.ts': [
    '1000 subscriptions, 3 links',
    '5000 readings came to the right room and in order, 0 did not',
    '1000 topics, 0 subscriptions left',
  ],
  '05-patterns.ts': [
    'lights.kitchen  lights.kitchen',
    'lights.*        lights.kitchen',
    'lights.**       lights, lights.kitchen, lights.kitchen.dimmer',
    '*.kitchen       lights.kitchen, heating.kitchen',
    '*.*.dimmer      lights.kitchen.dimmer',
    '**              lights, lights.kitchen, lights.kitchen.dimmer, heating.kitchen, lights/kitchen',
    'lights/*        lights/kitchen',
    '$inbox.*        $inbox.anna',
  ],
  '06-backpressure.ts': [
    'published 50000',
    'patient: read 50000, dropped 0',
    /^latest: read \d+, dropped \d+; the last gap ended at \d+$/,
    /^asleep: read \d+, dropped \d+; the last gap ended at 49000$/,
  ],
  '07-two-processes': [
    /^kitchen: open at tcp:\/\/127\.0\.0\.1:\d+$/,
    'kitchen: soup for table 7',
    'kitchen: pie for table 7',
    'kitchen: coffee for table 7',
    'kitchen: closed',
    'table: here comes the soup',
    'table: here comes the pie',
    'table: here comes the coffee',
    'The table left with 0, the kitchen with 0.',
  ],
  '08-split-broker': [
    /^server: listens on tcp:\/\/127\.0\.0\.1:\d+$/,
    'broker: attached',
    'publisher: sent 19, 21',
    'publisher: sent 23, 25',
    'subscriber: weather.oslo #1: 19 degrees',
    'subscriber: weather.oslo #2: 21 degrees',
    'subscriber: weather.oslo #3: 23 degrees',
    'subscriber: weather.oslo #4: 25 degrees',
    'All ended: 0 0 0 0',
  ],
}

const names = readdirSync(folder).filter((name) => /^\d\d-/.test(name))

describe('the examples', { timeout: 60_000 }, () => {
  it('are these, and their index names each', () => {
    expect(names.sort()).toEqual(Object.keys(expected))
    const index = readFileSync(join(folder, 'README.md'), 'utf8')
    for (const name of names) expect(index).toContain(`](${name})`)
  })

  it.each(Object.entries(expected))('%s', async (name, lines) => {
    const program = startProgram(join(folder, name, name.endsWith('.ts') ? '' : 'main.ts'))
    onTestFinished(() => program.stop())
    const { code, errors, lines: printed } = await program.ended
    expect({ code, errors }).toEqual({ code: 0, errors: '' })
    const rest = [...printed]
    for (const line of lines) {
      const at = rest.findIndex((one) => (typeof line === 'string' ? one === line : line.test(one)))
      expect(at, `${line} among ${JSON.stringify(printed)}`).toBeGreaterThanOrEqual(0)
      rest.splice(at, 1)
    }
    expect(rest).toEqual([])
    for (const [, read, dropped] of printed.map((line) => /read (\d+), dropped (\d+)/.exec(line) ?? [])) {
      if (read !== undefined) expect(Number(read) + Number(dropped)).toBe(50_000)
    }
  })
})
