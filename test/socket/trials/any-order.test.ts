/** The switchboard under anything that links may do, in any order: what it knows agrees with what it has told. */
import { expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { MemoryBudget } from '../../../base/memory-budget.ts'
import type { Line, SwitchEnd } from '../../../socket/server/lines.ts'
import { Switchboard } from '../../../socket/server/switchboard.ts'
import { headerBytes, Kind } from '../../../socket/wire/frame.ts'
import { ManualClock } from '../tools/manual-clock.ts'
import { openOf, StubLine } from '../tools/stub-line.ts'

const MiB = 1024 * 1024
const nothing = new Uint8Array(0)

/** A link whose client knows what it was told, and reads or does not. */
class Client extends StubLine {
  readonly board: Switchboard
  readonly known = new Set<number>()
  lastEnd = 0
  reads = true
  isCut = false

  constructor(board: Switchboard) {
    super(1_000)
    this.board = board
  }

  override tell(kind: number, number: number, id: number, payload: Uint8Array, source?: Line): void {
    super.tell(kind, number, id, payload, source)
    if (this.port.isCongested) this.board.congestion.grew(this, source, headerBytes + payload.length)
  }

  override overflowed(): void {
    this.isCut = true
  }

  catchUp(): void {
    this.reads = true
    if (!this.port.isCongested) return
    this.waits = 0
    this.board.congestion.drained(this)
  }

  override took(kind: number, stream: number, size: number): void {
    if (kind === Kind.ATTACH) this.known.add(stream)
    else if (kind === Kind.RESET) this.known.delete(stream)
    else if (kind > Kind.RESET) expect(this.known).toContain(stream)
    if (!this.reads) this.waits = this.port.buffered + headerBytes + size
  }
}

class Crowd {
  readonly memory = new MemoryBudget(40 * MiB)
  readonly board = new Switchboard(8 * MiB, this.memory)
  readonly channels = [newId(), newId(), newId()]
  readonly clients = Array.from({ length: 5 }, () => new Client(this.board))
  readonly #clock: ManualClock

  constructor(clock: ManualClock) {
    this.#clock = clock
  }

  step(): void {
    const [client, luck] = [this.#any(this.clients) as Client, this.#clock.random()]
    const role = this.#clock.random() < 0.4 ? 'provider' : 'consumer'
    const channelId = this.#any(this.channels) as string
    const end = this.#any(client.ends.values())
    const stream = this.#any([...client.known])
    if (luck < 0.25) this.board.open(client, ++client.lastEnd, openOf(role, channelId))
    else if (luck < 0.33 && end) this.board.shut(end)
    else if (luck < 0.4) client.reads = false
    else if (luck < 0.5) client.catchUp()
    else if (luck < 0.53 && client.port.isCongested) client.waits = 1 + Math.floor(client.port.buffered / 10)
    else if (luck < 0.54) this.drop(client)
    else if (stream) {
      const size = Math.floor(this.#clock.random() * 1.5 * MiB)
      this.board.route(client, 200, 0, stream, 0, nothing, 0, size, false)
    }
    for (const each of [...this.clients]) if (each.isCut) this.drop(each)
  }

  drop(client: Client): void {
    this.board.drop(client)
    this.board.congestion.forget(client)
    this.clients.splice(this.clients.indexOf(client), 1, new Client(this.board))
  }

  /** Each pair of ends has one stream, and those that have begun are those that both clients know. */
  check(): void {
    const { clients, board, memory } = this
    const told = clients.flatMap(({ sides }) => sides.values().filter(({ isTold }) => isTold))
    expect(board.streams).toBe(told.length / 2)
    expect(memory.used).toBe(clients.reduce((sum, { waiting }) => sum + (waiting?.bytes ?? 0), 0))
    const ends = clients.flatMap((client) => client.ends.values())
    for (const client of clients) {
      const own = told.filter(({ line }) => line === client).map(({ number }) => number)
      expect(new Set(own)).toEqual(client.known)
      for (const end of client.ends.values()) expect(partners(end)).toEqual(new Set(ends.filter(isPartnerOf(end))))
    }
  }

  #any<T>(of: readonly T[]): T | undefined {
    return of[Math.floor(this.#clock.random() * of.length)]
  }
}

/** The open ends that an end is joined with, or will be. */
function partners(end: SwitchEnd): Set<SwitchEnd> {
  const others = end.sides.map(({ other }) => other.end).filter(({ line, number }) => line.ends.has(number))
  expect(new Set(others).size).toBe(others.length)
  return new Set(others)
}

function isPartnerOf({ open: { role, channelId } }: SwitchEnd): (end: SwitchEnd) => boolean {
  return ({ open }) => open.channelId === channelId && open.role !== role
}

it.each([1, 2, 3, 4])(
  '[SOCK 4.1, 7.4] whatever links do, each pair of channel ends has one stream (seed %i)',
  (seed) => {
    const clock = new ManualClock(seed)
    for (let round = 0; round < 10; round++) {
      const crowd = new Crowd(clock)
      for (let i = 0; i < 150; i++) {
        crowd.step()
        crowd.check()
      }
      for (let i = 0; i < 3; i++) for (const client of crowd.clients) client.catchUp()
      crowd.check()
      expect(crowd.clients.flatMap(({ sides }) => sides.values()).every(({ isTold }) => isTold)).toBe(true)
      for (const client of [...crowd.clients]) crowd.drop(client)
      expect([crowd.board.streams, crowd.board.channels, crowd.memory.used]).toEqual([0, 0, 0])
    }
  },
)
