/** Links of the same program: what is sent is handed over by turn, and never within the call that sends it. */
import { Server } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { joinedPorts } from '../../../socket/transport/in-process.ts'
import { Kind } from '../../../socket/wire/frame.ts'
import { bytes, House } from '../tools/house.ts'
import { ManualClock } from '../tools/manual-clock.ts'
import { Recording } from '../tools/recording.ts'
import { turns, until } from '../tools/until.ts'

describe('services of one program', () => {
  it('that post to each other without end neither fill the stack nor lose a message', async () => {
    await using house = await House.open('in-process')
    const link = await house.link()
    const [one, two] = [await link.provider(newId()), await link.provider(newId())]
    const [toOne, toTwo] = [await link.consumer(one.channelId), await link.consumer(two.channelId)]
    const hops = 20_000
    let done = 0
    const answer = (to: typeof toOne) => (): undefined => {
      if (++done < hops) void to.post(bytes('a'))
    }
    one.serve(answer(toTwo))
    two.serve(answer(toOne))
    await toOne.post(bytes('a'))
    await until('all hops are made', () => done === hops)
    expect([one.failedMessages, two.failedMessages, link.isOpen]).toEqual([0, 0, true])
  })

  it('are not called within the call that sends to them', async () => {
    await using house = await House.open('in-process')
    const { consumer, provider } = await house.pair()
    let received = 0
    provider.serve(() => {
      received++
      return undefined
    })
    await consumer.post(bytes('a'))
    expect(received).toBe(0)
    await until('it has come', () => received === 1)
  })

  it('reach each other through the server within one turn of the event loop', async () => {
    await using house = await House.open('in-process')
    const [first, second] = [await house.pair(), await house.pair()]
    const order: string[] = []
    first.provider.serve(({ payload }) => {
      void second.consumer.post(payload.slice())
      return undefined
    })
    second.provider.serve(() => void order.push('came'))
    await first.consumer.post(bytes('a'))
    await new Promise<void>((resolve) => {
      // The turn comes with the first of these; whatever is later than the second was late by a turn.
      setImmediate(() => setImmediate(() => resolve(void order.push('next turn'))))
    })
    expect(order).toEqual(['came', 'next turn'])
  })
})

describe('a pair of ports in one program', () => {
  it('keeps what comes before there is an owner, and the end too', async () => {
    const [near, far] = joinedPorts(new ManualClock())
    far.attach(new Recording())
    far.send(Kind.BYE, 0, 0, 0, bytes('bye'), 0, 3)
    far.close()
    const owner = new Recording()
    await new Promise((resolve) => setImmediate(resolve))
    near.attach(owner)
    await until('it has ended', () => owner.ends.length === 1)
    expect(owner.frames.map(({ payload }) => payload.toString())).toEqual(['bye'])
  })

  it('says what has been sent and not been handed over', async () => {
    const [near, far] = joinedPorts(new ManualClock())
    const owner = new Recording()
    far.attach(owner)
    for (let i = 0; i < 100; i++) near.send(Kind.DATA, 0, 1, 0, bytes('abcd'), 0, 4)
    expect([near.buffered, far.buffered, owner.frames.length]).toEqual([2_000, 0, 0])
    await until('all is handed over', () => owner.frames.length === 100)
    expect([near.buffered, far.received]).toEqual([0, 2_000])
  })
})

describe('whoever watches a server and its links', () => {
  it('may throw, and no link is left half opened or half ended by it', async () => {
    const uncaught: unknown[] = []
    const listeners = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', (error) => void uncaught.push(error))
    try {
      const observe = (): never => {
        throw new Error('while watching')
      }
      const server = await Server.listen({ graceMs: 0, observe })
      const link = server.link({ observe })
      const provider = await link.provider(newId())
      await link.consumer(provider.channelId)
      await link.close()
      await until('the link is gone', () => server.stats().links === 0)
      expect(server.stats()).toMatchObject({ channels: 0, streams: 0 })
      await server.close()
      await turns()
      expect(new Set(uncaught.map(String))).toEqual(new Set(['Error: while watching']))
    } finally {
      process.removeAllListeners('uncaughtException')
      for (const listener of listeners) process.on('uncaughtException', listener)
    }
  })
})
