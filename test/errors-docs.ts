/**
 * Writes docs/errors.md from the two error tables, so that the page cannot say anything else than the code does.
 */
import type { ErrorEntry } from 'signalbox/socket'

export type ErrorTable = Readonly<Record<string, ErrorEntry>>

interface Range {
  readonly title: string
  readonly from: number
  readonly about: string
}

/** Each range is a thousand numbers. */
export const ranges: readonly Range[] = [
  {
    title: 'Reconnect',
    from: 1000,
    about:
      'The connection ended, and making it again is the right answer. A link does that by itself and opens its channels\n' +
      'again; you see these codes on the requests that were in flight.',
  },
  {
    title: 'Terminal',
    from: 2000,
    about: 'The connection ended, and the same would happen again. The link stays closed until the cause is put right.',
  },
  {
    title: 'Request and channel',
    from: 3000,
    about: 'One request or one channel failed. The link and everything else on it carries on.',
  },
  {
    title: 'Broker',
    from: 4000,
    about: 'One request to the broker, or one subscription, failed. The link and everything else on it carries on.',
  },
]

const intro = `# Errors

When something goes wrong, Signalbox gives you a \`SignalboxError\`. Match its \`code\`, never its text: the text is written
for people and gets better over time, the code stays. \`retryable\` says whether the same call may succeed when it is
made again, \`cause\` holds the error underneath if there was one, and \`details\` the numbers that explain it.

\`\`\`ts
import { SignalboxError } from 'signalbox/socket'

try {
  await consumer.send(payload, { timeoutMs: 2_000 })
} catch (error) {
  if (error instanceof SignalboxError && error.retryable) tryAgainLater()
  else throw error
}
\`\`\`

Between the two sides of a connection a code travels as its number. The thousand it is in says how far the damage goes,
so that even a code from a newer version can be handled well. Where it ends a stream and no connection, such as
\`FLOW_VIOLATION\` or \`BAD_FRAME\` from the other end of a channel, it concerns that stream alone.
`

/** The whole page. */
export function errorsDocs(table: ErrorTable): string {
  return [intro, ...ranges.map((range) => section(range, table))].join('\n')
}

function section({ title, from, about }: Range, table: ErrorTable): string {
  const rows = Object.entries(table)
    .filter(([, entry]) => entry.number >= from && entry.number < from + 1000)
    .sort(([, a], [, b]) => a.number - b.number)
    .map(([code, entry]) => row([`\`${code}\``, entry.number, retryable(entry), entry.meaning, entry.advice]))
  const head = [
    row(['code', 'number', 'retryable', 'what happened', 'what to do']),
    row(['---', '---:', '---', '---', '---']),
  ]
  return `${[`## ${title}: ${from / 1000}xxx`, '', about, '', ...head, ...rows].join('\n')}\n`
}

const retryable = (entry: ErrorEntry): string => (entry.retryable ? 'yes' : 'no')

const row = (cells: readonly (string | number)[]): string =>
  `| ${cells.map((cell) => escaped(String(cell))).join(' | ')} |`

/** A bar would end the cell anywhere, a star or an angle bracket means something outside of backquotes. */
const escaped = (text: string): string =>
  text
    .split('`')
    .map((part, index) => part.replace(index % 2 === 0 ? /[|*<]/g : /\|/g, '\\$&'))
    .join('`')
