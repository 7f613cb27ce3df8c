/**
 * Two services in two processes, with the broker inside one of them. Starts both; to do that by hand, run kitchen.ts in
 * one terminal, and table.ts in another with the address that the kitchen prints.
 */
import { start } from '../start.ts'

const kitchen = await start(new URL('kitchen.ts', import.meta.url))
const table = await start(new URL('table.ts', import.meta.url), kitchen.said)

console.log(`The table left with ${await table.ended}, the kitchen with ${await kitchen.ended}.`)
