import type { T } from '../lang'
import { day, when } from '../format'
import type { FileAsk, Submission, Way } from '../shapes'

// What the pages of delivery (报送) say of a way and of a submission, apart from how
// it is drawn.

const kinds: Record<Way['kind'], [string, string]> = {
  table: ['库表', 'Table'],
  file: ['文件', 'File'],
  http: ['接口', 'HTTP'],
  package: ['离线包', 'Package'],
  nil: ['零报告', 'Nil report'],
}

export const wayKinds = Object.keys(kinds) as Way['kind'][]

// kindOfWay says a kind of way in words.
export const kindOfWay = (kind: Way['kind'], t: T): string => t(kinds[kind][0], kinds[kind][1])

// Health of a way as a traffic light: what needs a person is red, what is late amber.
export type Health = 'failed' | 'late' | 'asks' | 'ok' | 'paused' | 'idle'

const longLate = 86_400 // a day: nobody should have to look twice

export const health = (w: Pick<Way, 'paused' | 'failure' | 'behind' | 'last' | 'schedule'>): Health => {
  if (w.paused) return 'paused'
  const behind = w.behind ?? 0
  if (w.failure || behind >= longLate) return 'failed'
  if (behind > 0) return 'late'
  if (withheld(w.last) > 0) return 'asks'
  return w.last ? 'ok' : 'idle'
}

// withheld counts the deletions of a table that wait for a person's agreement.
export const withheld = (s: Submission | undefined): number => (typeof s?.report.withheld === 'number' ? s.report.withheld : 0)

// moving says whether a submission is still on its way, so that its page asks again.
// A file that waits for a person's word does not move by itself.
export const moving = (s: Submission): boolean => s.state === 'sent' || (s.state === 'open' && !asked(s))

// asked says whether a file was uploaded and nobody has yet said that it is to be sent.
// A file from a folder (drop) needs no word.
export const asked = (s: Submission): boolean => s.way === 'file' && s.state === 'open' && s.report.sending === false && !s.report.drop

// readBy is how a file was last read, as its submission keeps it.
export const readBy = (s: Submission): FileAsk => (typeof s.report.options === 'object' && s.report.options !== null ? (s.report.options as FileAsk) : {})

// progress of a submission in whole percent; undefined when nobody knows how many
// rows there are. It says 100 when all is on the broker and never before.
export const progress = (s: Pick<Submission, 'state' | 'rows' | 'total'>): number | undefined => {
  if (s.state === 'sent' || s.state === 'landed') return 100
  if (s.total <= 0) return undefined
  return Math.min(99, Math.floor((100 * s.rows) / s.total))
}

// during is when the rejects of a submission were put down: from its opening until it
// had landed, a second later since the end is left out.
export const during = (s: Submission): { from: string; to: string } => ({
  from: s.opened_at,
  to: s.landed_at ? new Date(Date.parse(s.landed_at) + 1000).toISOString() : '',
})

export interface Days { days: string[]; good: number[]; rejected: number[]; times: number[] }

// daily adds up by day of the district what has landed, oldest first, n days to now.
// Days before since ("2026-11-01", "" for none) are not known and not given.
export const daily = (list: Submission[], now: number, n: number, since = ''): Days => {
  const days = [...Array(n)].map((_, i) => day(new Date(now - (n - 1 - i) * 86_400_000).toISOString())).filter((d) => d >= since)
  const at = new Map(days.map((d, i) => [d, i]))
  const out: Days = { days, good: days.map(() => 0), rejected: days.map(() => 0), times: days.map(() => 0) }
  for (const s of list) {
    const i = at.get(day(s.opened_at))
    if (i === undefined || s.state !== 'landed') continue
    out.good[i] = (out.good[i] ?? 0) + s.good
    out.rejected[i] = (out.rejected[i] ?? 0) + s.rejected
    out.times[i] = (out.times[i] ?? 0) + 1
  }
  return out
}

// periodOf names the period that a nil report of today is for, as the dataset's update
// cycle (更新周期) counts: a day, an ISO week, a month and so on, in the district's time.
// Its names are those of submit.PeriodAt, which refuses any other.
export const periodOf = (cycle: string, now: number): string => {
  const date = day(new Date(now).toISOString())
  const [year = '', month = '', date2 = ''] = date.split('-')
  switch (cycle) {
    case '实时':
    case '每小时':
      return `${date}T${when(new Date(now).toISOString()).slice(11, 13)}`
    case '每周':
      return week(date)
    case '每旬':
      return `${year}-${month}-${['上旬', '中旬', '下旬'][Math.min(2, Math.floor((Number(date2) - 1) / 10))] ?? ''}`
    case '每月':
      return `${year}-${month}`
    case '每季度':
      return `${year}-Q${Math.ceil(Number(month) / 3)}`
    case '每半年':
      return `${year}-H${Number(month) <= 6 ? 1 : 2}`
    case '每年':
      return year
  }
  return date
}

// week gives the ISO week of a day: that of its Thursday.
const week = (date: string): string => {
  const d = new Date(date + 'T00:00:00Z')
  d.setUTCDate(d.getUTCDate() + 4 - (d.getUTCDay() || 7))
  const first = Date.UTC(d.getUTCFullYear(), 0, 1)
  return `${d.getUTCFullYear()}-W${String(Math.ceil(((d.getTime() - first) / 86_400_000 + 1) / 7)).padStart(2, '0')}`
}

// maxFile is what the server takes of one file.
export const maxFile = 512 * 1024 * 1024

const formats = /\.(csv|txt|xlsx|parquet)$/i

// unfit says why a file can not be uploaded, "" if it can.
export const unfit = (f: { name: string; size: number }, t: T): string => {
  if (/\.xls$/i.test(f.name)) return t('旧版 .xls 不能读取：请在 Excel 或 WPS 中另存为 .xlsx。', 'The old .xls format can not be read: save it as .xlsx in Excel or WPS.')
  if (!formats.test(f.name)) return t('只收 CSV、XLSX、Parquet 文件，请另存为其中一种。', 'Only CSV, XLSX and Parquet files are taken: save it as one of these.')
  if (f.size === 0) return t('文件是空的，请检查是否已保存。', 'The file is empty: check that it was saved.')
  if (f.size > maxFile) return t('文件超过 512 MB：请拆成几个文件，或改用库表、接口报送。', 'The file is larger than 512 MB: split it, or deliver by table or HTTP.')
  return ''
}
