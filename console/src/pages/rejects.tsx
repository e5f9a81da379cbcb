import { Alert, Button, Card, Drawer, Descriptions, Select } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { useMemo, useState } from 'react'
import { useSearchParams } from 'react-router'
import { getDatasets, getRejects, getRejectSummary } from '../calls'
import { bytes, count, original, when } from '../format'
import { useLang, useT } from '../lang'
import { useLive } from '../live'
import { Chart } from '../parts/chart'
import { Pages, useCursor } from '../parts/cursor'
import { Loaded, Nothing, Page } from '../parts/page'
import { Table } from '../parts/table'
import { className, rejectClasses } from '../parts/tags'
import type { Reject, RejectSummary } from '../shapes'
import { Updated } from './flow'

export function Rejects() {
  const t = useT()
  const { lang } = useLang()
  const [query, setQuery] = useSearchParams()
  const [open, setOpen] = useState<Reject>()
  const dataset = query.get('dataset') ?? ''
  const kind = query.get('class') ?? ''
  const at = useCursor(`${dataset} ${kind}`)
  const put = (name: string, value: string) =>
    setQuery((old) => {
      const next = new URLSearchParams(old)
      if (value) next.set(name, value)
      else next.delete(name)
      return next
    })
  const datasets = useLive(getDatasets, 'datasets')
  const summary = useLive(() => getRejectSummary(dataset), 'summary ' + dataset, 10_000)
  const live = useLive(() => getRejects({ dataset, class: kind, cursor: at.cursor, limit: 20 }), `${dataset} ${kind} ${at.cursor}`, 10_000)
  const columns: ColumnsType<Reject> = [
    { title: t('数据集', 'Dataset'), key: 'dataset', render: (_, r) => datasets.data?.find((d) => d.code === r.dataset)?.title ?? r.dataset },
    { title: t('类别', 'Class'), key: 'class', render: (_, r) => className(r.class, lang === 'zh') },
    { title: t('字段', 'Field'), dataIndex: 'field', render: (v: string) => (v ? <span className="mono">{v}</span> : t('整条', 'whole record')) },
    { title: t('原因与整改', 'Reason and mend'), dataIndex: 'reason', render: (v: string) => <div style={{ minWidth: 240, maxWidth: 380 }}>{v}</div> },
    { title: t('源位置与时间', 'Position and time'), key: 'at', render: (_, r) => <><span className="mono">{`${r.topic}/${r.partition}/${r.offset}`}</span><div className="quiet small">{when(r.at)}</div></> },
    { title: t('原文', 'Original'), key: 'open', fixed: 'right', render: (_, r) => <Button type="link" size="small" data-open onClick={() => setOpen(r)}>{t('查看', 'View')}</Button> },
  ]
  return (
    <Page
      title={t('问题数据', 'Rejects')}
      about={t('不能解析或违反强规则的记录：原样保存，不入库，计入评分。请按原因在源头整改后重新报送。', 'Records that cannot be decoded or break a blocking rule: kept as they came, out of the library, counted in the score. Mend them at the source and send them again.')}
      tools={
        <>
          <Updated at={live.at} />
          <Select
            aria-label={t('数据集', 'Dataset')}
            style={{ width: 200 }}
            value={dataset}
            onChange={(v) => put('dataset', v)}
            options={[{ value: '', label: t('全部数据集', 'All datasets') }, ...(datasets.data ?? []).map((d) => ({ value: d.code, label: d.title }))]}
          />
          <Select
            aria-label={t('类别', 'Class')}
            style={{ width: 140 }}
            value={kind}
            onChange={(v) => put('class', v)}
            options={[{ value: '', label: t('全部类别', 'All classes') }, ...rejectClasses.map((c) => ({ value: c, label: className(c, lang === 'zh') }))]}
          />
        </>
      }
    >
      <Loaded live={summary}>
        {(list) =>
          list.length ? (
            <Card title={t('按类别与规则', 'By class and rule')} size="small">
              <Bars list={list} />
            </Card>
          ) : null
        }
      </Loaded>
      <Loaded live={live}>
        {(list) => (
          <Card size="small" styles={{ body: { padding: 0 } }}>
            <Table
              rowKey={(r) => `${r.topic}/${r.partition}/${r.offset}`}
              columns={columns}
              dataSource={list.items}
              pagination={false}
              locale={{ emptyText: <Nothing what={t('没有问题数据', 'No rejects')} todo={dataset || kind ? t('可放宽筛选条件。', 'Widen the filter to see more.') : undefined} /> }}
            />
            <Pages at={at} next={list.next} total={list.total} />
          </Card>
        )}
      </Loaded>
      <Drawer open={open !== undefined} onClose={() => setOpen(undefined)} size={640} title={t('问题数据原文', 'Rejected record')}>
        {open ? <Record r={open} /> : null}
      </Drawer>
    </Page>
  )
}

