import { Button, Card, Drawer } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { Link, useSearchParams } from 'react-router'
import { getDepartment, getDepartments } from '../calls'
import { count, day, lastDay, points } from '../format'
import { useT } from '../lang'
import { useLive } from '../live'
import { Meter } from '../parts/bars'
import { Chart } from '../parts/chart'
import { Figures, Loaded, Nothing, Page } from '../parts/page'
import { gained, monthAfter, monthOf } from '../parts/score'
import { Course } from '../parts/course'
import { Table } from '../parts/table'
import { Grade } from '../parts/tags'
import { useSession } from '../session'
import type { DepartmentDataset, DepartmentReport, DepartmentScore } from '../shapes'
import { Updated } from './flow'

// Departments are the scores of departments (部门质量) of a month. There is no rank
// unless the scheme says that ranks are published.
export function Departments() {
  const t = useT()
  const { session } = useSession()
  const [query, setQuery] = useSearchParams()
  const now = monthOf(Date.now())
  const period = query.get('period') ?? now
  const org = query.get('org') ?? ''
  const put = (name: string, value: string) =>
    setQuery((old) => {
      const next = new URLSearchParams(old)
      if (value) next.set(name, value)
      else next.delete(name)
      return next
    })
  const live = useLive(() => getDepartments(period), `departments ${period}`, 30_000)
  const ranked = live.data?.departments.some((d) => d.rank !== undefined) ?? false
  const columns: ColumnsType<DepartmentScore> = [
    ...(ranked ? [{ title: t('排名', 'Rank'), key: 'rank', className: 'num', render: (_: unknown, d: DepartmentScore) => d.rank ?? '–' }] : []),
    { title: t('单位', 'Department'), key: 'name', render: (_, d) => <><Button type="link" data-open={d.org} style={{ padding: 0 }} onClick={() => put('org', d.org)}>{d.name}</Button>{d.org === session?.org ? <span className="quiet small"> {t('本单位', 'yours')}</span> : null}<div className="quiet small">{t(`${d.datasets} 个数据集`, `${d.datasets} datasets`)}</div></> },
    { title: t('得分', 'Score'), key: 'final', sorter: (a, b) => a.final - b.final, render: (_, d) => <span data-final={d.final}><Meter x={d.final}><b style={{ fontSize: 16 }}>{points(d.final)}</b></Meter> <Grade grade={d.grade} /></span> },
    { title: t('比上期', 'Against last'), key: 'change', className: 'num', sorter: (a, b) => (a.change ?? 0) - (b.change ?? 0), render: (_, d) => <Change d={d} /> },
    { title: t('每日走势', 'Day by day'), key: 'trend', render: (_, d) => <Course list={d.trend} name={d.name} /> },
    { title: t('扣分', 'Deductions'), key: 'deductions', render: (_, d) => <Deductions d={d} /> },
    { title: t('算式', 'Formula'), key: 'formula', render: (_, d) => <span className="formula">{d.formula}</span> },
  ]
  return (
    <Page
      title={t('部门质量', 'Departments')}
      about={live.data ? live.data.formula : t('各单位的质量得分', 'Scores of departments')}
      tools={
        <>
          <Updated at={live.at} />
          <span className="row" role="group" aria-label={t('期次', 'Period')}>
            <Button size="small" aria-label={t('上一期', 'Previous')} onClick={() => put('period', monthAfter(period, -1))}>‹</Button>
            <b className="num">{period}</b>
            <Button size="small" aria-label={t('下一期', 'Next')} disabled={period >= now} onClick={() => put('period', monthAfter(period, 1) === now ? '' : monthAfter(period, 1))}>›</Button>
          </span>
        </>
      }
    >
      <Loaded live={live}>
        {(list) => (
          <Card size="small" styles={{ body: { padding: 0 } }} title={t(`${day(list.from)} 至 ${lastDay(list.to)}`, `${day(list.from)} to ${lastDay(list.to)}`)} extra={<span className="quiet small">{t('权重方案 ', 'weights ')}{list.weights}{ranked ? '' : t(' · 未开启排名通报，按单位代码排列', ' · no ranking, in order of code')}</span>}>
            <Table
              rowKey="org" columns={columns} dataSource={list.departments} pagination={false}
              locale={{ emptyText: <Nothing what={t(`${period} 没有单位得分`, `No department has a score for ${period}`)} todo={t('单位的数据集评过分后出现在这里；可换一个期次。', 'They appear once a dataset of theirs was scored; try another month.')} /> }}
            />
          </Card>
        )}
      </Loaded>
      <Drawer open={org !== ''} onClose={() => put('org', '')} size={920} title={live.data?.departments.find((d) => d.org === org)?.name ?? t('部门质量', 'Department')}>
        {org ? <Detail key={`${org} ${period}`} org={org} period={period} /> : null}
      </Drawer>
    </Page>
  )
}

function Change({ d }: { d: DepartmentScore }) {
  const t = useT()
  if (d.change === null) return <span className="quiet small">{t('上期无得分', 'none before')}</span>
  if (Math.abs(d.change) < 0.0000005) return <span className="quiet">{t('持平', 'same')}</span>
  return <span className={d.change > 0 ? 'delta-up' : 'delta-down'} title={t(`上期 ${points(d.previous)}`, `last ${points(d.previous)}`)}>{d.change > 0 ? '▲' : '▼'} {gained(d.change)}</span>
}

