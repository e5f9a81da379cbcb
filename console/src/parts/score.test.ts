import { expect, test } from 'vitest'
import type { ScoreNode } from '../shapes'
import { gained, lost, monthAfter, monthOf, recompute } from './score'

const node = (weight: number, a: number, b: number, below: ScoreNode[] = []): ScoreNode => ({
  code: 'c', title: '', weight, effective: weight, share: weight, product: 0, a, b, sum: 0, of: 0, x: b ? a / b : null, raw: null, applicable: b > 0 || below.some((n) => n.applicable), formula: '', below,
})

test('a score is recomputed from A and B alone, and what does not apply is left out', () => {
  const dimension = node(0.2, 0, 0, [node(0.333333, 12493, 12508), node(0.333333, 12252, 12252), node(0.333333, 0, 0)])
  expect(recompute([dimension])).toEqual({ sum: 0.1998802, of: 0.2, total: 0.999401 })
  expect(recompute([node(0.5, 0, 0)])).toEqual({ sum: 0, of: 0, total: 0 })
})

test('what a node costs is its share of what it lacks', () => {
  expect(lost(node(0.5, 3, 4))).toBe(0.125)
  expect(lost(node(0.5, 0, 0))).toBe(0)
})

test('gains are points of 100; small ones do not read as nothing', () => {
  expect(gained(0.01891)).toBe('+1.89')
  expect(gained(0.000012)).toBe('+0.0012')
  expect(gained(-0.02)).toBe('−2.00')
})

test('months are those of the district', () => {
  expect(monthOf(Date.parse('2026-10-31T16:00:00Z'))).toBe('2026-11')
  expect(monthAfter('2026-01', -1)).toBe('2025-12')
  expect(monthAfter('2026-12', 1)).toBe('2027-01')
})
