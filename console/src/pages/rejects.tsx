import { Button, Card, Checkbox, Drawer, Input, Select, Tag } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { useMemo, useState } from 'react'
import { useSearchParams } from 'react-router'
import { getDatasets, getRejects, getRejectSummary } from '../calls'
import { count, when } from '../format'
import { useLang, useT } from '../lang'
import { useLive } from '../live'
import { Chart } from '../parts/chart'
import { Pages, useCursor } from '../parts/cursor'
import { Loaded, Nothing, Page } from '../parts/page'
import { Table } from '../parts/table'
import { className, rejectClasses, RejectState } from '../parts/tags'
import { useSession } from '../session'
import type { Reject, RejectSummary } from '../shapes'
import { Updated } from './flow'
import { Record } from './reject'
import { byDataset, Replay, type Selected } from './replay'

const idOf = (r: Reject) => `${r.dataset}/${r.topic_id}/${r.partition}/${r.offset}/${r.row}`

export function Rejects() {
  const t = useT()
  const { lang } = useLang()
  const [query, setQuery] = useSearchParams()
  const [open, setOpen] = useState<Reject>()
  const dataset = query.get('dataset') ?? ''
  const kind = query.get('class') ?? ''
  const rule = query.get('rule') ?? ''
  const field = query.get('field') ?? ''
  const text = query.get('text') ?? ''
  const state = (query.get('state') ?? 'open') as Reject['state'] | 'all'
  const from = query.get('from') ?? ''
  const to = query.get('to') ?? ''
  const { session } = useSession()
  const mends = session?.role === 'steward'
  const [picked, pick] = useState<Reject[]>([])
  const [replaying, setReplaying] = useState<Selected[]>()
  const timed = from !== '' || to !== ''
  const filter = `${dataset} ${kind} ${rule} ${field} ${text} ${state} ${from} ${to}`
  const at = useCursor(filter)
  const put = (name: string, value: string) =>
    setQuery((old) => {
      const next = new URLSearchParams(old)
      if (value) next.set(name, value)
      else next.delete(name)
      return next
    })
  const datasets = useLive(getDatasets, 'datasets')
  const summary = useLive(() => getRejectSummary(dataset), 'summary ' + dataset, 10_000)
  const live = useLive(() => getRejects({ dataset, class: kind, rule, field, text, from, to, state: state === 'all' ? '' : state, cursor: at.cursor, limit: 20 }), `${filter} ${at.cursor}`, 10_000)
  const again = () => {
    pick([])
    live.reload()
    summary.reload()
  }
  const picks = mends && (state === 'open' || state === 'draft')
  const has = (r: Reject) => picked.some((p) => idOf(p) === idOf(r))
  const whole = (list: Reject[]) => list.length > 0 && list.every(has)
  const columns: ColumnsType<Reject> = [
    // Not antd's own selection: its hidden copy of the head would hold a checkbox too.
    ...(picks
      ? [{ title: t('选择', 'Pick'), key: 'pick', render: (_: unknown, r: Reject) => (
          <Checkbox aria-label={t(`选择 ${r.topic}/${r.partition}/${r.offset}`, `Pick ${r.topic}/${r.partition}/${r.offset}`)} checked={has(r)} onChange={(e) => pick(e.target.checked ? [...picked, r] : picked.filter((p) => idOf(p) !== idOf(r)))} />
        ) }]
      : []),
    { title: t('数据集', 'Dataset'), key: 'dataset', render: (_, r) => datasets.data?.find((d) => d.code === r.dataset)?.title ?? r.dataset },
    { title: t('状态', 'State'), key: 'state', render: (_, r) => <RejectState state={r.state} /> },
    { title: t('类别', 'Class'), key: 'class', render: (_, r) => className(r.class, lang === 'zh') },
    { title: t('字段', 'Field'), dataIndex: 'field', render: (v: string) => (v ? <span className="mono">{v}</span> : t('整条', 'whole record')) },
    { title: t('原因与整改', 'Reason and mend'), key: 'reason', render: (_, r) => <div style={{ minWidth: 240, maxWidth: 380 }}>{r.mend && !r.mend.closed ? r.mend.reason : r.reason}</div> },
    { title: t('源位置与时间', 'Position and time'), key: 'at', render: (_, r) => <><span className="mono">{`${r.topic}/${r.partition}/${r.offset}`}{r.row ? `#${r.row}` : ''}</span><div className="quiet small">{when(r.at)}</div></> },
    { title: t('原文', 'Original'), key: 'open', fixed: 'right', render: (_, r) => <Button type="link" size="small" data-open onClick={() => setOpen(r)}>{t('查看', 'View')}</Button> },
  ]
  return (
    <Page
      title={t('问题数据', 'Rejects')}
      about={t('不能解析或违反强规则的记录：原样保存，不入库，计入评分。可在此更正后重放入库，也可在源头整改后重新报送。', 'Records that cannot be decoded or break a blocking rule: kept as they came, out of the library, counted in the score. Mend and replay them here, or at the source.')}
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
          <Select
            aria-label={t('状态', 'State')}
            style={{ width: 130 }}
            value={state}
            onChange={(v) => put('state', v === 'open' ? '' : v)}
            options={[
              { value: 'open', label: t('待处理', 'Open') }, { value: 'draft', label: t('仅草稿', 'Drafts') }, { value: 'closed', label: t('已销号', 'Closed') },
              { value: 'withdrawn', label: t('批次已撤回', 'Batch withdrawn') }, { value: 'all', label: t('全部状态', 'All states') },
            ]}
          />
          {mends ? <Input.Search key={text} aria-label={t('查找文字', 'Find text')} placeholder={t('原文或原因中的文字', 'Text in original or reason')} style={{ width: 210 }} defaultValue={text} allowClear onSearch={(v) => put('text', v.trim())} /> : null}
        </>
      }
    >
      {timed ? (
        <div className="row">
          <Tag closable onClose={() => setQuery((old) => { const next = new URLSearchParams(old); next.delete('from'); next.delete('to'); return next })}>
            {t(`入册时间 ${when(from)} 至 ${to ? when(to) : '现在'}`, `Put down ${when(from)} to ${to ? when(to) : 'now'}`)}
          </Tag>
          <span className="quiet small">{t('一次报送期间的问题数据；同一数据集其他来源同时到达的也在其中。', 'What was rejected while a submission came in; what came by other ways at the same time is among it.')}</span>
        </div>
      ) : null}
      <Loaded live={summary}>
        {(list) =>
          list.length && !timed ? (
            <Card title={t('按类别与规则', 'By class and rule')} size="small">
              <Bars list={list} />
              <Rules list={list} dataset={dataset} rule={rule} field={field} put={put} />
            </Card>
          ) : null
        }
      </Loaded>
      <Loaded live={live}>
        {(list) => (
          <Card
            size="small"
            styles={{ body: { padding: 0 } }}
            title={mends ? t(`共 ${count(list.total)} 条`, `${count(list.total)} in all`) : undefined}
            extra={
              picks ? (
                <div className="row">
                  <Button size="small" type="link" disabled={!list.items.length} onClick={() => pick(whole(list.items) ? picked.filter((p) => !list.items.some((r) => idOf(r) === idOf(p))) : [...picked, ...list.items.filter((r) => !has(r))])}>
                    {whole(list.items) ? t('本页不选', 'Unpick this page') : t('选择本页', 'Pick this page')}
                  </Button>
                  <Button size="small" disabled={!picked.length} onClick={() => setReplaying(byDataset(picked))}>{t(`重放所选 ${picked.length} 条`, `Replay ${picked.length} picked`)}</Button>
                  <Button size="small" disabled={!dataset || !list.total || timed} title={timed ? t('按时间看时请逐页选择', 'Pick page by page while a time is chosen') : dataset ? undefined : t('请先选择数据集', 'Choose a dataset first')} onClick={() => setReplaying([{ dataset, filter: { class: kind, rule, field, text }, total: list.total }])}>
                    {t('按筛选全部重放', 'Replay all that match')}
                  </Button>
                </div>
              ) : undefined
            }
          >
            <Table
              rowKey={idOf}
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
        {open ? <Record key={idOf(open)} r={open} mends={mends} done={() => { setOpen(undefined); again() }} /> : null}
      </Drawer>
      {replaying ? <Replay what={replaying} close={() => { setReplaying(undefined); again() }} /> : null}
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

// Rules narrows to one rule or field; what is chosen is shown and can be let go.
function Rules({ list, dataset, rule, field, put }: { list: RejectSummary[]; dataset: string; rule: string; field: string; put: (name: string, value: string) => void }) {
  const t = useT()
  if (rule || field) {
    return (
      <div className="row">
        {rule ? <Tag closable onClose={() => put('rule', '')}>{t('规则 ', 'Rule ') + rule}</Tag> : null}
        {field ? <Tag closable onClose={() => put('field', '')}>{t('字段 ', 'Field ') + field}</Tag> : null}
      </div>
    )
  }
  const of = list.filter((s) => !dataset || s.dataset === dataset)
  const rules = [...new Map(of.filter((s) => s.rule).map((s) => [s.rule, s.rule_title || s.rule])).entries()]
  const fields = [...new Set(of.map((s) => s.field).filter(Boolean))]
  return (
    <div className="row">
      <Select aria-label={t('规则', 'Rule')} style={{ width: 260 }} placeholder={t('按规则筛选', 'Filter by rule')} value={null} onChange={(v: string) => put('rule', v)} options={rules.map(([value, label]) => ({ value, label }))} />
      <Select aria-label={t('字段', 'Field')} style={{ width: 180 }} placeholder={t('按字段筛选', 'Filter by field')} value={null} onChange={(v: string) => put('field', v)} options={fields.map((value) => ({ value, label: value }))} />
    </div>
  )
}
