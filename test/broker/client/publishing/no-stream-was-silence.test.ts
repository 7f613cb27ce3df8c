/**
 * What broke: where the server did not let a client have a second stream, what it published was gone without a word, for
 * as long as the client lived and nobody awaited.
 */
import { Broker, connect } from 'signalbox'
import { describe, expect, it } from 'vitest'
import { failure, Told } from '../../tools/reading.ts'

describe.each([{ maxEndsPerLink: 1 }, { maxStreamsPerLink: 1 }])('publishing where %o', (limits) => {
  it('tells what could not leave, and each that comes', async () => {
    await using broker = await Broker.listen(limits)
    await using client = await connect(broker.url)
    const told = new Told(client)
    void client.publish('t', 1)
    void client.publish('t', 2)
    expect((await failure(client.flush())).code).toBe('TOO_MANY_CHANNELS')
    expect(await told.first('refused')).toMatchObject({ code: 'TOO_MANY_CHANNELS', count: 2 })
    expect((await failure(client.publish('u', 3))).code).toBe('TOO_MANY_CHANNELS')
    expect(client.stats().refused).toBe(3)
  })
})
