import { Alert, Descriptions, Drawer } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { useMemo } from 'react'
import { getFlowDetail } from '../calls'
import { bytes, count, rate, wait, when } from '../format'
import { useLang, useT } from '../lang'
import { useLive } from '../live'
import { Chart } from '../parts/chart'
import { Loaded, Nothing } from '../parts/page'
import { lines, Reading } from '../parts/reading'
import { moments } from '../parts/series'
import { Table } from '../parts/table'
import { StateTag } from '../parts/tags'
import type { FlowBatch, FlowDataset, FlowDetail, FlowPartition } from '../shapes'
import { Pausing, Stopped } from './flow-act'

// Detail is the last hour of one dataset in a drawer; open while d is given.
export function Detail({ d, close, reload }: { d: FlowDataset | undefined; close: () => void; reload: () => void }) {
  const t = useT()
  return (
    <Drawer open={d !== undefined} onClose={close} size={920} title={d ? `${d.title} · ${t('归集详情', 'the way in')}` : ''} destroyOnHidden>
      {d ? <Hour d={d} reload={reload} /> : null}
    </Drawer>
  )
}

function Hour({ d, reload }: { d: FlowDataset; reload: () => void }) {
  const live = useLive(() => getFlowDetail(d.code), 'flow ' + d.code, 5000)
  return (
    <div className="stack">
      <Facts d={d} />
      <Pausing d={d} reload={reload} />
      {d.partitions.map((p) => (p.state === 'stopped' ? <Stopped key={p.partition} d={d} p={p} reload={reload} /> : null))}
      <Loaded live={live}>{(hour) => <Past d={d} hour={hour} />}</Loaded>
    </div>
  )
}

function Facts({ d }: { d: FlowDataset }) {
  const t = useT()
  const { lang } = useLang()
  const pair = (a: number | null, b: number | null) => `${wait(a, lang)} / ${wait(b, lang)}`
  return (
    <Descriptions
      size="small"
      column={{ xs: 1, sm: 2 }}
      items={[
        { key: 'state', label: t('状态', 'State'), children: <Reading d={d} /> },
        { key: 'last', label: t('最近一批', 'Last batch'), children: `${when(d.last_at)}${d.batch_rows_last ? t(`，${count(d.batch_rows_last)} 行`, `, ${count(d.batch_rows_last)} rows`) : ''}` },
        { key: 'topic', label: t('主题、格式', 'Topic, format'), children: <span className="mono">{`${d.topic} · ${d.format}`}</span> },
        { key: 'recent', label: t('时延 p50 / p99，10 分钟', 'Latency p50 / p99, 10 min'), children: pair(d.p50_ms, d.p99_ms) },
        { key: 'all', label: t('时延 p50 / p99，本次启动以来', 'Latency p50 / p99, since start'), children: pair(d.p50_all_ms, d.p99_all_ms) },
      ]}
    />
  )
}

function Past({ d, hour }: { d: FlowDataset; hour: FlowDetail }) {
  const t = useT()
  return (
    <>
      {hour.ahead > 0 ? (
        <Alert type="warning" showIcon title={t(`${count(hour.ahead)} 条记录的产生时间晚于本机时间，时延按 0 计：请校准来源系统的时钟`, `${count(hour.ahead)} records were dated ahead of our clock and count as no wait: set the source's clock`)} />
      ) : null}
      {hour.undated > 0 ? <Alert type="info" showIcon title={t(`${count(hour.undated)} 条记录没有产生时间，不计时延`, `${count(hour.undated)} records have no time and count for no latency`)} /> : null}
      <Charts d={d} hour={hour} />
      <section>
        <h2 className="section">{t('分区', 'Partitions')}</h2>
        <Partitions list={d.partitions} />
      </section>
      <section>
        <h2 className="section">{t('最近批次', 'Recent batches')}</h2>
        <Batches list={hour.batches} />
      </section>
    </>
  )
}

