/** Numbers of channel ends are used once, so that what is said about one is never taken for another. */
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { House } from '../tools/house.ts'
import { RawPeer } from '../tools/raw-peer.ts'
import { until } from '../tools/until.ts'

describe('[SOCK 4.1] the number of a channel end', () => {
  it.each([0, 4, 5])(
    'must be greater than every earlier one of the connection: %i after 5 is BAD_FRAME',
    async (number) => {
      await using house = await House.open()
      await using peer = await RawPeer.welcomed(house.server.url)
      peer.open(2, 'consumer', newId(), true)
      peer.open(5, 'consumer', newId(), true)
      await until('both are open', () => peer.frames.filter(({ kind }) => kind === Kind.OPENED).length === 2)
      peer.send({ kind: Kind.SHUT, stream: 5 })
      peer.open(number, 'consumer', newId(), true)
      expect(await peer.dismissed()).toBe('BAD_FRAME')
    },
  )

  it('that is shut while it is being judged cannot be opened as another meanwhile', async () => {
    const asked: (() => void)[] = []
    const opened: string[] = []
    const [one, two] = [newId(), newId()]
    await using house = await House.open('tcp', {
      authorise: () => new Promise((resolve) => asked.push(() => resolve(true))),
      observe: ({ type, channelId = '' }) => {
        if (type === 'end-open') opened.push(channelId)
      },
    })
    await using peer = await RawPeer.welcomed(house.server.url)
    peer.open(1, 'consumer', one, true)
    peer.send({ kind: Kind.SHUT, stream: 1 })
    peer.open(1, 'consumer', two, true)
    expect(await peer.dismissed()).toBe('BAD_FRAME')
    for (const decide of asked) decide()
    expect(opened).toEqual([])
  })
})
