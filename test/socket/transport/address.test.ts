/** Addresses as text. */
import { describe, expect, it } from 'vitest'
import { formatAddress, parseAddress } from '../../../socket/transport/address.ts'

describe('an address', () => {
  it('is read, and written the same way', () => {
    const urls = ['tcp://127.0.0.1:9090', 'tls://broker.example:1', 'tcp://[::1]:65535', 'unix:/run/box.sock', 'unix:a']
    for (const url of urls) expect(formatAddress(parseAddress(url))).toBe(url)
  })

  it('has the parts that its text names', () => {
    expect(parseAddress('tcp://[fe80::1]:80')).toEqual({ transport: 'tcp', host: 'fe80::1', port: 80 })
    expect(parseAddress('tls://example.com:443/')).toEqual({ transport: 'tls', host: 'example.com', port: 443 })
    expect(parseAddress('unix:///tmp/a b.sock')).toEqual({ transport: 'unix', path: '/tmp/a b.sock' })
  })

  it('is refused when it is none', () => {
    const wrong = ['', 'tcp://', 'tcp://host', 'tcp://host:', 'tcp://host:65536', 'tcp://host:-1', 'tcp://host:1/path']
    const others = ['http://host:80', 'host:80', 'tcp://a:b:80', 'tcp://[zz]:80', 'unix:', 'unix://', ' tcp://host:80']
    for (const url of [...wrong, ...others, undefined, null, 9090, {}]) {
      expect(() => parseAddress(url)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
    }
  })
})