interface Line {
  name: string
  values: (number | null)[]
  colour: string | undefined
  fill?: boolean
}

// Charts are three pictures over the same hour, with the newest value in words.
function Charts({ d, hour }: { d: FlowDataset; hour: FlowDetail }) {
  const t = useT()
  const { lang } = useLang()
  const perSecond = t('条/秒', 'records/s')
  return (
    <>
      <Over
        title={t('速率（条/秒）', 'Rate (records/s)')} hour={hour} show={(v) => `${rate(v)} ${perSecond}`} axis={(v) => rate(v)}
        label={t(`最近一小时速率，现为每秒 ${rate(d.rate)} 条`, `Rate over the last hour, now ${rate(d.rate)} records a second`)}
        of={[{ name: t('全部', 'all'), values: hour.rate, colour: lines.rate, fill: true }, { name: t('其中问题数据', 'rejected'), values: hour.rejected, colour: lines.rejected }]}
      />
      <Over
        title={t('积压（条）', 'Lag (records)')} hour={hour} show={(v) => count(v)} axis={(v) => count(v)} whole
        label={t(`最近一小时积压，现为 ${count(d.lag)} 条`, `Lag over the last hour, now ${count(d.lag)} records`)}
        of={[{ name: t('积压', 'lag'), values: hour.lag, colour: lines.lag, fill: true }]}
      />
      <Over
        title={t('时延：自产生至可查询', 'Latency: from producer to queryable')} hour={hour} show={(v) => wait(v, lang)} axis={(v) => wait(v, lang)}
        label={t(`最近一小时时延，最近 10 分钟中位数 ${wait(d.p50_ms, lang)}，99 分位 ${wait(d.p99_ms, lang)}`, `Latency over the last hour; median of ten minutes ${wait(d.p50_ms, lang)}, 99th percentile ${wait(d.p99_ms, lang)}`)}
        of={[{ name: 'p50', values: hour.p50_ms, colour: lines.latency }, { name: 'p99', values: hour.p99_ms, colour: lines.slow }]}
      />
    </>
  )
}

function Over({ title, hour, of, label, show, axis, whole }: { title: string; hour: FlowDetail; of: Line[]; label: string; show: (v: number | null) => string; axis: (v: number) => string; whole?: boolean }) {
  const option = useMemo(() => {
    const times = moments(hour.at, hour.step_s, hour.rate.length)
    return {
      grid: { left: 64, right: 14, top: of.length > 1 ? 30 : 12, bottom: 24 },
      ...(of.length > 1 ? { legend: { top: 0, right: 0, itemWidth: 16, textStyle: { color: '#566170' } } } : {}),
      tooltip: {
        trigger: 'axis',
        formatter: (ps: { dataIndex: number }[]) => {
          const i = ps[0]?.dataIndex ?? 0
          return [times[i] ?? '', ...of.map((l) => `${l.name} ${show(l.values[i] ?? null)}`)].join('\n')
        },
      },
      xAxis: { type: 'category', boundaryGap: false, data: times, axisLine: { lineStyle: { color: '#c5ced8' } }, axisTick: { show: false }, axisLabel: { color: '#566170', formatter: (v: string) => v.slice(0, 5), interval: 59 } },
      yAxis: { type: 'value', min: 0, minInterval: whole ? 1 : 0, splitNumber: 3, axisLabel: { color: '#566170', formatter: axis }, splitLine: { lineStyle: { color: '#e9edf1' } } },
      series: of.map((l) => ({
        type: 'line', name: l.name, data: l.values, color: l.colour, lineStyle: { width: 1.6 }, connectNulls: false,
        // A point that stands alone between gaps has no line to be seen by.
        showSymbol: true, showAllSymbol: true, symbol: (_: number | null, p: { dataIndex: number }) => (alone(l.values, p.dataIndex) ? 'circle' : 'none'), symbolSize: 4,
        ...(l.fill ? { areaStyle: { opacity: 0.1 } } : {}),
      })),
    }
    // Redrawn with every answer, and in the other language.
  }, [hour, title]) // eslint-disable-line react-hooks/exhaustive-deps
  return (
    <section>
      <h2 className="section">{title}</h2>
      <Chart option={option} height={170} label={label} />
    </section>
  )
}

