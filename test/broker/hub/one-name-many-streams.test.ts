/**
 * What broke: a broker kept the name of a client once for each of its streams. It may have been authenticated under one of
 * thousands of characters, and open sixty thousand streams.
 */
import { expect, it } from 'vitest'
import { Inlets } from '../../../broker/hub/inlet.ts'

it('streams of one link have the bytes of its name in common', () => {
  const peer = { linkId: 1, name: '', transport: 'tcp', address: '', features: [] }
  const inlets = new Inlets()
  const [identity, other] = [{ name: 'a'.repeat(8_000) }, { name: 'b' }]
  const [one, two, three] = [identity, identity, other].map((each) => inlets.of({ ...peer, identity: each }))
  expect(two?.senderBytes).toBe(one?.senderBytes)
  expect([one, two, three].map((inlet) => inlet?.sender.length)).toEqual([8_000, 8_000, 1])
  const bytes = new TextEncoder().encode('b')
  expect([two, three].map((inlet) => inlet?.isSender(bytes, 0, 1))).toEqual([false, true])
})
