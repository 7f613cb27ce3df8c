/** What newcomers got wrong, and what they are told. */
import { spawnSync } from 'node:child_process'
import { Broker, type Client, connect, type PubSub } from 'signalbox'
import { Server } from 'signalbox/socket'
import { describe, expect, it } from 'vitest'
import { turns, until } from '../../socket/tools/until.ts'
import { failure, Told } from '../tools/reading.ts'
import { closing, ScriptedBroker, subscribed } from '../tools/scripted-broker.ts'

async function scene() {
  const broker = await Broker.listen({ graceMs: 10 })
  const client = await connect(broker.url)
  return {
    ...{ broker, client },
    async [Symbol.asyncDispose]() {
      await client.close()
      await broker.close()
    },
  }
}

describe('an option that is undefined', () => {
  it('is an option that was not given', async () => {
    await using stage = await scene()
    const { client } = stage
    const given = { buffer: undefined, from: undefined, limit: { messages: undefined }, signal: undefined }
    const subscription = await client.subscribe('t', { overflow: 'drop-oldest', ...given })
    for (let i = 0; i < 500; i++) void client.publish('t', i, { headers: undefined, timeoutMs: undefined })
    await client.flush({ timeoutMs: undefined })
    await until('the policy has acted', () => subscription.pending === 100)
    expect(subscription.limit).toEqual({ messages: 65_536, bytes: 64 * 1024 * 1024 })
  })

  it('is none for brokers and clients either, also to the compiler', async () => {
    await using broker = await Broker.listen({ port: 0, host: undefined, maxTopics: undefined, topics: undefined })
    await using client = await connect(broker.url, { name: undefined, producerId: undefined, heartbeatMs: undefined })
    expect([client.name, client.producerId.length]).toEqual(['', 36])
  })
})

describe('a place that is not there', () => {
  it('is told: not recovered, and a new epoch', async () => {
    const answer = { ...subscribed, epoch: 9, recovered: false }
    await using broker = await ScriptedBroker.listen({ subscribe: () => answer })
    await using client = await connect(broker.url)
    const told = new Told(client)
    const subscription = await client.subscribe('t', { from: { after: { seq: 13, epoch: 4 } } })
    expect(subscription.recovered).toBe(false)
    expect(await told.first('epoch')).toMatchObject({ pattern: 't', epoch: 9 })
  })

  it('is told by a broker that was started anew, and what it publishes is delivered from the beginning', async () => {
    await using stage = await scene()
    const { client } = stage
    const told = new Told(client)
    const subscription = await client.subscribe<number>('t', { from: { seq: 13 } })
    expect(subscription.recovered).toBe(false)
    await told.first('epoch')
    for (let i = 1; i <= 3; i++) await client.publish('t', i)
    expect((await subscription.take(3)).map(({ data, seq }) => [data, seq])).toEqual([1, 2, 3].map((i) => [i, i]))
  })
})

