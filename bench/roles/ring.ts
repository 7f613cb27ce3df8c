/**
 * A ring of clients, each on a connection of its own: whoever gets a message passes it to the next. There are as many
 * messages as clients. Those that meet at a client travel on together, the more the longer it lasts; in pairs, with one
 * message each, none ever meets another. After the window they are held where they arrive, and counted.
 */
import { adapterNamed } from '../adapters/registry.ts'
import type { Intake, MemberSide } from '../contract.ts'
import type { RingJob } from '../jobs.ts'
import type { Line } from '../line.ts'
import { Ledger, laneAt, read32, sequenceAt, write32 } from '../payload.ts'
import { Window } from '../window.ts'
import { absent } from './absent.ts'

/** Clients that connect at once. */
const atOnce = 20
/** Messages between two looks at the clock. */
const stride = 16
const pollMs = 20
/** After so long what is not back is lost. */
const patienceMs = 3_000
/** A duplicate has that long to show itself. */
const aftermathMs = 50

export async function ring(job: RingJob, line: Line): Promise<void> {
  const ring = new Ring(job, line)
  await ring.join(job)
  line.tell('ready', { url: '' })
  void line.hear('describe').then(() => line.tell('description', { text: `passed on ${ring.window.messages}` }))
  await line.hear('go')
  ring.begin()
  await ring.over
  await ring.gather()
  const { rate, cpuUs } = ring.window.figures()
  const { lost, duplicated, complaint } = ring
  line.tell('done', { figures: { rate, clients: cpuUs }, lost, duplicated, complaint })
}

class Ring {
  readonly window: Window
  /** Resolves when the window is. */
  readonly over: Promise<void>
  readonly #members: MemberSide[] = []
  readonly #size: number
  readonly #inPairs: boolean
  /** Each message is a lane, and its passes are numbered. */
  readonly #ledger: Ledger
  readonly #passes: number[]

  constructor(job: RingJob, line: Line) {
    this.#size = job.size
    this.#inPairs = job.inPairs
    this.#passes = Array.from({ length: job.clients }, () => 0)
    let isOver: () => void = () => {}
    this.over = new Promise((resolve) => {
      isOver = resolve
    })
    this.window = new Window(
      job,
      stride,
      () => line.tell('begin', null),
      (messages) => {
        line.tell('end', { messages })
        isOver()
      },
    )
    this.#ledger = new Ledger(job.clients, (messages) => this.window.tick(messages))
  }

  get lost(): number {
    return this.#ledger.lost(this.#passes)
  }

  get duplicated(): number {
    return this.#ledger.late
  }

  get complaint(): string | undefined {
    return this.#members.map((member) => member.complaint?.()).find((complaint) => complaint !== undefined)
  }

  async join({ adapter, url, clients, style }: RingJob): Promise<void> {
    const { member = absent(adapter, 'member') } = await adapterNamed(adapter)
    while (this.#members.length < clients) {
      const count = Math.min(atOnce, clients - this.#members.length)
      const sides = await Promise.all(Array.from({ length: count }, () => member(url)))
      const first = this.#members.push(...sides) - count
      const subscribed = sides.map((side, at) => side.subscribe([topicOf(first + at)], style, this.#seat(first + at)))
      await Promise.all(subscribed)
    }
  }

  begin(): void {
    const step = this.#inPairs ? 2 : 1
    for (let at = 0; at < this.#members.length; at += step) {
      this.#pass(this.#members[at] as MemberSide, this.#topicAfter(at), at)
    }
  }

  /** Waits for what is still under way. */
  async gather(): Promise<void> {
    const startMs = performance.now()
    while (!this.#ledger.isComplete(this.#passes) && performance.now() - startMs < patienceMs) await pause(pollMs)
    await pause(aftermathMs)
  }

  /** Where a client of the ring puts what it gets: on to the next. */
  #seat(at: number): Intake {
    const next = this.#topicAfter(at)
    return {
      take: (payload) => {
        const message = read32(payload, laneAt)
        this.#ledger.take(payload)
        if (!this.window.isOver) this.#pass(this.#members[at] as MemberSide, next, message)
      },
      count: () => {},
    }
  }

  #topicAfter(at: number): string {
    if (this.#inPairs) return topicOf(at ^ 1)
    return topicOf(at + 1 === this.#passes.length ? 0 : at + 1)
  }

  #pass(member: MemberSide, topic: string, message: number): void {
    const payload = Buffer.alloc(this.#size)
    write32(payload, sequenceAt, this.#passes[message] as number)
    write32(payload, laneAt, message)
    ;(this.#passes[message] as number)++
    member.post(topic, payload)
  }
}

function topicOf(client: number): string {
  return `bench.${client}`
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
