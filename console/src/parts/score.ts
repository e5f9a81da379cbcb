import type { T } from '../lang'
import type { Score, ScoreNode, ScorePartName } from '../shapes'

// What the pages of quality (质量) say of a score, apart from how it is drawn.

const parts: Record<ScorePartName, [string, string, string, string]> = {
  total: ['总分', 'Total', '全部要素', 'All that was judged'],
  increment: ['增量', 'Increment', '本期入库的行', 'Rows of this period'],
  stock: ['存量', 'Stock', '本期之前入库的行', 'Rows from before this period'],
  district: ['区级', 'District', '只计责任在本区的问题', 'Only faults the district answers for'],
  otherwise: ['另一种计法', 'Counted the other way', '', ''],
}

export const partName = (part: ScorePartName, t: T): string => t(parts[part][0], parts[part][1])

// partMeans says what a part is of. The other way of counting depends on the scheme's own.
export const partMeans = (part: ScorePartName, s: Score, t: T): string => {
  if (part !== 'otherwise') return t(parts[part][2], parts[part][3])
  return s.one_fault_once ? t('同一处脏数据按每条规则各扣一次', 'A dirty cell counted by every rule') : t('同一处脏数据只扣一次', 'A dirty cell counted once')
}

export interface PartLine { part: ScorePartName; rows: number; total: number; grade: string; x: Record<string, number | undefined> }

// partLines lists the total and the parts that the score has, in the order of reading.
export const partLines = (s: Score): PartLine[] => {
  const whole: PartLine = { part: 'total', rows: s.rows, total: s.total, grade: s.grade, x: Object.fromEntries(s.dimensions.map((d) => [d.code, d.applicable ? (d.x ?? undefined) : undefined])) }
  const order: Exclude<ScorePartName, 'total'>[] = ['increment', 'stock', 'district', 'otherwise']
  return [whole, ...order.flatMap((part) => (s[part] ? [{ part, ...s[part] }] : []))]
}

const to = (n: number, digits: number): number => Math.round(n * 10 ** digits) / 10 ** digits

// recompute goes the whole way from A and B to the total with the shown numbers only, as
// a person with a calculator would: X to six places, weight × X to nine. It is the proof
// that what is shown is what was counted.
export const recompute = (nodes: ScoreNode[]): { sum: number; of: number; total: number } => {
  let sum = 0
  let of = 0
  for (const n of nodes) {
    if (!n.applicable) continue
    const x = n.below.length ? recompute(n.below).total : to(n.a / n.b, 6)
    sum += to(n.weight * x, 9)
    of += n.weight
  }
  return { sum: to(sum, 9), of: to(of, 6), total: of > 0 ? to(sum / of, 6) : 0 }
}

// lost is what a node costs the total, in shares of it.
export const lost = (n: Pick<ScoreNode, 'applicable' | 'x' | 'share'>): number => (n.applicable && n.x !== null ? n.share * (1 - n.x) : 0)

// gained says a difference of the score in points out of 100, small ones too.
export const gained = (x: number): string => {
  const n = Math.abs(x * 100)
  const digits = n === 0 || n >= 0.1 ? 2 : 4
  return (x < 0 ? '−' : '+') + n.toFixed(digits)
}

// monthOf is the district's month of a moment; monthAfter steps n months from one.
export const monthOf = (now: number): string => new Date(now + 8 * 3600_000).toISOString().slice(0, 7)
export const monthAfter = (month: string, n: number): string => {
  const [y = 0, m = 1] = month.split('-').map(Number)
  return new Date(Date.UTC(y, m - 1 + n, 1)).toISOString().slice(0, 7)
}

// short leaves out what all six titles begin with.
export const short = (title: string): string => title.replace(/^公共数据/, '')
