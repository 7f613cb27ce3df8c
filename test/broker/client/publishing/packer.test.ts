/** What is no topic is refused as such, also by the very first publish. */
import { expect, it } from 'vitest'
import { Packer } from '../../../../broker/client/publishing/packer.ts'

it('publishing to undefined says that it is no topic, before anything else was published and after', () => {
  const packer = new Packer('producer', 'sender', 1_000)
  const admit = () => packer.admit(undefined as unknown as string, 10)
  expect(admit).toThrow(/not a string/)
  packer.append(packer.admit('a', 10), new Uint8Array(5), true, undefined, 10)
  expect(admit).toThrow(/not a string/)
})
