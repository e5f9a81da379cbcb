import { expect, test } from 'vitest'
import type { RuleFault, RuleKind } from '../calls-rules'
import type { Column } from '../shapes'
import { faultsOf, fieldOf, fits, freeID, half, listOf, places, plainTitle, textOf, tidy } from './rule'

const kind = (over: Partial<RuleKind>): RuleKind => ({ name: 'k', title: '种类', theme: '', says: '', indicator: '010100', least: 1, most: 1, types: [], roles: [], params: [], ...over })
const column = (name: string, type: string): Column => ({ name, title: name.toUpperCase(), type, length: 0, scale: 0, required: false, key: false, codes: '', level: 2, pi: '' })

test('columns fit by place, the last types holding for all that follow', () => {
  const k = kind({ most: 0, types: [['date'], ['string']] })
  expect(fits(k, 0, column('a', 'date'))).toBe(true)
  expect(fits(k, 0, column('a', 'string'))).toBe(false)
  expect(fits(k, 5, column('a', 'string'))).toBe(true)
  expect(fits(kind({}), 0, column('a', 'bool'))).toBe(true)
  expect([places(k), places(kind({ most: 2 })), places(kind({ most: -1 }))]).toEqual([0, 2, -1])
})

test('a new rule has an id of its own and a plain title', () => {
  expect(freeID('range', ['age'], ['age.range', 'age.range_2'])).toBe('age.range_3')
  expect(freeID('row_count', [], [])).toBe('row_count')
  expect(plainTitle(kind({ title: '不重复' }), ['a', 'b'], [column('a', 'int')])).toBe('A、b不重复')
})

test('lists come through commas of either width', () => {
  expect(textOf(['1', '2，3', ' 4 ', ''])).toBe('1,2,3,4')
  expect(listOf('1, 2,,3')).toEqual(['1', '2', '3'])
  expect(listOf(undefined)).toEqual([])
})

test('what is not filled in is not sent', () => {
  expect(tidy({ id: ' a ', kind: 'range', columns: ['x', ''], params: { min: '0', max: ' ' } })).toMatchObject({ id: 'a', columns: ['x'], params: { min: '0' }, when: '', title: '' })
})

test('faults stand at their rule and field', () => {
  const f = (over: Partial<RuleFault>): RuleFault => ({ rule: 'r', set: false, at: 0, field: '', message: '', ...over })
  const all = [f({ field: 'params.max' }), f({ set: true }), f({ at: 1, field: 'columns[2]' }), f({ at: -1 })]
  expect(faultsOf(all, false, 0)).toHaveLength(1)
  expect(faultsOf(all, true, 0)).toHaveLength(1)
  expect(all.map(fieldOf)).toEqual(['params.max', '', 'columns', ''])
})

test('a text of two languages is read in one', () => {
  expect(half('没有 a / b 项 / no such item', true)).toBe('没有 a / b 项')
  expect(half('没有 / none', false)).toBe('none')
  expect(half('只有中文', false)).toBe('只有中文')
})
