import { Card } from 'antd'
import { useMemo } from 'react'
import { count } from '../format'
import { useT } from '../lang'
import { Chart } from '../parts/chart'
import type { Days } from '../parts/deliver'
import { colors } from '../theme'

const sum = (ns: number[]) => ns.reduce((a, b) => a + b, 0)

// useWords says in words what the days hold.
function useWords(d: Days): string {
  const t = useT()
  return t(`自 ${d.days[0] ?? ''} 每日报送：${count(sum(d.times))} 次，入库 ${count(sum(d.good))} 行，问题数据 ${count(sum(d.rejected))} 行`, `By day since ${d.days[0] ?? ''}: ${count(sum(d.times))} submissions, ${count(sum(d.good))} rows good, ${count(sum(d.rejected))} rejected`)
}

// DayChart draws what landed of one dataset by day.
export function DayChart({ d }: { d: Days }) {
  const t = useT()
  const label = useWords(d)
  const option = useMemo(() => ({
    grid: { left: 10, right: 12, top: 30, bottom: 4, containLabel: true },
    legend: { top: 0, right: 8, itemWidth: 10, itemHeight: 10, textStyle: { color: colors.text } },
    tooltip: { trigger: 'axis', formatter: (ps: { dataIndex: number }[]) => {
      const i = ps[0]?.dataIndex ?? 0
      return `${d.days[i]}\n${t('报送', 'submissions')} ${d.times[i]}\n${t('入库', 'good')} ${count(d.good[i])}\n${t('问题数据', 'rejects')} ${count(d.rejected[i])}`
    } },
    xAxis: { type: 'category', data: d.days.map((x) => x.slice(5)), axisTick: { show: false }, axisLine: { lineStyle: { color: '#c5ced8' } }, axisLabel: { color: colors.quiet, hideOverlap: true } },
    yAxis: { type: 'value', minInterval: 1, axisLabel: { color: colors.quiet, formatter: (v: number) => count(v) }, splitLine: { lineStyle: { color: '#e9edf1' } } },
    series: [
      { name: t('入库', 'Good'), type: 'bar', stack: 'rows', barMaxWidth: 18, data: d.good, itemStyle: { color: colors.primary } },
      // A few rejects of many rows can still be seen.
      { name: t('问题数据', 'Rejects'), type: 'bar', stack: 'rows', barMaxWidth: 18, barMinHeight: 3, data: d.rejected.map((n) => n || null), itemStyle: { color: colors.error } },
    ],
  }), [d, t])
  if (sum(d.times) === 0) return null
  return (
    <Card size="small" title={t('每日报送', 'By day')} extra={<span className="quiet small">{t(`${count(sum(d.times))} 次，行数`, `${count(sum(d.times))} submissions, rows`)}</span>}>
      <Chart option={option} height={180} label={label} />
    </Card>
  )
}

// DayBars are the same days small, for one line of a list: plain SVG, each dataset on
// its own scale.
export function DayBars({ d }: { d: Days }) {
  const label = useWords(d)
  const top = Math.max(1, ...d.days.map((_, i) => (d.good[i] ?? 0) + (d.rejected[i] ?? 0)))
  const [wide, high] = [5, 26]
  const tall = (n: number) => (n > 0 ? Math.max(1.5, (n / top) * (high - 2)) : 0)
  if (sum(d.times) === 0) return null
  return (
    <svg className="day-bars" viewBox={`0 0 ${28 * wide} ${high}`} width={28 * wide} height={high} role="img" aria-label={label}>
      <title>{label}</title>
      <line x1={0} x2={28 * wide} y1={high - 0.5} y2={high - 0.5} stroke="#dde3ea" />
      {d.days.map((x, i) => {
        const good = tall(d.good[i] ?? 0)
        const bad = tall(d.rejected[i] ?? 0)
        const left = (28 - d.days.length + i) * wide
        return (
          <g key={x}>
            <rect x={left} y={high - 1 - good} width={wide - 1.5} height={good} fill={colors.primary} opacity={0.75} />
            <rect x={left} y={high - 1 - good - bad} width={wide - 1.5} height={bad} fill={colors.error} />
          </g>
        )
      })}
    </svg>
  )
}
