/** A wrong option of `respond` whose promise nobody looks at does not end the process: the request is not answered yet. */
import { expect, it } from 'vitest'
import { bytes, failure, House, text } from '../tools/house.ts'

it('rejects, which nobody needs to look at, and the request may still be answered', async () => {
  await using house = await House.open('in-process')
  const { consumer, provider } = await house.pair()
  const unhandled: unknown[] = []
  const note = (reason: unknown): void => void unhandled.push(reason)
  process.on('unhandledRejection', note)
  try {
    const answer = consumer.send(bytes('a'))
    const request = await provider.receive()
    void request?.respond(bytes('b'), { transfers: true } as object)
    await new Promise((resolve) => setImmediate(resolve))
    expect((await failure(request?.respond(bytes('b'), { transfers: true } as object) as Promise<void>)).code).toBe(
      'INVALID_OPTION',
    )
    await request?.respond(bytes('c'))
    expect(text(await answer)).toBe('c')
    expect(unhandled).toEqual([])
  } finally {
    process.off('unhandledRejection', note)
  }
})
