import { Broker, connect } from 'signalbox'
const broker = await Broker.listen({})
const p = await connect(broker.url), c = await connect(broker.url)
const s = await c.subscribe('t', { limit: { messages: 50 } })
const bytes = new Uint8Array(1000)
let t = performance.now()
const lap = (n: string) => { console.log(n, (performance.now() - t).toFixed(0)); t = performance.now() }
for (let i = 0; i < 2000; i++) { const a = performance.now(); await p.publish('t', bytes); const d = performance.now() - a; if (d > 5) console.log(i, d.toFixed(0), JSON.stringify(broker.stats())) }
lap('published')
await p.flush(); lap('flushed')
for await (const m of s) if (m.seq === 2000) break
lap('read'); 
await p.close(); lap('p'); await c.close(); lap('c'); await broker.close(); lap('b')
