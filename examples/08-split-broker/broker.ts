/** The broker, in a process of its own: a client of the server like everybody else. */
import { Broker } from 'signalbox'

const broker = await Broker.attach(process.argv[2] ?? 'tcp://127.0.0.1:9090', {
  topics: { 'weather.**': { history: 10 } },
})
console.log('broker: attached')
process.send?.('attached')

process.once('disconnect', () => void broker.close())
