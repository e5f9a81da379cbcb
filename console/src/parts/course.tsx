import { day, points } from '../format'
import { useT } from '../lang'
import type { DepartmentScore } from '../shapes'

// Course is a small line of scores, oldest first. Scores lie close together: the line
// spans what there is, five points at least, and says first and last in numbers.
export function Course({ list, name, width = 120, height = 26 }: { list: DepartmentScore['trend']; name: string; width?: number; height?: number }) {
  const t = useT()
  const first = list[0]
  const last = list[list.length - 1]
  if (!first || !last) return <span className="quiet">–</span>
  if (list.length < 2) return <span className="quiet small">{t('只有一天', 'one day only')}</span>
  const low = Math.min(...list.map((p) => p.total))
  const top = Math.max(...list.map((p) => p.total), low + 0.05)
  const x = (i: number) => 3 + (i / (list.length - 1)) * (width - 6)
  const y = (v: number) => height - 4 - ((v - low) / (top - low)) * (height - 8)
  const words = t(`${name} ${list.length} 天走势：${points(first.total)} 至 ${points(last.total)}`, `${name}, ${list.length} days: ${points(first.total)} to ${points(last.total)}`)
  return (
    <svg viewBox={`0 0 ${width} ${height}`} width={width} height={height} role="img" aria-label={words} style={{ display: 'block' }}>
      <title>{`${words}（${day(first.at)} – ${day(last.at)}）`}</title>
      <polyline points={list.map((p, i) => `${x(i).toFixed(1)},${y(p.total).toFixed(1)}`).join(' ')} fill="none" stroke="#14508c" strokeWidth={1.6} strokeLinejoin="round" />
      <circle cx={x(list.length - 1)} cy={y(last.total)} r={2.6} fill="#14508c" />
    </svg>
  )
}
