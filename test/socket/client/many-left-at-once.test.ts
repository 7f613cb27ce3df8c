/**
 * Many Consumers go at once, each of which has left a message at a Provider that has not read it: what waits is not gone
 * through for each of them. It took time squared, and 20,000 of one client held a server up for a minute.
 */
import { expect, it, vi } from 'vitest'
import { Fifo } from '../../../base/fifo.ts'
import { newId } from '../../../base/identifier.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { House, text } from '../tools/house.ts'
import { RawPeer } from '../tools/raw-peer.ts'
import { until } from '../tools/until.ts'

const count = 400

it.each([
  ['one-way messages stay', 0],
  ['requests are forgotten', 1],
])('%s, and each is looked at a few times', async (_, id) => {
  await using house = await House.open('in-process')
  const link = await house.link()
  const channelId = newId()
  const provider = await link.provider(channelId)
  const staying = await (await house.link()).consumer(channelId)
  await using peer = await RawPeer.welcomed(house.server.url)
  for (let number = 1; number <= count; number++) peer.open(number, 'consumer', channelId, true)
  const attached = await until('all are joined', () => {
    const frames = peer.frames.filter(({ kind }) => kind === Kind.ATTACH)
    return frames.length === count ? frames : undefined
  })
  for (const { stream } of attached) peer.send({ kind: Kind.DATA, stream, id, payload: Buffer.from('left') })
  await until('all wait', () => provider.pending === count)
  await staying.post(Buffer.from('last'))
  await until('that waits too', () => provider.pending === count + 1)

  let visited = 0
  const spies = (['each', 'keep'] as const).map((name) => {
    const real = Fifo.prototype[name] as (...given: unknown[]) => void
    return vi.spyOn(Fifo.prototype, name).mockImplementation(function (this: Fifo<unknown>, ...given: unknown[]) {
      visited += this.length
      real.apply(this, given)
    })
  })
  peer.socket.destroy()
  await until('all have gone', () => provider.consumers === 1)
  for (const spy of spies) spy.mockRestore()
  expect(visited).toBeLessThan(10 * count)

  expect(provider.pending).toBe(id === 0 ? count + 1 : 1)
  for (let left = provider.pending; left > 1; left--) {
    expect(text((await provider.receive())?.payload ?? Buffer.from('none'))).toBe('left')
  }
  expect(text((await provider.receive())?.payload ?? Buffer.from('none'))).toBe('last')
  await staying.close()
  await until('its stream is over', () => provider.consumers === 0)
  expect(link.stats().memory.used).toBe(0)
})
