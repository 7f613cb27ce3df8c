/** When what was gathered leaves: a little soon, much at the end of the turn. */
import { describe, expect, it } from 'vitest'
import { type Clock, systemClock } from '../../base/clock.ts'
import { Dispatch } from '../../base/dispatch.ts'

/** A clock that notes what it is asked for, and a dispatch that goes by it. */
function stage() {
  const asked: string[] = []
  const calls: (() => void)[] = []
  let turn = 0
  const note = (name: string, call: () => void): void => {
    asked.push(name)
    calls.push(call)
  }
  const clock: Clock = {
    ...systemClock,
    turn: (call) => note('turn', call),
    soon: (call) => note('soon', call),
    turnNumber: () => turn,
  }
  let left = 0
  const much = { next: false }
  const dispatch = new Dispatch(clock, () => {
    left++
    return much.next
  })
  return {
    ...{ asked, dispatch, much },
    get left() {
      return left
    },
    run: () => calls.splice(0).forEach((call) => void call()),
    nextTurn: () => turn++,
  }
}

describe('what was gathered', () => {
  it('leaves soon when it is little, and once however often it is planned', () => {
    const { asked, dispatch, run, ...rest } = stage()
    for (let i = 0; i < 3; i++) dispatch.plan(100)
    expect([asked, dispatch.isPlanned]).toEqual([['soon'], true])
    run()
    expect([dispatch.isPlanned, rest.nextTurn()]).toEqual([false, 0])
    dispatch.plan(100)
    expect(asked).toEqual(['soon', 'soon'])
  })

  it('leaves at the end of the turn when it is much', () => {
    const { asked, dispatch } = stage()
    dispatch.plan(4 * 1024 + 1)
    expect(asked).toEqual(['turn'])
  })

  it('leaves at the end when something has left in the same turn, and so in the next turn', () => {
    const { asked, dispatch, run, nextTurn } = stage()
    dispatch.plan(1)
    run()
    dispatch.plan(1)
    run()
    nextTurn()
    dispatch.plan(1)
    run()
    nextTurn()
    dispatch.plan(1)
    expect(asked).toEqual(['soon', 'turn', 'turn', 'soon'])
  })

  it('leaves at the end for as long as each turn has much', () => {
    const { asked, dispatch, much, run, nextTurn } = stage()
    much.next = true
    for (let i = 0; i < 3; i++) {
      dispatch.plan(1)
      run()
      nextTurn()
    }
    much.next = false
    for (let i = 0; i < 2; i++) {
      dispatch.plan(1)
      run()
      nextTurn()
    }
    expect(asked).toEqual(['soon', 'turn', 'turn', 'turn', 'soon'])
  })
})