describe('a subscription', () => {
  it('whose loop was left says so when it is looped over again', async () => {
    await using stage = await scene()
    const { client } = stage
    const subscription = await client.subscribe('t')
    for (let i = 0; i < 5; i++) void client.publish('t', i)
    for await (const _ of subscription) break
    const again = failure(
      (async () => {
        for await (const _ of subscription);
      })(),
    )
    expect(await again).toMatchObject({ code: 'CLOSED', message: expect.stringContaining('take(n)') })
  })

  it('gives a few messages with take, and stays open', async () => {
    await using stage = await scene()
    const { client } = stage
    const subscription = await client.subscribe<number>('t')
    for (let i = 0; i < 5; i++) void client.publish('t', i)
    expect((await subscription.take(2)).map(({ data }) => data)).toEqual([0, 1])
    expect((await subscription.take(3)).map(({ data }) => data)).toEqual([2, 3, 4])
    const rest = subscription.take(5)
    await client.publish('t', 5)
    await client.flush()
    await until('it is there', () => subscription.received === 6)
    await subscription.close()
    expect((await rest).map(({ data }) => data)).toEqual([5])
    expect((await failure(subscription.take(-1))).code).toBe('INVALID_OPTION')
  })

  it.each([
    ['handlers', (client: Client, answers: string[]) => answerWithRun(client, answers)],
    ['the body of a loop', (client: Client, answers: string[]) => answerInLoop(client, answers)],
  ])('that is drained waits for %s, and what they publish goes out', async (_name, answer) => {
    await using stage = await scene()
    const { broker, client } = stage
    const answers = await (await connect(broker.url)).subscribe<number>('answers')
    await answer(client, [])
    for (let i = 0; i < 10; i++) await client.publish('asked', i)
    await client.flush()
    await client.drain()
    expect((await answers.take(10)).map(({ data }) => data).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  it('tells onError what a handler threw, and goes on', async () => {
    await using stage = await scene()
    const { client } = stage
    const subscription = await client.subscribe<number>('t')
    const seen: unknown[] = []
    const ended = subscription.run(
      ({ data }) => {
        if (data === 1) throw new Error('no')
        seen.push(data)
      },
      { onError: (error, message) => void seen.push([(error as Error).message, message.data]) },
    )
    for (let i = 0; i < 3; i++) await client.publish('t', i)
    await until('all are handled', () => seen.length === 3)
    expect([seen, subscription.handlerErrors]).toEqual([[0, ['no', 1], 2], 1])
    await subscription.close()
    await ended
  })

  it('prints one warning when a handler throws and nobody listens', () => {
    const program = `
      import { Broker } from 'signalbox'
      const broker = await Broker.listen()
      const subscription = await broker.subscribe('t')
      void subscription.run(() => { throw new Error('of the handler') })
      for (let i = 0; i < 3; i++) await broker.publish('t', i)
      await broker.drain()`
    const flags = ['--import', 'tsx', '--conditions=signalbox-source', '--input-type=module', '-e', program]
    const { stderr, status } = spawnSync(process.execPath, flags, { encoding: 'utf8' })
    expect([status, stderr.match(/of the handler/g)?.length]).toEqual([0, 1])
    expect(stderr).toContain("the subscription to 't' threw")
  })
})

/** Each answer takes a while. */
async function later(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 5))
}

async function answerWithRun(client: Client, _answers: string[]): Promise<void> {
  const asked = await client.subscribe<number>('asked')
  const answer = async ({ data }: { data: number }): Promise<void> => {
    await later()
    void client.publish('answers', data)
  }
  void asked.run(answer, { concurrency: 4 })
}

async function answerInLoop(client: Client, _answers: string[]): Promise<void> {
  const asked = await client.subscribe<number>('asked')
  const loop = async (): Promise<void> => {
    for await (const { data } of asked) {
      await later()
      void client.publish('answers', data)
    }
  }
  void loop()
}

describe('a message that says what was given and expected', () => {
  it.each([
    ['a.>', 'a.**'],
    ['a.#', 'a.**'],
    ['a/+', 'a/*'],
    ['+.b.>', '*.b.**'],
    ['>', '**'],
  ])('comes for the pattern %s of another broker', async (pattern, ours) => {
    await using stage = await scene()
    const error = await failure(stage.client.subscribe(pattern))
    expect([error.code, error.message.includes(`Signalbox writes this \`${ours}\``)]).toEqual(['INVALID_PATTERN', true])
  })

  it('comes for a callback, a missing address, and constructors', async () => {
    await using stage = await scene()
    const { client, broker } = stage
    const callback = await failure(client.subscribe('a', (() => {}) as never))
    expect(callback).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringMatching(/a function.*for await/) })
    const nowhere = await failure(connect(undefined as never))
    expect(nowhere).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringMatching(/url is undefined.*tcp:/) })
    for (const Class of [Broker, client.constructor] as unknown as (new () => unknown)[]) {
      expect(() => new Class()).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
    }
    await using server = await Server.listen()
    await using _first = await Broker.attach(server.url)
    const second = await failure(Broker.attach(server.url))
    expect(second).toMatchObject({
      ...{ code: 'CHANNEL_CONFLICT', message: expect.stringContaining('There is a broker on the server at tcp://') },
    })
    const shared: PubSub[] = [client, broker]
    expect(shared).toHaveLength(2)
  })

  it('comes with the cause when a broker is gone: subscribe, flush', async () => {
    const broker = await Broker.listen({ graceMs: 10 })
    await using client = await connect(broker.url, { reconnect: { minMs: 1, maxMs: 5 } })
    expect(client.isConnected).toBe(true)
    const told = new Told(client)
    await broker.close()
    await told.first('reconnecting')
    const cause = expect.objectContaining({ code: 'CONNECT_FAILED' })
    await until('it was refused', () => told.types.filter((type) => type === 'reconnecting').length > 2)
    expect(client.isConnected).toBe(false)
    const error = await failure(client.subscribe('a', { timeoutMs: 50 }))
    expect(error).toMatchObject({ code: 'TIMEOUT', cause, message: expect.stringContaining('ECONNREFUSED') })
    expect(await failure(client.flush({ timeoutMs: 50 }))).toMatchObject({ code: 'TIMEOUT', cause })
    expect(client.stats()).toMatchObject({ subscriptions: 0 })
  })

  it('comes with why the broker refused for as long as subscribe waited', async () => {
    await using broker = await ScriptedBroker.listen({ subscribe: closing })
    await using client = await connect(broker.url)
    const error = await failure(client.subscribe('a', { timeoutMs: 50 }))
    expect(error).toMatchObject({ code: 'TIMEOUT', cause: { code: 'BROKER_CLOSED' } })
  })

  it('shows the line of the program that called', async () => {
    const error = await failure(connect('tcp://127.0.0.1:1'))
    expect([error.message.includes('127.0.0.1'), error.stack]).toEqual([
      true,
      expect.stringContaining('mistakes.test.ts'),
    ])
  })
})

