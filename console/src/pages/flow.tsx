import { Button, Card } from 'antd'
import { useEffect, useMemo, useState, type ReactNode } from 'react'
import { Link, useSearchParams } from 'react-router'
import { getFlow } from '../calls'
import { ago, count, rate, wait, when } from '../format'
import { useLang, useT } from '../lang'
import { useLive } from '../live'
import { Chart } from '../parts/chart'
import { ClassBar } from '../parts/class-bar'
import { Figures, Loaded, Nothing, Page } from '../parts/page'
import { lines, Reading } from '../parts/reading'
import { Spark } from '../parts/spark'
import { libraryName } from '../parts/tags'
import { mayOpen } from '../places'
import { useMay, useSession } from '../session'
import type { Flow as FlowShape, FlowDataset } from '../shapes'
import { Detail } from './flow-detail'
import { Holds } from './flow-holds'

export function Flow() {
  const t = useT()
  const live = useLive(getFlow, 'flow', 3000)
  const reviews = useMay('steward', 'operator', 'auditor')
  const [query, setQuery] = useSearchParams()
  const open = query.get('dataset') ?? ''
  // In the address: a colleague can be sent what one is looking at.
  const show = (code: string) => setQuery(code ? { dataset: code } : {}, { replace: true })
  return (
    <Page
      title={t('运行总览', 'Overview')}
      about={t('数据从各部门经主题进入主题库；每条源记录都有去向。', 'Data runs from departments through topics into the libraries; every source record is accounted for.')}
      tools={<Updated at={live.at} />}
    >
      <Loaded live={live}>
        {(flow) => (
          <>
            {reviews ? <Holds datasets={flow.datasets} /> : null}
            {flow.datasets.length ? <Running flow={flow} show={show} /> : <Empty />}
            <Detail d={flow.datasets.find((d) => d.code === open)} close={() => show('')} reload={live.reload} />
          </>
        )}
      </Loaded>
    </Page>
  )
}

// Updated says when the page was last refreshed.
export function Updated({ at }: { at: number }) {
  const t = useT()
  return at ? (
    <span className="quiet small">{t('更新于 ', 'Updated ') + when(new Date(at).toISOString()).slice(11)}</span>
  ) : null
}

function Empty() {
  const t = useT()
  return (
    <Card>
      <Nothing
        what={t('还没有声明数据集', 'No dataset is declared')}
        todo={t('用 mulu apply -f 目录 声明数据集，或用 mulu up --sample small 载入演示区。', 'Declare some with mulu apply -f DIR, or load the sample district with mulu up --sample small.')}
      />
    </Card>
  )
}

const sum = (flow: FlowShape, pick: (d: FlowDataset) => number) => flow.datasets.reduce((n, d) => n + pick(d), 0)

// slowest is the largest p99 of any dataset, null if nothing came of late.
const slowest = (flow: FlowShape): number | null =>
  flow.datasets.reduce<number | null>((most, d) => (d.p99_ms === null ? most : Math.max(most ?? 0, d.p99_ms)), null)

function Running({ flow, show }: { flow: FlowShape; show: (code: string) => void }) {
  const t = useT()
  const { lang } = useLang()
  const offsets = sum(flow, (d) => d.offsets)
  const good = sum(flow, (d) => d.good)
  const rejected = sum(flow, (d) => d.rejected)
  const control = sum(flow, (d) => d.control)
  return (
    <>
      <Figures
        items={[
          { name: t('数据集', 'Datasets'), value: count(flow.datasets.length) },
          { name: t('当前速率', 'Rate now'), value: rate(sum(flow, (d) => d.rate)), unit: t('条/秒', 'records/s') },
          { name: t('积压', 'Lag'), value: count(sum(flow, (d) => d.lag)), unit: t('条', 'records') },
          { name: t('时延 p99（最慢的数据集）', 'Latency p99 (slowest)'), value: wait(slowest(flow), lang) },
          { name: t('已入库', 'Stored'), value: count(good), unit: t('条', 'records') },
          { name: t('问题数据', 'Rejects'), value: count(rejected), unit: t('条', 'records') },
        ]}
      />
      <Card size="small">
        <Equation offsets={offsets} good={good} rejected={rejected} control={control} holds={flow.datasets.every((d) => d.balanced)} />
      </Card>
      <Card title={t('各数据集', 'By dataset')} size="small" styles={{ body: { padding: 0 } }}>
        <ul className="streams" aria-label={t('各数据集', 'By dataset')}>
          {flow.datasets.map((d) => (
            <Stream key={d.code} d={d} show={show} />
          ))}
        </ul>
      </Card>
      <Card title={t('数据去向', 'Where it goes')} size="small">
        <Picture flow={flow} />
      </Card>
    </>
  )
}

