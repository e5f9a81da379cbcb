import { describe, expect, test } from 'vitest'
import type { Submission, Way } from '../shapes'
import { asked, daily, during, health, moving, periodOf, progress, readBy, unfit } from './deliver'

const s = (over: Partial<Submission>): Submission => ({
  id: 'S20261127-AAAAAAAA', dataset: 'visit', way: 'file', name: '', source: '走访.xlsx', digest: '', period: '', by: 'minzheng', state: 'open', reason: '',
  total: 0, rows: 0, good: 0, rejected: 0, opened_at: '2026-11-27T02:00:00Z', report: {}, ...over,
})
const t = (zh: string) => zh

describe('health of a way', () => {
  const way: Pick<Way, 'paused' | 'failure' | 'behind' | 'last' | 'schedule'> = { paused: false, schedule: '每小时', last: s({}) }
  test('on time is green', () => expect(health(way)).toBe('ok'))
  test('late is amber', () => expect(health({ ...way, behind: 600 })).toBe('late'))
  test('a day late is red', () => expect(health({ ...way, behind: 86_400 })).toBe('failed'))
  test('a failure is red though nothing is late yet', () => expect(health({ ...way, failure: '连接被拒绝' })).toBe('failed'))
  test('paused is neither, whatever else', () => expect(health({ ...way, paused: true, failure: 'x', behind: 1e6 })).toBe('paused'))
  test('deletions that wait for a word are amber', () => expect(health({ ...way, last: s({ way: 'table', state: 'landed', report: { withheld: 12 } }) })).toBe('asks'))
  test('never run is no green', () => expect(health({ ...way, last: undefined })).toBe('idle'))
})

describe('progress of a submission', () => {
  test('unknown total is unknown', () => expect(progress(s({ rows: 500 }))).toBeUndefined())
  test('rows of total', () => expect(progress(s({ rows: 500, total: 2000 }))).toBe(25))
  test('never 100 before all is sent', () => expect(progress(s({ rows: 2000, total: 2000 }))).toBe(99))
  test('more rows than foretold stay below 100', () => expect(progress(s({ rows: 3000, total: 2000 }))).toBe(99))
  test('sent is 100', () => expect(progress(s({ state: 'sent', rows: 2000, total: 2000 }))).toBe(100))
  test('what has begun to be sent moves', () => expect(moving(s({ rows: 1 }))).toBe(true))
  test('sent moves until it has landed', () => {
    expect(moving(s({ state: 'sent' }))).toBe(true)
    expect(moving(s({ state: 'landed' }))).toBe(false)
    expect(moving(s({ state: 'refused' }))).toBe(false)
  })
})

describe('rejects of a submission', () => {
  test('lie between its opening and its landing, both within', () =>
    expect(during(s({ landed_at: '2026-11-27T02:00:09.5Z' }))).toEqual({ from: '2026-11-27T02:00:00Z', to: '2026-11-27T02:00:10.500Z' }))
  test('no end before it has landed', () => expect(during(s({})).to).toBe(''))
})

describe('days', () => {
  const now = Date.parse('2026-11-27T03:00:00Z')
  const list = [
    s({ state: 'landed', opened_at: '2026-11-27T02:00:00Z', good: 10, rejected: 1 }),
    s({ state: 'open', opened_at: '2026-11-27T01:00:00Z', good: 99 }),
    s({ state: 'landed', opened_at: '2026-11-25T17:00:00Z', good: 5, rejected: 2 }), // the 26th in Shanghai
    s({ state: 'landed', opened_at: '2026-10-01T00:00:00Z', good: 7 }), // before the window
  ]
  test('are the district’s, and only what has landed counts', () =>
    expect(daily(list, now, 3)).toEqual({ days: ['2026-11-25', '2026-11-26', '2026-11-27'], good: [0, 5, 10], rejected: [0, 2, 1], times: [0, 1, 1] }))
  test('what is not known is not shown as empty', () => expect(daily(list, now, 28, '2026-11-26').days).toEqual(['2026-11-26', '2026-11-27']))
  test('nothing is all zero', () => expect(daily([], now, 2).good).toEqual([0, 0]))
})

describe('period', () => {
  const at = Date.parse('2026-11-27T20:00:00Z') // the 28th in Shanghai
  test.each([['每小时', '2026-11-28T04'], ['每日', '2026-11-28'], ['每周', '2026-W48'], ['每旬', '2026-11-下旬'], ['每月', '2026-11'], ['每季度', '2026-Q4'], ['每半年', '2026-H2'], ['每年', '2026'], ['不定期', '2026-11-28']])('%s', (cycle, want) => expect(periodOf(cycle, at)).toBe(want))
  test('ISO weeks run over the new year', () => {
    expect(periodOf('每周', Date.parse('2027-01-02T04:00:00Z'))).toBe('2026-W53')
    expect(periodOf('每周', Date.parse('2024-12-30T04:00:00Z'))).toBe('2025-W01')
  })
})

describe('files that can not be taken', () => {
  test.each(['a.csv', 'b.XLSX', 'c.parquet'])('%s can', (name) => expect(unfit({ name, size: 9 }, t)).toBe(''))
  test('old Excel is told how to be saved', () => expect(unfit({ name: 'a.xls', size: 9 }, t)).toContain('另存为 .xlsx'))
  test('others', () => expect(unfit({ name: 'a.docx', size: 9 }, t)).toContain('只收'))
  test('empty', () => expect(unfit({ name: 'a.csv', size: 0 }, t)).toContain('空'))
  test('too large', () => expect(unfit({ name: 'a.csv', size: 600 * 1024 * 1024 }, t)).toContain('512 MB'))
})

describe('a file that waits for a word', () => {
  const waits = s({ report: { sending: false, options: { sheet: '走访' } } })
  test('does not move by itself', () => {
    expect(asked(waits)).toBe(true)
    expect(moving(waits)).toBe(false)
  })
  test('moves once it was told, before the first row', () => expect(moving(s({ report: { sending: true } }))).toBe(true))
  test('does not wait when it came from a folder', () => expect(asked(s({ report: { sending: false, drop: { folder: 'visit' } } }))).toBe(false))
  test('knows how it was read', () => {
    expect(readBy(waits)).toEqual({ sheet: '走访' })
    expect(readBy(s({}))).toEqual({})
  })
})
