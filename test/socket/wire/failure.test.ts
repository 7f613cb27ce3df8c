/**
 * Errors on the wire: code, message and whether to try again cross; nothing else does, and nothing breaks the reader.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isTerminal, SignalboxError, socketError, socketErrors } from '../../../base/errors.ts'
import { decodeFailure, encodeFailure, RemoteError } from '../../../socket/wire/failure.ts'

const cross = (thrown: unknown): SignalboxError => {
  const bytes = encodeFailure(thrown)
  return decodeFailure(bytes, 0, bytes.length, true)
}

describe('a failure on the wire', () => {
  it('[SOCK 8.1] keeps code, message and retryable', () => {
    const error = cross(socketError('BUFFER_FULL'))
    expect(error).toBeInstanceOf(RemoteError)
    expect(error).toMatchObject({ code: 'BUFFER_FULL', retryable: true, name: 'RemoteError' })
    expect(error.message).toBe(socketError('BUFFER_FULL').message)
  })

  it('[SOCK 8.1] carries the number of its code, and that of REMOTE for a code that is not in the table', () => {
    const read = (thrown: unknown): unknown => JSON.parse(Buffer.from(encodeFailure(thrown)).toString())
    expect(read(socketError('TIMEOUT'))).toMatchObject({ n: 3004, code: 'TIMEOUT' })
    expect(read({ code: 'OUT_OF_STOCK', message: 'none left' })).toMatchObject({ n: 3009, code: 'OUT_OF_STOCK' })
    expect(read({ code: 'toString', message: '' })).toMatchObject({ n: 3009 })
  })

  it('[SOCK 8.1] never carries a stack or a cause', () => {
    const text = Buffer.from(encodeFailure(new Error('told', { cause: new Error('secret') }))).toString()
    expect(text).not.toMatch(/secret|stack|failure\.test/)
  })

  it('makes something readable of whatever was thrown', () => {
    expect(cross(new TypeError('wrong'))).toMatchObject({ code: 'REMOTE', message: 'wrong', retryable: false })
    expect(cross('just a text')).toMatchObject({ code: 'REMOTE', message: 'just a text' })
    expect(cross(undefined)).toMatchObject({ code: 'REMOTE', message: 'undefined' })
    expect(cross({ code: 42, message: 43 })).toMatchObject({ code: 'REMOTE' })
    expect(cross(Object.create(null))).toMatchObject({ code: 'REMOTE' })
    expect(cross({ code: 'x'.repeat(1_000), message: 'y'.repeat(100_000) }).message.length).toBe(2_000)
  })

  it('is never larger than a frame', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 4_000 }), fc.string({ maxLength: 300 }), (message, code) => {
        expect(encodeFailure({ code, message }).length).toBeLessThan(64 * 1024)
      }),
      { numRuns: 20 },
    )
  })

  it('[SOCK 8.2] is read as REMOTE when the bytes are no failure', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          const error = decodeFailure(bytes, 0, bytes.length, false)
          expect(error).toBeInstanceOf(SignalboxError)
          expect(typeof error.code).toBe('string')
        },
      ),
    )
    expect(decodeFailure(Buffer.from('null'), 0, 4, false).code).toBe('REMOTE')
  })
})

describe('the table of errors', () => {
  it('[SOCK 8.3] says by the number whether to connect again', () => {
    for (const [code, { number }] of Object.entries(socketErrors)) {
      expect([code, isTerminal(socketError(code as keyof typeof socketErrors))]).toEqual([code, number >= 2_000])
    }
    expect(isTerminal(new Error('ECONNRESET'))).toBe(false)
    expect(isTerminal(new SignalboxError('MADE_UP', '', { number: 1_999 }))).toBe(false)
    expect(isTerminal(new SignalboxError('MADE_UP', ''))).toBe(true)
    expect(isTerminal(undefined)).toBe(false)
  })

  it('gives every code a number of its own', () => {
    const numbers = Object.values(socketErrors).map(({ number }) => number)
    expect(new Set(numbers).size).toBe(numbers.length)
  })

  it('says what happened and what to do', () => {
    const error = socketError('NO_PROVIDER', 'Nobody answers.', { details: { limit: 1 } })
    expect(error.message).toBe(`Nobody answers. ${socketErrors.NO_PROVIDER.advice}`)
    expect(error).toMatchObject({ details: { limit: 1 }, retryable: true })
  })
})
