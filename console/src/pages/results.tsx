import { PlayCircleOutlined } from '@ant-design/icons'
import { Button, Card, Tag, Tooltip } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { Link, useSearchParams } from 'react-router'
import { getResults, runRules } from '../calls'
import { count, digest, percent, when } from '../format'
import { useT, type T } from '../lang'
import { useLive } from '../live'
import { useAct } from '../parts/act'
import { Meter } from '../parts/bars'
import { Loaded, Nothing } from '../parts/page'
import { Table } from '../parts/table'
import { useMay, useSession } from '../session'
import type { DatasetDetail, RuleResult, RuleRun } from '../shapes'

export const failingPath = (code: string, rule: string): string => `/datasets/${encodeURIComponent(code)}/rules/${encodeURIComponent(rule)}`

// useSeesRows says whether who is signed in may see rows of an owner's dataset: the
// steward all, an officer those of the own organisation.
export const useSeesRows = (owner: string): boolean => {
  const { session } = useSession()
  return session?.role === 'steward' || (session?.role === 'officer' && session.org === owner)
}

type Status = RuleResult['status']

const statuses: Record<Status, [string, string, string]> = {
  fail: ['不合格', 'Fails', 'error'],
  error: ['出错', 'Error', 'error'],
  warn: ['告警', 'Warns', 'warning'],
  skipped: ['未判', 'Skipped', 'default'],
  pass: ['合格', 'Passes', 'success'],
}
const order = Object.keys(statuses) as Status[]

const statusName = (s: Status, t: T) => t(statuses[s][0], statuses[s][1])

// Results are what the rules found when they last ran.
export function Results({ d }: { d: DatasetDetail }) {
  const t = useT()
  const runs = useMay('steward', 'operator')
  const { busy, act } = useAct()
  const live = useLive(() => getResults(d.code), `results ${d.code}`, 30_000)
  const run = async () => {
    if (await act(() => runRules(d.code), t('规则已运行', 'The rules have run'))) live.reload()
  }
  const button = runs ? <Button size="small" type="primary" icon={<PlayCircleOutlined />} loading={busy} onClick={() => void run()}>{t('立即运行', 'Run now')}</Button> : null
  if (live.data === undefined && live.problem?.status === 404) {
    return <Card size="small"><Nothing what={t('规则还没有运行过', 'The rules have not run yet')} todo={button ?? t('数据入库后自动运行。', 'They run by themselves once rows are in.')} /></Card>
  }
  return <Loaded live={live}>{(r) => <List d={d} run={r} button={button} />}</Loaded>
}

