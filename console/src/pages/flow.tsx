import { Card, Tag, Tooltip } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { useEffect, useMemo, useState } from 'react'
import { Link } from 'react-router'
import { getFlow } from '../calls'
import { ago, count, rate, when } from '../format'
import { useLang, useT } from '../lang'
import { useLive } from '../live'
import { Chart } from '../parts/chart'
import { Figures, Loaded, Nothing, Page } from '../parts/page'
import { Spark } from '../parts/spark'
import { Table } from '../parts/table'
import { libraryName } from '../parts/tags'
import { mayOpen } from '../places'
import { useSession } from '../session'
import type { Flow as FlowShape, FlowDataset } from '../shapes'

export function Flow() {
  const t = useT()
  const live = useLive(getFlow, 'flow', 3000)
  return (
    <Page
      title={t('运行总览', 'Overview')}
      about={t('数据从各部门经主题进入主题库；每条源记录都有去向。', 'Data runs from departments through topics into the libraries; every source record is accounted for.')}
      tools={<Updated at={live.at} />}
    >
      <Loaded live={live}>{(flow) => (flow.datasets.length ? <Running flow={flow} /> : <Empty />)}</Loaded>
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

function Running({ flow }: { flow: FlowShape }) {
  const t = useT()
  const offsets = sum(flow, (d) => d.offsets)
  const good = sum(flow, (d) => d.good)
  const rejected = sum(flow, (d) => d.rejected)
  const control = sum(flow, (d) => d.control)
  return (
    <>
      <Figures
        items={[
          { name: t('数据集', 'Datasets'), value: count(flow.datasets.length) },
          { name: t('当前速率', 'Rate now'), value: rate(sum(flow, (d) => d.rate)), unit: t('行/秒', 'rows/s') },
          { name: t('积压', 'Lag'), value: count(sum(flow, (d) => d.lag)), unit: t('条', 'records') },
          { name: t('已入库', 'Stored'), value: count(good), unit: t('行', 'rows') },
          { name: t('问题数据', 'Rejects'), value: count(rejected), unit: t('行', 'rows') },
        ]}
      />
      <Card size="small">
        <Equation offsets={offsets} good={good} rejected={rejected} control={control} holds={flow.datasets.every((d) => d.balanced)} />
      </Card>
      <Card title={t('数据去向', 'Where it goes')} size="small">
        <Picture flow={flow} />
      </Card>
      <Card title={t('各数据集', 'By dataset')} size="small">
        <Rows flow={flow} />
      </Card>
    </>
  )
}

// Reading says whether any partition has stopped, and why.
function Reading({ d }: { d: FlowDataset }) {
  const t = useT()
  const stopped = d.partitions.filter((p) => p.stopped)
  if (stopped.length) {
    return (
      <Tooltip title={stopped.map((p) => `${t('分区', 'partition')} ${p.partition}：${p.error || '–'}`).join('\n')}>
        <Tag color="error" tabIndex={0}>{t('已停止，等人处理', 'Stopped')}</Tag>
      </Tooltip>
    )
  }
  const failing = d.partitions.find((p) => p.error)
  return failing ? <Tooltip title={failing.error}><Tag color="warning" tabIndex={0}>{t('重试中', 'Retrying')}</Tag></Tooltip> : <Tag color="success">{t('正常', 'Running')}</Tag>
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

// Picture draws departments → topics → libraries, as wide as the records that went.
function Picture({ flow }: { flow: FlowShape }) {
  const t = useT()
  const { lang } = useLang()
  // Redrawn when the numbers have moved, not at every refresh.
  const shape = flow.datasets.map((d) => `${d.owner_name}|${d.topic}|${d.library}|${d.good}|${d.rejected}`).join('\n')
  const option = useMemo(() => {
    const names = new Map<string, { name: string; depth: number; itemStyle: { color: string } }>()
    const links = new Map<string, { source: string; target: string; value: number; real: number }>()
    const node = (name: string, depth: number, color: string) => {
      if (!names.has(name)) names.set(name, { name, depth, itemStyle: { color } })
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
          type: 'sankey', left: 4, right: 150, top: 6, bottom: 6, nodeWidth: 10, nodeGap: 9, draggable: false,
          emphasis: { focus: 'adjacency' },
          label: { fontSize: 12.5, color: '#1d2733' },
          lineStyle: { color: 'gradient', opacity: 0.22 },
          data: [...names.values()],
          links: [...links.values()],
        },
      ],
    }
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [shape, t, lang])
  const label = t('数据流向图：部门、主题、主题库；数字见下表', 'Flow from departments through topics to libraries; the numbers are in the table below')
  return <Chart option={option} height={Math.max(200, 34 * flow.datasets.length + 60)} label={label} />
}

function Rows({ flow }: { flow: FlowShape }) {
  const t = useT()
  const { session } = useSession()
  const { lang } = useLang()
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [])
  const columns: ColumnsType<FlowDataset> = [
    {
      title: t('数据集', 'Dataset'), key: 'title', fixed: 'left',
      render: (_, d) => (
        <>
          {session && mayOpen('/datasets', session.role) ? <Link to={`/datasets/${d.code}`}>{d.title}</Link> : d.title}
          <div className="quiet small">{d.owner_name}</div>
        </>
      ),
    },
    {
      title: t('速率（行/秒）', 'Rate (rows/s)'), key: 'rate',
      render: (_, d) => (
        <div className="row" style={{ flexWrap: 'nowrap' }}>
          <Spark values={d.series} label={t(`${d.title} 近期速率`, `${d.title}, recent rate`)} />
          <span style={{ minWidth: 52, textAlign: 'right' }}>{rate(d.rate)}</span>
        </div>
      ),
    },
    { title: t('位置', 'Position'), key: 'position', className: 'num', render: (_, d) => count(d.position) },
    { title: t('状态', 'State'), key: 'state', render: (_, d) => <Reading d={d} /> },
    { title: t('积压', 'Lag'), key: 'lag', className: 'num', render: (_, d) => (d.lag > 0 ? <Tag color="warning">{count(d.lag)}</Tag> : '0') },
    {
      title: t('源偏移量 = 入库 + 问题数据 + 控制记录', 'Offsets = stored + rejected + control'), key: 'equation',
      render: (_, d) => (
        <span className="equation small">
          {count(d.offsets)} = {count(d.good)} + {count(d.rejected)} + {count(d.control)}
          <Tooltip title={d.balanced ? t('等式成立', 'The equation holds') : t('等式不成立，请运行 mulu doctor', 'It does not hold: run mulu doctor')}>
            <span className={d.balanced ? 'holds' : 'broken'}>{d.balanced ? '✓' : '✗'}</span>
          </Tooltip>
        </span>
      ),
    },
    { title: t('最近批次', 'Last batch'), key: 'last', render: (_, d) => <span title={when(d.last_at)}>{ago(d.last_at, now, lang)}</span> },
  ]
  return <Table rowKey="code" columns={columns} dataSource={flow.datasets} pagination={false} />
}
