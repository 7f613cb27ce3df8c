/** Options: a wrong type and an unknown name are INVALID_OPTION, and the message says what was expected. */
import { describe, expect, it } from 'vitest'
import {
  subscribeSettings,
  verifyClientOptions,
  verifyPublishOptions,
  verifyRun,
  verifyWait,
} from '../../broker/client/options.ts'
import { splitHubOptions } from '../../broker/hub/options.ts'
import { linkRules, serverRules } from '../../socket/options.ts'

type Case = readonly [given: object, name: string, expected: RegExp]

/** Every wrong value must be refused with a message that names the option, what was given, and what was expected. */
function refuses(verify: (given: never) => unknown, cases: readonly Case[]) {
  it.each(cases)('refuses %j, and says why', (given, name, expected) => {
    let thrown: { code?: string; message?: string } = {}
    try {
      verify(given as never)
    } catch (error) {
      thrown = error as typeof thrown
    }
    expect(thrown.code).toBe('INVALID_OPTION')
    expect(thrown.message).toContain(name)
    expect(thrown.message).toMatch(expected)
  })
}

describe('subscribe', () => {
  refuses(subscribeSettings, [
    [{ buffer: 0 }, 'buffer', /is 0; expected a whole number from 1/],
    [{ buffer: '5' }, 'buffer', /is "5"; expected a whole number/],
    [{ buffer: 1.5 }, 'buffer', /whole number/],
    [{ overflow: 'drop' }, 'overflow', /"block", "drop-oldest", "drop-newest", "error"/],
    [{ limit: 5 }, 'limit', /expected an object/],
    [{ limit: { messages: 0 } }, 'messages', /from 1/],
    [{ limit: { bytes: '1' } }, 'bytes', /whole number/],
    [{ limit: { size: 1 } }, 'size', /knows messages, bytes/],
    [{ from: 'old' }, 'from', /'new', 'all', \{ seq \}/],
    [{ from: {} }, 'from', /of type object; expected/],
    [{ from: { seq: 1, last: 2 } }, 'from', /expected/],
    [{ from: { seq: -1 } }, 'from', /expected/],
    [{ from: { when: 1 } }, 'from', /expected/],
    [{ noEcho: 1 }, 'noEcho', /true or false/],
    [{ signal: {} }, 'signal', /an AbortSignal/],
    [{ bufer: 1 }, "no option 'bufer'", /it knows delivery, buffer, overflow/],
  ])

  it('takes everything that is documented', () => {
    subscribeSettings({})
    for (const from of ['new', 'all', { seq: 0 }, { position: 1 }, { time: 5 }, { last: 3 }] as const) {
      subscribeSettings({ from })
    }
    const { signal } = new AbortController()
    const limit = { messages: 1, bytes: 1 }
    subscribeSettings({ buffer: 1, overflow: 'error', limit, from: 'all', noEcho: true, signal })
  })
})

describe('publish', () => {
  refuses(verifyPublishOptions, [
    [{ headers: 'a' }, 'headers', /an object with text values/],
    [{ headers: { a: 1 } }, 'headers', /an object with text values/],
    [{ headers: ['a'] }, 'headers', /is of type array/],
    [{ id: '' }, 'id', /1 to 100 characters/],
    [{ id: 'x'.repeat(101) }, 'id', /1 to 100 characters/],
    [{ id: 7 }, 'id', /is 7; expected a string/],
    [{ correlationId: {} }, 'correlationId', /a string/],
    [{ replyTo: 'x'.repeat(256) }, 'replyTo', /at most 255/],
    [{ timeoutMs: -1 }, 'timeoutMs', /from 0/],
    [{ signal: 'now' }, 'signal', /an AbortSignal/],
    [{ header: {} }, "no option 'header'", /it knows delivery, headers/],
  ])
})

describe('flush and drain', () => {
  refuses(
    (given: object) => verifyWait('flush', given),
    [
      [{ timeoutMs: 'soon' }, 'timeoutMs', /flush: timeoutMs is "soon"; expected a number/],
      [{ timeout: 5 }, "flush has no option 'timeout'", /it knows timeoutMs, signal/],
    ],
  )
})

describe('run', () => {
  refuses(
    (given: object) => verifyRun(() => {}, given),
    [
      [{ concurrency: 0 }, 'concurrency', /from 1/],
      [{ parallel: 2 }, "no option 'parallel'", /concurrency/],
    ],
  )

  it('wants a handler', () => {
    expect(() => verifyRun('handler', {})).toThrow(/handler is "handler"; expected a function/)
  })
})

describe('connect', () => {
  refuses(verifyClientOptions, [
    [{ producerId: '' }, 'producerId', /1 to 100 characters/],
    [{ channel: 'main' }, 'channel', /is "main"; expected a UUID/],
    [{ name: 5 }, 'name', /a string/],
    [{ reconnect: true }, 'reconnect', /false or an object/],
    [{ observe: () => {} }, "no option 'observe'", /it knows name/],
    [{ nme: 'x' }, "no option 'nme'", /it knows name/],
  ])
})

describe.each([
  ['Broker.listen', serverRules],
  ['Broker.attach', linkRules],
] as const)('%s', (where, rules) => {
  refuses(
    (given: object) => splitHubOptions(where, given, rules),
    [
      [{ topics: [] }, 'topics', /an object/],
      [{ topics: { 'a.*': { history: -1 } } }, "topics['a.*']: history", /whole number from 0/],
      [{ topics: { 'a.*': { histroy: 1 } } }, "topics['a.*'] has no option 'histroy'", /history/],
      [{ channel: '1' }, 'channel', /a UUID/],
      [{ maxTopics: 0 }, 'maxTopics', /from 1/],
      [{ maxSubscriptions: 'many' }, 'maxSubscriptions', /is "many"/],
      [{ drainMs: -5 }, 'drainMs', /from 0/],
      [{ heartbeatMs: 1 }, 'heartbeatMs', /from 10/],
      [{ histroy: 5 }, `${where} has no option 'histroy'`, /it knows/],
    ],
  )

  it('refuses settings for what is no pattern with INVALID_PATTERN', () => {
    const wrong = () => splitHubOptions(where, { topics: { 'a.**.b': { history: 1 } } }, rules)
    expect(wrong).toThrow(expect.objectContaining({ code: 'INVALID_PATTERN' }))
  })

  it('divides the options between the broker and what carries it, and fills in the defaults', () => {
    const { hub, rest } = splitHubOptions(
      where,
      { maxTopics: 5, heartbeatMs: 100, drainMs: undefined } as object,
      rules,
    )
    expect(hub).toMatchObject({ maxTopics: 5, maxSubscriptions: 1_000_000, drainMs: 1_000 })
    expect(rest).toEqual({ heartbeatMs: 100 })
  })
})