function Equation(e: { offsets: number; good: number; rejected: number; control: number; holds: boolean }) {
  const t = useT()
  return (
    <div className="equation" data-testid="equation">
      <span>
        {t('源偏移量', 'Source offsets')} <b>{count(e.offsets)}</b>
      </span>
      <span>=</span>
      <span>
        {t('入库', 'stored')} <b>{count(e.good)}</b>
      </span>
      <span>+</span>
      <span>
        {t('问题数据', 'rejected')} <b>{count(e.rejected)}</b>
      </span>
      <span>+</span>
      <span>
        {t('控制记录', 'control records')} <b>{count(e.control)}</b>
      </span>
      {e.holds ? (
        <span className="holds">✓ {t('成立，无丢失', 'holds: nothing lost')}</span>
      ) : (
        <span className="broken">✗ {t('不成立：请查看标 ✗ 的数据集，并运行 mulu doctor', 'does not hold: see the datasets marked ✗ and run mulu doctor')}</span>
      )}
    </div>
  )
}

// Stream is one dataset: its state, its last minutes as lines, its rejects, its
// equation.
function Stream({ d, show }: { d: FlowDataset; show: (code: string) => void }) {
  const t = useT()
  const { session } = useSession()
  const { lang } = useLang()
  const now = useNow()
  const opens = (path: string) => session !== undefined && session !== null && mayOpen(path, session.role)
  return (
    <li className="stream">
      <div className="stream-name">
        {opens('/datasets') ? <Link to={`/datasets/${d.code}`}>{d.title}</Link> : <b>{d.title}</b>}
        <div className="quiet small">{d.owner_name}</div>
        <div className="row small">
          <Reading d={d} />
          <span className="quiet" title={when(d.last_at)}>{ago(d.last_at, now, lang)}</span>
        </div>
      </div>
      <Gauge name={t('速率', 'Rate')} value={rate(d.rate)} unit={t('条/秒', 'records/s')}>
        <Spark values={d.series} colour={lines.rate} label={t(`${d.title} 近 5 分钟速率，现为每秒 ${rate(d.rate)} 条`, `${d.title}, rate over five minutes, now ${rate(d.rate)} records a second`)} />
      </Gauge>
      <Gauge name={t('积压', 'Lag')} value={count(d.lag)} unit={t('条', 'records')}>
        <Spark values={d.lag_series} colour={lines.lag} label={t(`${d.title} 近 5 分钟积压，现为 ${count(d.lag)} 条`, `${d.title}, lag over five minutes, now ${count(d.lag)} records`)} />
      </Gauge>
      <Gauge name={t('时延 p50 / p99', 'Latency p50 / p99')} value={`${wait(d.p50_ms, lang)} / ${wait(d.p99_ms, lang)}`}>
        <Spark values={d.latency_series} colour={lines.latency} label={t(`${d.title} 近 5 分钟时延 p99`, `${d.title}, latency p99 over five minutes`)} />
      </Gauge>
      <div className="stream-rejects">
        <ClassBar list={d.rejects} to={(c) => (opens('/rejects') ? `/rejects?dataset=${d.code}&class=${c}` : '')} />
      </div>
      <div className="stream-sum">
        <div className="small" title={t('源偏移量 = 入库 + 问题数据 + 控制记录', 'offsets = stored + rejected + control')}>
          <span className="unbroken">{count(d.offsets)} =</span>{' '}
          <span className="unbroken">
            {count(d.good)} + {count(d.rejected)} + {count(d.control)}{' '}
            <span className={d.balanced ? 'holds' : 'broken'} role="img" aria-label={d.balanced ? t('等式成立', 'The equation holds') : t('等式不成立，请运行 mulu doctor', 'It does not hold: run mulu doctor')}>
              {d.balanced ? '✓' : '✗'}
            </span>
          </span>
        </div>
        {d.replayed ? <div className="quiet small">{t(`问题数据中已更正重放 ${count(d.replayed)}`, `${count(d.replayed)} rejects mended and replayed`)}</div> : null}
        {d.withdrawn ? <div className="quiet small">{t(`其中已撤回 ${count(d.withdrawn)} 条`, `${count(d.withdrawn)} records withdrawn`)}</div> : null}
        <div className="quiet small">{t(`每批约 ${count(d.batch_rows_p50)} 行`, `about ${count(d.batch_rows_p50)} rows a batch`)}</div>
      </div>
      <Button size="small" data-open onClick={() => show(d.code)} aria-label={t(`查看 ${d.title} 的详情`, `Details of ${d.title}`)}>
        {t('详情', 'Details')}
      </Button>
    </li>
  )
}

