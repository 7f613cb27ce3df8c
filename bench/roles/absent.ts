/** For a side that an adapter does not have: a workload that needs it should not have been given to it. */
export function absent(adapter: string, side: string): never {
  throw new Error(`${adapter} has no ${side}`)
}
