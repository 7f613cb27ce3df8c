/** How Consumers and Providers end, drain and wait: nothing ends in silence, and nothing waits longer than it is told. */
import { Consumer, Link, Provider, type Request } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { newId } from '../../../base/identifier.ts'
import { bytes, failure, House, text } from '../tools/house.ts'
import { turns, until } from '../tools/until.ts'

describe('closed', () => {
  it('of a Consumer and a Provider resolves when this program closes them, also when it is asked for later', async () => {
    await using house = await House.open()
    const { consumer, provider } = await house.pair()
    const before = [consumer.closed, provider.closed]
    await consumer.close()
    await provider.close()
    expect(await Promise.all([...before, consumer.closed, provider.closed])).toEqual(Array(4).fill(undefined))
  })

  it('says what ended a serving Provider whose link is lost for good', async () => {
    await using house = await House.open()
    const link = await house.link({ reconnect: false })
    const provider = await link.provider(newId())
    const consumer = await link.consumer(newId())
    provider.serve(() => undefined)
    const ended = Promise.all([provider.closed, consumer.closed])
    await house.server.close()
    expect(await ended).toMatchObject([{ code: 'SERVER_CLOSING' }, { code: 'SERVER_CLOSING' }])
  })
})

describe('a Provider that drains', () => {
  it('waits for handlers that run and for what waits for them, one-way messages too', async () => {
    await using house = await House.open()
    const { consumer, provider } = await house.pair()
    const started: (() => void)[] = []
    let handled = 0
    provider.serve(
      async () => {
        await new Promise<void>((resolve) => started.push(resolve))
        handled++
        return bytes('done')
      },
      { concurrency: 2 },
    )
    const answers = Promise.all([consumer.send(bytes('a')), consumer.send(bytes('b'))])
    for (let i = 0; i < 3; i++) await consumer.post(bytes('c'))
    await until('two run and three wait', () => started.length === 2 && provider.pending === 3)
    let isDrained = false
    const drained = provider.drain({ timeoutMs: 60_000 }).then(() => {
      isDrained = true
    })
    await until('the Consumer knows', () => consumer.credit === 0)
    const late = failure(consumer.send(bytes('late'), { timeoutMs: 50 }))
    await turns()
    expect([isDrained, handled]).toEqual([false, 0])
    while (handled < 5) {
      for (const go of started.splice(0)) go()
      await turns(1)
    }
    await drained
    expect((await answers).map(text)).toEqual(['done', 'done'])
    expect((await late).code).toBe('TIMEOUT')
  })

  it('waits for the body of the loop', async () => {
    await using house = await House.open()
    const { consumer, provider } = await house.pair()
    const seen: string[] = []
    let go: () => void = () => {}
    const loop = (async () => {
      for await (const request of provider) {
        await new Promise<void>((resolve) => {
          go = resolve
        })
        seen.push(text(request.payload))
        await request.respond(request.payload)
      }
      seen.push('over')
    })()
    await consumer.post(bytes('a'))
    const answer = consumer.send(bytes('b'))
    await until('it has come', () => provider.pending === 1)
    const drained = provider.drain({ timeoutMs: 60_000 })
    await turns()
    expect(seen).toEqual([])
    for (let i = 1; i <= 2; i++) {
      go()
      await until('it is done', () => seen.length >= i)
      await turns(2)
    }
    await Promise.all([drained, loop])
    expect([text(await answer), seen]).toEqual(['b', ['a', 'b', 'over']])
  })

  it('leaves what Consumers have not begun to its successor', async () => {
    await using house = await House.open()
    const { channelId, consumer, provider } = await house.pair()
    const held = await (async () => {
      const answer = consumer.send(bytes('first'))
      return { request: (await provider.receive()) as Request, answer }
    })()
    const drained = provider.drain({ timeoutMs: 60_000 })
    await until('the Consumer knows', () => consumer.credit === 0)
    const next = consumer.send(bytes('next'))
    const posted = consumer.post(bytes('posted'))
    await held.request.respond(bytes('done'))
    await drained
    expect(text(await held.answer)).toBe('done')
    const successor = await (await house.link()).provider(channelId)
    const seen: string[] = []
    successor.serve(({ payload }) => {
      seen.push(text(payload))
      return payload
    })
    expect(text(await next)).toBe('next')
    await posted
    await until('both have come', () => seen.length === 2)
  })
})

describe('waiting for credit', () => {
  it('ends with TIMEOUT or ABORTED when that is asked for', async () => {
    await using house = await House.open()
    const consumer = await (await house.link()).consumer(newId())
    expect((await failure(consumer.ready({ timeoutMs: 5 }))).code).toBe('TIMEOUT')
    expect((await failure(consumer.post(bytes('a'), { timeoutMs: 5 }))).code).toBe('TIMEOUT')
    const controller = new AbortController()
    const { signal } = controller
    const waiting = [consumer.ready({ signal }), consumer.post(bytes('a'), { signal })].map(failure)
    controller.abort('enough')
    for (const each of waiting) expect(await each).toMatchObject({ code: 'ABORTED', cause: 'enough' })
    expect((await failure(consumer.post(bytes('a'), { signal }))).code).toBe('ABORTED')
    expect([consumer.failedPosts, consumer.outstanding]).toEqual([3, 0])
  })

  it('and a large message that is given up in the middle does not hold up the next', async () => {
    await using house = await House.open()
    const { consumer, provider } = await house.pair()
    expect((await failure(consumer.post(new Uint8Array(4_000_000), { timeoutMs: 5 }))).code).toBe('TIMEOUT')
    await consumer.post(bytes('next'))
    expect(text((await provider.receive())?.payload ?? bytes(''))).toBe('next')
  })

  it('counts undefined as not given', async () => {
    await using house = await House.open()
    const { consumer, provider } = await house.pair()
    provider.serve(({ payload }) => payload, { concurrency: undefined } as never)
    const nothing = { timeoutMs: undefined, signal: undefined, transfer: undefined, metadata: undefined } as never
    await consumer.ready({ timeoutMs: undefined, signal: undefined } as never)
    await consumer.post(bytes('a'), nothing)
    expect(text(await consumer.send(bytes('b'), nothing))).toBe('b')
    await provider.drain({ timeoutMs: undefined } as never)
    await consumer.drain({ timeoutMs: undefined } as never)
  })
})

describe('what is not made by its maker', () => {
  it('is refused with the name of the maker', () => {
    const made = [
      () => new (Consumer as unknown as new () => Consumer)(),
      () => new (Provider as unknown as new () => Provider)(),
      () => new (Link as unknown as new () => Link)(),
    ]
    for (const make of made) expect(make).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
    expect(made[1]).toThrow('Provider.connect or link.provider')
  })
})