function Gauge({ name, value, unit, children }: { name: string; value: string; unit?: string; children: ReactNode }) {
  return (
    <div className="gauge">
      <div className="quiet small">{name}</div>
      <div className="gauge-value">
        {value}
        {unit ? <small>{unit}</small> : null}
      </div>
      {children}
    </div>
  )
}

// useNow is the time, every second.
function useNow(): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [])
  return now
}

// Picture draws departments → topics → libraries, as wide as the records that went.
function Picture({ flow }: { flow: FlowShape }) {
  const t = useT()
  const { lang } = useLang()
  // Redrawn when the numbers have moved, not at every refresh.
  const shape = flow.datasets.map((d) => `${d.owner_name}|${d.topic}|${d.library}|${d.good}|${d.rejected}`).join('\n')
  const narrow = window.matchMedia('(max-width: 560px)').matches // no room for three names side by side
  const option = useMemo(() => {
    const names = new Map<string, { name: string; depth: number; itemStyle: { color: string }; label: { show: boolean } }>()
    const links = new Map<string, { source: string; target: string; value: number; real: number }>()
    const node = (name: string, depth: number, color: string) => {
      if (!names.has(name)) names.set(name, { name, depth, itemStyle: { color }, label: { show: !narrow || depth !== 1 } })
      return name
    }
    const link = (source: string, target: string, real: number) => {
      const key = source + '→' + target
      const had = links.get(key)?.real ?? 0
      // A band's width is the root of its records, or a large dataset hides the small.
      links.set(key, { source, target, real: had + real, value: Math.sqrt(had + real) + 4 })
    }
    for (const d of flow.datasets) {
      const from = node(d.owner_name, 0, '#14508c')
      const topic = node(d.topic, 1, '#2f7f86')
      const to = node(libraryName(d.library, lang === 'zh'), 2, '#1b6e3c')
      link(from, topic, d.good + d.rejected)
      link(topic, to, d.good)
      if (d.rejected > 0) link(topic, node(t('问题数据', 'Rejects'), 2, '#b3261e'), d.rejected)
    }
    return {
      tooltip: {
        formatter: (p: { dataType: string; name: string; data: { source?: string; target?: string; real?: number } }) =>
          p.dataType === 'edge' ? `${p.data.source} → ${p.data.target}\n${count(p.data.real)} ${t('条', 'records')}` : p.name,
      },
      series: [
        {
          type: 'sankey', left: 4, right: narrow ? 88 : 150, top: 6, bottom: 6, nodeWidth: 10, nodeGap: 9, draggable: false,
          emphasis: { focus: 'adjacency' },
          label: { fontSize: 12.5, color: '#1d2733' },
          lineStyle: { color: 'gradient', opacity: 0.22 },
          data: [...names.values()],
          links: [...links.values()],
        },
      ],
    }
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [shape, t, lang, narrow])
  const label = t('数据流向图：部门、主题、主题库；数字见下表', 'Flow from departments through topics to libraries; the numbers are in the table below')
  return <Chart option={option} height={Math.max(200, 34 * flow.datasets.length + 60)} label={label} />
}