function Deductions({ d }: { d: DepartmentScore }) {
  const t = useT()
  if (!d.deductions.length) return <span className="quiet small">{t('无', 'none')}</span>
  return <ul className="plain small">{d.deductions.map((x) => <li key={x.reason} className="wrap">{x.reason} <b className="broken">{gained(-x.points)}</b></li>)}</ul>
}

const dimensions: Record<string, [string, string]> = { '010000': ['规范性', 'Conformity'], '020000': ['完整性', 'Completeness'], '030000': ['准确性', 'Accuracy'], '040000': ['一致性', 'Consistency'], '050000': ['时效性', 'Timeliness'], '060000': ['可访问性', 'Accessibility'] }

function Detail({ org, period }: { org: string; period: string }) {
  const t = useT()
  const live = useLive(() => getDepartment(org, period), `department ${org} ${period}`)
  return (
    <Loaded live={live}>
      {(r) => (
        <div className="stack">
          <Figures
            items={[
              { name: t('得分', 'Score'), value: <>{points(r.score.final)} <Grade grade={r.score.grade} /></> },
              { name: t('比上期', 'Against last'), value: <span style={{ fontSize: 16 }}><Change d={r.score} /></span> },
              { name: t('未扣分', 'Before deductions'), value: points(r.score.total) },
              { name: t('数据集', 'Datasets'), value: count(r.score.datasets) },
            ]}
          />
          <p className="formula" style={{ margin: 0 }}>{r.score.formula}</p>
          {r.score.deductions.length ? <Card size="small" title={t('扣分', 'Deductions')}><Deductions d={r.score} /></Card> : null}
          <div className="columns">
            <Card size="small" title={t('六个维度（按权重平均）', 'Six dimensions, weighted')}><Dimensions r={r} /></Card>
            <Card size="small" title={t('每日走势', 'Day by day')}><Trend r={r} /></Card>
          </div>
          <Card size="small" title={t('数据集及其权重', 'Datasets and their weights')} styles={{ body: { padding: 0 } }}><Sets r={r} /></Card>
        </div>
      )}
    </Loaded>
  )
}

function Dimensions({ r }: { r: DepartmentReport }) {
  const t = useT()
  return (
    <dl className="dimension-list">
      {Object.entries(dimensions).map(([code, [zh, en]]) => {
        const x = r.x[code]
        return <div key={code}><dt>{t(zh, en)}</dt><dd>{x === undefined ? <span className="quiet">{t('不适用', 'n/a')}</span> : <Meter x={x}>{points(x)}</Meter>}</dd></div>
      })}
    </dl>
  )
}

function Trend({ r }: { r: DepartmentReport }) {
  const t = useT()
  const list = r.score.trend
  if (list.length < 2) return <Nothing what={t('有两天的得分后显示走势', 'Shown after two days')} />
  const values = list.map((p) => Number((p.total * 100).toFixed(2)))
  const option = {
    grid: { left: 44, right: 18, top: 14, bottom: 28 }, tooltip: { trigger: 'axis' },
    xAxis: { type: 'category', data: list.map((p) => day(p.at).slice(5)), axisLabel: { color: '#566170', hideOverlap: true } },
    yAxis: { type: 'value', min: Math.max(0, Math.floor((Math.min(...values) - 2) / 5) * 5), max: 100, axisLabel: { color: '#566170' }, splitLine: { lineStyle: { color: '#e9edf1' } } },
    series: [{ type: 'line', data: values, showSymbol: values.length < 12, lineStyle: { width: 2 }, areaStyle: { opacity: 0.08 } }],
  }
  return <Chart option={option} height={170} label={t(`得分走势，最近 ${points(list[list.length - 1]?.total)}`, `Score over time, latest ${points(list[list.length - 1]?.total)}`)} />
}

function Sets({ r }: { r: DepartmentReport }) {
  const t = useT()
  const columns: ColumnsType<DepartmentDataset> = [
    { title: t('数据集', 'Dataset'), key: 'title', render: (_, d) => <><Link to={`/datasets/${encodeURIComponent(d.code)}`}>{d.title}</Link><div className="quiet small">{d.class}</div></> },
    { title: t('得分', 'Score'), key: 'total', render: (_, d) => <><Meter x={d.total}>{points(d.total)}</Meter> <Grade grade={d.grade} /></> },
    { title: t('逾期周期', 'Overdue'), key: 'overdue', className: 'num', render: (_, d) => (d.overdue ? <b className="broken">{d.overdue}</b> : '0') },
    { title: t('本期调用', 'Reads'), key: 'reads', className: 'num', render: (_, d) => count(d.reads) },
    { title: t('权重', 'Weight'), key: 'weight', render: (_, d) => <span className="formula">{d.formula}</span> },
    { title: t('得分×权重', 'Score × weight'), key: 'product', className: 'num', render: (_, d) => <span className="formula">{d.product.toFixed(6)}</span> },
  ]
  return <Table rowKey="code" columns={columns} dataSource={r.datasets} pagination={false} />
}
