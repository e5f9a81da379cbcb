import { describe, expect, test } from 'vitest'
import { moments, runs, shares } from './series'

describe('runs', () => {
  test('a gap splits the line', () => expect(runs([null, 1, 2, null, 0])).toEqual([{ from: 1, values: [1, 2] }, { from: 4, values: [0] }]))
  test('nothing known is no line', () => expect(runs([null, null])).toEqual([]))
  test('zero is known', () => expect(runs([0, 0])).toEqual([{ from: 0, values: [0, 0] }]))
})

test('moments end at the answer, in the time of the district', () => {
  expect(moments('2026-11-25T01:00:10Z', 10, 3)).toEqual(['08:59:50', '09:00:00', '09:00:10'])
})

describe('shares', () => {
  test('add up to 100', () => {
    const w = shares([8211, 1204, 611, 1])
    expect(w.reduce((a, b) => a + b, 0)).toBeCloseTo(100)
    expect(w[0]).toBeGreaterThan(w[1] ?? 0)
  })
  test('a single one of many can still be seen', () => expect(shares([100_000, 1])[1]).toBeGreaterThan(2.5))
  test('none has no width', () => {
    expect(shares([5, 0])).toEqual([100, 0])
    expect(shares([0, 0])).toEqual([0, 0])
    expect(shares([])).toEqual([])
  })
})