function List({ d, run, button }: { d: DatasetDetail; run: RuleRun; button: React.ReactNode }) {
  const t = useT()
  const sees = useSeesRows(d.owner)
  const [query, setQuery] = useSearchParams()
  const indicator = query.get('indicator') ?? ''
  const status = query.get('status') ?? ''
  const put = (name: string, value: string) =>
    setQuery((old) => {
      const next = new URLSearchParams(old)
      if (value) next.set(name, value)
      else next.delete(name)
      return next
    }, { replace: true })
  const of = run.results.filter((r) => !indicator || r.indicator === indicator)
  const list = of.filter((r) => !status || r.status === status).sort((a, b) => order.indexOf(a.status) - order.indexOf(b.status) || b.failed / Math.max(1, b.evaluated) - a.failed / Math.max(1, a.evaluated))
  const columns: ColumnsType<RuleResult> = [
    { title: t('结果', 'Result'), key: 'status', render: (_, r) => <Tag color={statuses[r.status][2]} data-status={r.status}>{statusName(r.status, t)}</Tag> },
    { title: t('规则', 'Rule'), key: 'title', render: (_, r) => <>{r.title}<div className="quiet small mono">{r.rule}</div></> },
    { title: t('种类', 'Kind'), key: 'kind', render: (_, r) => <><span className="mono">{r.kind}</span><div className="quiet small">{r.set ? t('数据集规则', 'whole dataset') : t('行规则', 'row by row')}</div></> },
    { title: t('强度', 'Force'), key: 'blocking', render: (_, r) => <Tooltip title={r.blocking ? t('强规则：不符的行不入库', 'Rows that break it are not stored') : t('弱规则：标记并计分', 'Flagged and scored')}><Tag color={r.blocking ? 'error' : 'default'} tabIndex={0}>{r.blocking ? t('强', 'Strong') : t('弱', 'Soft')}</Tag></Tooltip> },
    { title: t('指标', 'Indicator'), dataIndex: 'indicator', render: (v: string) => (v ? <Button type="link" size="small" className="mono" style={{ padding: 0 }} onClick={() => put('indicator', v)}>{v}</Button> : '–') },
    { title: t('B 被检', 'B judged'), key: 'evaluated', className: 'num', sorter: (a, b) => a.evaluated - b.evaluated, render: (_, r) => count(r.evaluated) },
    { title: t('不合格', 'Failed'), key: 'failed', className: 'num', sorter: (a, b) => a.failed - b.failed, render: (_, r) => (r.failed && sees ? <Link to={failingPath(d.code, r.rule)} aria-label={t(`${r.title} 的不合格行 ${count(r.failed)}`, `${count(r.failed)} rows that break ${r.rule}`)}><b>{count(r.failed)}</b></Link> : r.failed ? <b>{count(r.failed)}</b> : <span className="quiet">0</span>) },
    { title: t('不合格率', 'Share'), key: 'share', render: (_, r) => (r.evaluated ? <Meter x={r.failed / r.evaluated} tone="bad">{percent(r.failed / r.evaluated)}</Meter> : '–') },
    { title: t('度量与期望', 'Observed, expected'), key: 'observed', render: (_, r) => (r.set ? <>{shown(r.observed)}<div className="quiet small">{r.expected ? t('期望 ', 'expected ') + r.expected.trim() : ''}</div></> : r.expected ? <span className="quiet small">{t('期望 ', 'expected ') + r.expected.trim()}</span> : '') },
    { title: t('说明', 'Message'), key: 'message', render: (_, r) => <div className="wrap small">{r.message}</div> },
    ...(sees ? [{ title: t('行', 'Rows'), key: 'rows', render: (_: unknown, r: RuleResult) => (r.failed ? <Link to={failingPath(d.code, r.rule)} aria-label={t(`查看 ${r.title} 的不合格行`, `Rows that break ${r.title}`)}>{t('看不合格行', 'See rows')}</Link> : '') }] : []),
  ]
  return (
    <Card
      size="small" styles={{ body: { padding: 0 } }}
      title={
        <div className="chips" role="group" aria-label={t('按结果筛选', 'Filter by result')}>
          {order.map((s) => ({ s, n: of.filter((r) => r.status === s).length })).filter(({ n }) => n > 0).map(({ s, n }) => (
            <Button key={s} size="small" type={status === s ? 'primary' : 'default'} aria-pressed={status === s} onClick={() => put('status', status === s ? '' : s)}>{statusName(s, t)} {n}</Button>
          ))}
          {indicator ? <Tag closable onClose={() => put('indicator', '')}>{t('指标 ', 'Indicator ') + indicator}</Tag> : null}
        </div>
      }
      extra={<span className="row"><span className="quiet small">{t('运行于 ', 'Run at ')}{when(run.at)} · {t(`规则第 ${run.ruleset} 版`, `rule set ${run.ruleset}`)} · <span className="mono" title={t(`结果摘要 ${run.digest}；数据版本 ${run.data}`, `digest ${run.digest}; data ${run.data}`)}>{digest(run.digest)}</span></span>{button}</span>}
    >
      <Table rowKey="rule" columns={columns} dataSource={list} pagination={false} rowClassName={(r) => `result-${r.status}`} locale={{ emptyText: <Nothing what={t('没有符合条件的规则', 'No rule matches')} /> }} />
    </Card>
  )
}

// shown is a measured value as it came: a number, a text, or several by name.
function shown(v: unknown): string {
  if (v === null || v === undefined || v === '') return '–'
  if (typeof v === 'number') return v.toLocaleString('en-US', { maximumFractionDigits: 6 })
  return typeof v === 'string' ? v : JSON.stringify(v)
}