function Bars({ list }: { list: RejectSummary[] }) {
  const t = useT()
  const { lang } = useLang()
  const name = (s: RejectSummary) => className(s.class, lang === 'zh') + (s.rule ? ` · ${s.rule_title || s.rule}` : '')
  // The answer counts by dataset and field too: added up here.
  const sums = new Map<string, RejectSummary>()
  for (const s of list) sums.set(name(s), { ...s, count: s.count + (sums.get(name(s))?.count ?? 0) })
  const top = [...sums.values()].sort((a, b) => b.count - a.count).slice(0, 10)
  const words = top.map((s) => `${name(s)} ${count(s.count)}`).join('，')
  const option = useMemo(() => {
    const shown = [...top].reverse()
    return {
      grid: { left: 10, right: 64, top: 4, bottom: 4, containLabel: true },
      tooltip: {},
      xAxis: { type: 'value', show: false },
      yAxis: { type: 'category', data: shown.map(name), axisTick: { show: false }, axisLine: { show: false }, axisLabel: { color: '#1d2733', width: 300, overflow: 'truncate' } },
      series: [{ type: 'bar', barMaxWidth: 16, data: shown.map((s) => s.count), itemStyle: { color: '#b3261e', borderRadius: 3 }, label: { show: true, position: 'right', color: '#1d2733', formatter: (p: { value: number }) => count(p.value) } }],
    }
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [words])
  return <Chart option={option} height={Math.max(72, 30 * top.length + 8)} label={t('问题数据数量：', 'Rejects: ') + words} />
}

function Record({ r }: { r: Reject }) {
  const t = useT()
  const value = original(r.value)
  const key = r.key ? original(r.key) : undefined
  return (
    <div className="stack">
      <Descriptions
        column={1}
        size="small"
        items={[
          { key: 'reason', label: t('原因与整改', 'Reason and mend'), children: r.reason },
          { key: 'rule', label: t('规则', 'Rule'), children: r.rule ? <span className="mono">{r.rule}</span> : '–' },
          { key: 'field', label: t('字段', 'Field'), children: r.field || t('整条', 'whole record') },
          { key: 'at', label: t('源位置', 'Position'), children: <span className="mono">{`${r.topic} / ${r.partition} / ${r.offset}`}</span> },
          { key: 'key', label: t('键', 'Key'), children: key ? <span className="mono">{key.text}</span> : '–' },
          { key: 'time', label: t('时间', 'Time'), children: when(r.at) },
        ]}
      />
      {r.masked ? (
        <Alert type="info" showIcon title={t('当前角色不能查看原值；请由数据治理员或数据来源单位处理。', 'Your role may not see the original; ask the steward.')} />
      ) : (
        <>
          <div className="row">
            <b>{t('原始字节', 'Original bytes')}</b>
            <span className="quiet small">{bytes(value.size)}{value.binary ? t(' · 非 UTF-8，按十六进制显示', ' · not UTF-8, shown in hex') : ''}</span>
          </div>
          <pre className="bytes mono" tabIndex={0}>{value.text}</pre>
        </>
      )}
    </div>
  )
}