const alone = (values: (number | null)[], i: number): boolean => (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null

function Partitions({ list }: { list: FlowPartition[] }) {
  const t = useT()
  const columns: ColumnsType<FlowPartition> = [
    { title: t('分区', 'Partition'), dataIndex: 'partition', className: 'num' },
    { title: t('状态', 'State'), key: 'state', render: (_, p) => <StateTag state={p.state} /> },
    { title: t('位置', 'Position'), key: 'position', className: 'num', render: (_, p) => (p.position < 0 ? '–' : count(p.position)) },
    { title: t('末端', 'End'), key: 'end', className: 'num', render: (_, p) => count(p.high_watermark) },
    { title: t('积压', 'Lag'), key: 'lag', className: 'num', render: (_, p) => count(p.lag) },
    { title: t('条/秒', 'Records/s'), key: 'rate', className: 'num', render: (_, p) => rate(p.rate) },
    { title: t('数据集版本', 'Version'), key: 'version', render: (_, p) => <Versions p={p} /> },
    { title: t('原因', 'Reason'), dataIndex: 'error', render: (v: string) => <div style={{ minWidth: 160, maxWidth: 360, whiteSpace: 'normal' }}>{v || '–'}</div> },
  ]
  return <Table rowKey="partition" columns={columns} dataSource={list} pagination={false} locale={{ emptyText: <Nothing what={t('本进程没有读取它的分区', 'No partition is read by this process')} /> }} />
}

// Versions says which version of the dataset is in force and which comes next.
function Versions({ p }: { p: FlowPartition }) {
  const t = useT()
  if (!p.version) return <>–</>
  return (
    <>
      {t(`版本 ${p.version}`, `version ${p.version}`)} <span className="quiet small">{t(`自位置 ${count(p.since)}`, `from ${count(p.since)}`)}</span>
      {p.next_version === null ? null : <div className="small">{t(`版本 ${p.next_version} 将自位置 ${count(p.next_from)} 生效`, `version ${p.next_version} from ${count(p.next_from)}`)}</div>}
    </>
  )
}

function Batches({ list }: { list: FlowBatch[] }) {
  const t = useT()
  const { lang } = useLang()
  const columns: ColumnsType<FlowBatch> = [
    { title: t('时间', 'Time'), key: 'at', render: (_, b) => when(b.at).slice(11) },
    { title: t('分区', 'Partition'), dataIndex: 'partition', className: 'num' },
    { title: t('偏移量', 'Offsets'), key: 'offsets', render: (_, b) => <span className="mono">{`${b.first}–${b.last}`}</span> },
    { title: t('入库', 'Stored'), key: 'good', className: 'num', render: (_, b) => count(b.good) },
    { title: t('问题数据', 'Rejects'), key: 'rejected', className: 'num', render: (_, b) => count(b.rejected) },
    { title: t('行数', 'Rows'), key: 'rows', className: 'num', render: (_, b) => count(b.rows) },
    { title: t('大小', 'Size'), key: 'bytes', className: 'num', render: (_, b) => bytes(b.bytes) },
    { title: t('最长时延', 'Longest wait'), key: 'wait', className: 'num', render: (_, b) => wait(b.wait_ms, lang) },
    { title: t('版本', 'Version'), dataIndex: 'version', className: 'num' },
  ]
  return <Table rowKey={(b) => `${b.partition}/${b.first}`} columns={columns} dataSource={list} pagination={false} locale={{ emptyText: <Nothing what={t('最近一小时没有批次', 'No batch in the last hour')} /> }} />
}
