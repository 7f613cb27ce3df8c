/** Programs end by themselves once they have closed what they opened, and no failure goes where nobody can see it. */
import { describe, expect, it } from 'vitest'
import { Child } from '../tools/child.ts'
import { House } from '../tools/house.ts'
import { until } from '../tools/until.ts'

describe.concurrent('a program', () => {
  it('holds no socket and no timer any more when it has closed everything, and ends', async () => {
    await using child = new Child('open-and-close')
    expect(await child.says('held')).toBe('[]')
    expect([await child.ended(), child.errors]).toEqual([0, ''])
  })

  it('meets no rejection that it could not have handled, whatever fails', async () => {
    await using child = new Child('mishaps')
    expect([await child.ended(), child.errors, child.lines]).toEqual([0, '', ['no mishap']])
  })

  it.each(['closes', 'closes its own', 'is refused'])('that connects and %s ends by itself', async (way) => {
    await using house = await House.open('tcp')
    await using child = new Child('leaving', way, house.server.url)
    expect([await child.ended(), child.errors, child.lines]).toEqual([0, '', ['done']])
    await until('the server knows', () => house.server.stats().links === 0)
  })

  it.each(['gives up', 'closes while it reconnects', 'is sent away'])(
    'that loses its server and %s ends by itself',
    async (way) => {
      await using house = await House.open('tcp')
      await using child = new Child('leaving', way, house.server.url)
      await child.says('connected')
      await house.server.close()
      expect([await child.ended(), child.errors]).toEqual([0, ''])
      expect(child.lines).toContain('done')
    },
  )
})