describe('connect with waitForBroker', () => {
  it('resolves once there is a server with a broker, and gives up when its signal says so', async () => {
    const server = await Server.listen({ graceMs: 10 })
    const { url } = server
    const port = Number(new URL(url).port)
    await server.close()
    const connecting = connect(url, { waitForBroker: true })
    const stop = new AbortController()
    const stopped = failure(connect(url, { waitForBroker: true, signal: stop.signal }))
    await turns(20)
    stop.abort('enough')
    expect((await stopped).code).toBe('ABORTED')
    await using _broker = await Broker.listen({ port, graceMs: 10 })
    const client = await connecting
    expect(client.isConnected).toBe(true)
    await client.close()
  })
})

describe('bytes', () => {
  it('that one subscriber in the process writes to are not those that another reads', async () => {
    await using broker = await Broker.listen()
    const [a, b] = [await broker.client().subscribe('t'), await broker.client().subscribe('t')]
    await broker.publish('t', new Uint8Array([1, 2, 3]))
    await broker.publish('t', { bytes: new Uint8Array([4, 5]) })
    for (const { payload, data } of await a.take(2)) {
      payload.fill(9)
      if (data instanceof Uint8Array) data.fill(9)
      else (data as { bytes: Uint8Array }).bytes.fill(9)
    }
    const found = (await b.take(2)).map(({ data }) => data)
    expect(found).toEqual([new Uint8Array([1, 2, 3]), { bytes: new Uint8Array([4, 5]) }])
  })
})

describe('a subscription that has seen very many topics', () => {
  it('goes on after an outage, with a resume that fits', async () => {
    const broker = await Broker.listen({ graceMs: 10 })
    const port = Number(new URL(broker.url).port)
    await using client = await connect(broker.url, { maxMessageBytes: 64 * 1024, reconnect: { minMs: 1, maxMs: 5 } })
    const subscription = await client.subscribe('**')
    for (let i = 0; i < 4_000; i++) await broker.publish(`building/7/room/${i}`, 1)
    await broker.flush()
    await subscription.take(4_000)
    await broker.close()
    await using second = await Broker.listen({ port, graceMs: 10 })
    await until('it is restored', () => second.stats().subscriptions === 1)
    await second.publish('t', 'after')
    expect((await subscription.take(1))[0]?.data).toBe('after')
  })
})
