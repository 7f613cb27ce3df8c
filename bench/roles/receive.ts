/** Receives on any number of connections, measures over the window, then waits for what is still under way. */
import { adapterNamed } from '../adapters/registry.ts'
import type { ReceiveJob } from '../jobs.ts'
import type { Line } from '../line.ts'
import { Ledger, strideFor } from '../payload.ts'
import { Window } from '../window.ts'
import { absent } from './absent.ts'

const pollMs = 20
/** After so long without a message what has not come is lost. */
const silenceMs = 2_000
/** A duplicate has that long to show itself. */
const aftermathMs = 50

export async function receive(job: ReceiveJob, line: Line): Promise<void> {
  const { subscriber = absent(job.adapter, 'subscriber') } = await adapterNamed(job.adapter)
  const window = new Window(
    job,
    strideFor(job.size),
    () => line.tell('begin', null),
    (messages) => line.tell('end', { messages }),
  )
  const tick = (messages: number): void => window.tick(messages)
  const ledgers = Array.from({ length: job.subscribers }, () => new Ledger(job.lanes, tick))
  const sides = await Promise.all(ledgers.map(() => subscriber(job.url)))
  await Promise.all(sides.map((side, at) => side.subscribe(job.patterns, job.style, ledgers[at] as Ledger)))
  line.tell('ready', { url: '' })
  void line.hear('describe').then(() => line.tell('description', { text: `received ${window.messages}` }))
  const { lanes } = await line.hear('expect')
  await allHere(ledgers, lanes, () => window.messages)
  const { rate, cpuUs } = window.figures()
  line.tell('done', {
    figures: { rate, subscriber: cpuUs },
    lost: ledgers.reduce((sum, ledger) => sum + ledger.lost(lanes), 0),
    duplicated: ledgers.reduce((sum, ledger) => sum + ledger.late, 0),
    complaint: sides.map((side) => side.complaint?.()).find((complaint) => complaint !== undefined),
  })
}

async function allHere(ledgers: readonly Ledger[], sent: readonly number[], received: () => number): Promise<void> {
  let [before, sinceMs] = [-1, performance.now()]
  while (!ledgers.every((ledger) => ledger.isComplete(sent)) && performance.now() - sinceMs < silenceMs) {
    if (received() !== before) [before, sinceMs] = [received(), performance.now()]
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
  await new Promise((resolve) => setTimeout(resolve, aftermathMs))
}
