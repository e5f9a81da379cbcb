import { describe, expect, test } from 'vitest'
import { changed, choose, mappingOf, missing } from './mapping'

const columns = [
  { heading: '证件号码', column: 'id_no', by: 'map' as const, samples: ['310107194501011230'] },
  { heading: '姓名', column: 'name', by: 'title' as const, samples: ['张三'] },
  { heading: '备注', column: '', by: 'none' as const, samples: [] },
]
const m = mappingOf(columns)

test('a preview’s own mapping, headings left out too', () => expect(m).toEqual({ 证件号码: 'id_no', 姓名: 'name', 备注: '' }))

describe('choose', () => {
  test('gives a heading a column', () => expect(choose(m, '备注', 'note')).toEqual({ ...m, 备注: 'note' }))
  test('takes the column from who had it', () => expect(choose(m, '备注', 'name')).toEqual({ 证件号码: 'id_no', 姓名: '', 备注: 'name' }))
  test('many may be left out', () => expect(choose(m, '姓名', '')).toEqual({ 证件号码: 'id_no', 姓名: '', 备注: '' }))
  test('changes nothing that it was given', () => {
    choose(m, '备注', 'name')
    expect(m).toEqual(mappingOf(columns))
  })
})

describe('missing', () => {
  test('none', () => expect(missing(['id_no', 'name'], m)).toEqual([]))
  test('in the order of the dataset', () => expect(missing(['visit', 'id_no', 'upd'], m)).toEqual(['visit', 'upd']))
})

describe('changed', () => {
  test('not by choosing the same', () => expect(changed(m, choose(m, '姓名', 'name'))).toBe(false))
  test('by another column', () => expect(changed(m, choose(m, '姓名', ''))).toBe(true))
  test('a heading not named is one left out', () => expect(changed({ a: '' }, {})).toBe(false))
})
