/** What is packed stays as it was until it comes back, and what is no topic is refused as such. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Packer, type Parcel } from '../../../../broker/client/publishing/packer.ts'

it('publishing to undefined says that it is no topic, before anything else was published and after', () => {
  const packer = new Packer('producer', 'sender', 1_000)
  const admit = () => packer.admit(undefined as unknown as string, 10)
  expect(admit).toThrow(/not a string/)
  packer.append(packer.admit('a', 10), new Uint8Array(5), true, undefined, 10)
  expect(admit).toThrow(/not a string/)
})

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('append'), topic: fc.nat(2), size: fc.nat(300) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('append'), topic: fc.nat(2), size: fc.nat(70_000) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wrap'), topic: fc.nat(), size: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('take'), topic: fc.nat(), size: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('give back'), topic: fc.nat(), size: fc.nat(20) }) },
)

it('writes over no parcel that has not come back, and over those that have', () => {
  const run = (steps: { do: string; topic: number; size: number }[]): void => {
    const packer = new Packer('producer', 'sender', 1_000_000)
    const out: { parcel: Parcel; seen: string }[] = []
    let fill = 0
    for (const { do: what, topic, size } of steps) {
      if (what === 'append') {
        const payload = new Uint8Array(size).fill(++fill)
        packer.append(packer.admit(`topic-${topic}`, size + 5), payload, true, undefined, size + 5)
      } else if (what === 'wrap') {
        packer.wrap()
      } else if (what === 'take') {
        const parcel = packer.take()
        if (parcel) out.push({ parcel, seen: Buffer.from(parcel.bytes).toString('base64') })
      } else {
        const [back] = out.splice(size % Math.max(1, out.length), 1)
        if (back) packer.giveBack(back.parcel)
      }
      for (const { parcel, seen } of out) expect(Buffer.from(parcel.bytes).toString('base64')).toBe(seen)
    }
  }
  fc.assert(fc.property(fc.array(step, { minLength: 20, maxLength: 120 }), run), { numRuns: 150 })
})

it('goes on in the same memory while all comes back', () => {
  const packer = new Packer('producer', 'sender', 1_000_000)
  const memory = new Set<ArrayBufferLike>()
  for (let i = 0; i < 10_000; i++) {
    packer.append(packer.admit('a', 1_005), new Uint8Array(1_000), true, undefined, 1_005)
    if (i % 7 === 0) packer.wrap()
    for (let parcel = packer.take(); parcel; parcel = packer.take()) {
      memory.add(parcel.bytes.buffer)
      packer.giveBack(parcel)
    }
  }
  expect(memory.size).toBeLessThanOrEqual(2)
})

it('takes little memory for those who publish little, and enough for full parcels for those who publish much', () => {
  const packer = new Packer('me', 'me', 1_000_000)
  const room = (messages: number): number => {
    for (let i = 0; i < messages; i++)
      packer.append(packer.admit('a', 1_005), new Uint8Array(1_000), true, undefined, 1_005)
    packer.wrap()
    const parcels = packer.parcels.clear()
    for (const parcel of parcels) packer.giveBack(parcel)
    return parcels.at(-1)?.bytes.buffer.byteLength ?? 0
  }
  expect([room(1), room(1), room(1)]).toEqual([4_096, 4_096, 4_096])
  for (let turn = 0; turn < 5; turn++) room(100)
  expect(room(100)).toBe(2 * 64 * 1_024)
})
