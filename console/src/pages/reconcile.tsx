import { Alert, Button, Card, Descriptions, Progress, Select, Tag } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { useEffect, useState } from 'react'
import { Link, useNavigate, useParams } from 'react-router'
import { getFlow, getStatement, getStatements, reconcile, statementURL } from '../calls'
import { bytes, count, digest, when } from '../format'
import { useT, type T } from '../lang'
import { useLive } from '../live'
import { useAct } from '../parts/act'
import { Pages, useCursor } from '../parts/cursor'
import { Loaded, Nothing, Page } from '../parts/page'
import { Table } from '../parts/table'
import { useSession } from '../session'
import type { ReconcileRun, Statement, StatementBatch, StatementLine, StatementPage, StatementRow, StatementSide, StatementSum, Verdict } from '../shapes'
import { Updated } from './flow'

const verdicts: Record<Verdict, { tone: string; zh: string; en: string }> = {
  even: { tone: 'success', zh: '平', en: 'Even' },
  in_flight: { tone: 'processing', zh: '在途', en: 'In flight' },
  purged: { tone: 'default', zh: '源端已清除', en: 'Purged at source' },
  rebuilt: { tone: 'default', zh: '源端已重建', en: 'Topic rebuilt' },
  unread: { tone: 'warning', zh: '未核', en: 'Unread' },
  uneven: { tone: 'error', zh: '不平', en: 'Uneven' },
}

function VerdictTag({ verdict }: { verdict: Verdict }) {
  const t = useT()
  const v = verdicts[verdict]
  return <Tag color={v.tone}>{t(v.zh, v.en)}</Tag>
}

// Reconciliations lists the statements and lets those who may start another.
export function Reconciliations() {
  const t = useT()
  const { session } = useSession()
  const [verdict, setVerdict] = useState<Verdict | ''>('')
  const at = useCursor(verdict)
  const live = useLive(() => getStatements({ verdict, cursor: at.cursor, limit: 20 }), `${verdict} ${at.cursor}`, 3000)
  const mayRun = session?.role === 'steward' || session?.role === 'operator'
  return (
    <Page
      title={t('对账', 'Reconciliation')}
      about={t('每小时把源端重读一遍，按当时的版本重新解码、重新校验，与落地的数据两边核对条数与摘要；不平的给出具体位点。', 'Every hour the source is read again, decoded and judged as it was, and both sides are compared by count and digest; what differs is named by offset.')}
      tools={
        <>
          <Updated at={live.at} />
          <Select
            aria-label={t('结论', 'Verdict')}
            style={{ width: 150 }}
            value={verdict}
            onChange={setVerdict}
            options={[{ value: '', label: t('全部结论', 'All verdicts') }, ...(Object.keys(verdicts) as Verdict[]).map((v) => ({ value: v, label: t(verdicts[v].zh, verdicts[v].en) }))]}
          />
        </>
      }
    >
      {mayRun ? <Start run={live.data?.run} done={live.reload} /> : null}
      <Loaded live={live}>
        {(page) => (
          <>
            <Open page={page} />
            <Card size="small" styles={{ body: { padding: 0 } }}>
              <Table
                rowKey="id"
                columns={listColumns(t)}
                dataSource={page.items}
                pagination={false}
                locale={{ emptyText: <Nothing what={t('还没有对账单', 'No statements yet')} todo={t('定时对账完成后会出现在这里。', 'They appear here when the hourly run has finished.')} /> }}
              />
              <Pages at={at} next={page.next} />
            </Card>
          </>
        )}
      </Loaded>
    </Page>
  )
}

const sumOf = (row: StatementRow, pick: (s: StatementSum) => number) => row.datasets.reduce((n, s) => n + pick(s), 0)

function listColumns(t: T): ColumnsType<StatementRow> {
  return [
    { title: t('对账单', 'Statement'), key: 'id', render: (_, r) => <Link data-open to={`/reconcile/${r.id}`} className="mono">{r.id}</Link> },
    { title: t('结论', 'Verdict'), key: 'verdict', render: (_, r) => <VerdictTag verdict={r.verdict} /> },
    { title: t('完成时间', 'Finished'), key: 'finished', render: (_, r) => when(r.finished) },
    { title: t('发起', 'Started by'), key: 'actor', render: (_, r) => r.actor || t('定时', 'hourly') },
    { title: t('数据集', 'Datasets'), key: 'datasets', className: 'num', render: (_, r) => count(r.datasets.length) },
    { title: t('源端记录', 'Source records'), key: 'source', className: 'num', render: (_, r) => count(sumOf(r, (s) => s.source.records)) },
    { title: t('落地记录', 'Landed records'), key: 'landed', className: 'num', render: (_, r) => count(sumOf(r, (s) => s.landed.records)) },
    { title: t('在途', 'In flight'), key: 'waiting', className: 'num', render: (_, r) => count(sumOf(r, (s) => s.waiting)) },
  ]
}

// Start begins a run and shows how far the one under way has come.
function Start({ run, done }: { run?: ReconcileRun; done: () => void }) {
  const t = useT()
  const { busy, act } = useAct()
  const [dataset, setDataset] = useState('')
  const flow = useLive(getFlow, 'flow')
  const running = run !== undefined && !run.error
  const start = async (all: boolean) => {
    await act(() => reconcile({ dataset: dataset || undefined, all }), t('已开始对账', 'Started'))
    done()
  }
  return (
    <Card size="small" className="no-print">
      <div className="row">
        <Select
          aria-label={t('数据集', 'Dataset')}
          style={{ width: 220 }}
          value={dataset}
          onChange={setDataset}
          options={[{ value: '', label: t('全部数据集', 'All datasets') }, ...(flow.data?.datasets ?? []).map((d) => ({ value: d.code, label: d.title }))]}
        />
        <Button type="primary" loading={busy} disabled={running} onClick={() => void start(false)}>{t('立即对账', 'Reconcile now')}</Button>
        <Button loading={busy} disabled={running} onClick={() => void start(true)}>{t('从头核对', 'From the first offset')}</Button>
        {running ? (
          <div className="row" style={{ flex: '1 1 260px' }} role="status">
            <Progress style={{ flex: 1, minWidth: 140 }} aria-label={t('对账进度', 'Progress')} percent={run.total > 0 ? Math.floor((100 * run.done) / run.total) : 0} />
            <span className="quiet small">{t(`已核对 ${count(run.done)} / ${count(run.total)} 个位点`, `${count(run.done)} of ${count(run.total)} offsets`)}</span>
          </div>
        ) : null}
      </div>
      {run?.error ? <Alert style={{ marginTop: 10 }} type="warning" showIcon title={t('上一次对账没有完成', 'The last run broke off')} description={run.error} /> : null}
    </Card>
  )
}

// Open says what does not agree now.
function Open({ page }: { page: StatementPage }) {
  const t = useT()
  if (page.open.length === 0) return null
  const shown = page.open.slice(0, 10)
  return (
    <Card size="small" className="uneven" title={t(`目前未平的范围：${count(page.open.length)} 处`, `Open differences: ${count(page.open.length)}`)}>
      <ul className="plain">
        {shown.map((o) => (
          <li key={`${o.dataset}/${o.partition}/${o.first}`}>
            <span className="mono">{`${o.dataset} / ${o.partition} / ${count(o.first)}–${count(o.last)}`}</span>{' '}
            <span className="quiet small">{t('自', 'since ')} {when(o.since)}</span>{' '}
            <Link to={`/reconcile/${o.statement}`} className="mono">{o.statement}</Link>
          </li>
        ))}
      </ul>
      {page.open.length > shown.length ? <span className="quiet">{t('其余见各对账单。', 'The rest stands in the statements.')}</span> : null}
    </Card>
  )
}

// StatementView is one statement, on the screen and on paper.
export function StatementView() {
  const t = useT()
  const navigate = useNavigate()
  const { id = '' } = useParams()
  const live = useLive(() => getStatement(id), id)
  const { data, reload } = live
  useEffect(() => {
    if (data?.state !== 'running') return
    const timer = setTimeout(reload, 1000)
    return () => clearTimeout(timer)
  }, [data, reload])
  return (
    <Page
      title={t('对账单', 'Statement')}
      about={<span className="mono">{id}</span>}
      tools={
        <span className="row no-print">
          <Button onClick={() => void navigate('/reconcile')}>{t('返回', 'Back')}</Button>
          {data?.statement ? (
            <>
              <Button href={statementURL(id, 'csv')}>{t('下载表格（CSV）', 'CSV')}</Button>
              <Button href={statementURL(id, 'xlsx')}>{t('下载表格（XLSX）', 'XLSX')}</Button>
              <Button onClick={() => window.print()}>{t('打印', 'Print')}</Button>
            </>
          ) : null}
        </span>
      }
    >
      <Loaded live={live}>
        {(a) => (a.statement ? <Sheet s={a.statement} /> : <Alert type={a.state === 'failed' ? 'warning' : 'info'} showIcon title={a.run?.error || t(`正在核对：${count(a.run?.done)} / ${count(a.run?.total)} 个位点`, `Comparing: ${count(a.run?.done)} of ${count(a.run?.total)} offsets`)} />)}
      </Loaded>
    </Page>
  )
}

function Sheet({ s }: { s: Statement }) {
  const t = useT()
  return (
    <>
      <Card size="small">
        <Descriptions
          column={{ xs: 1, sm: 2, lg: 3 }}
          size="small"
          items={[
            { key: 'v', label: t('结论', 'Verdict'), children: <VerdictTag verdict={s.verdict} /> },
            { key: 'who', label: t('发起', 'Started by'), children: s.actor || t('定时', 'hourly') },
            { key: 'scope', label: t('范围', 'Scope'), children: s.partial ? t('本单位的数据集', 'your own datasets') : s.all ? t('从头核对', 'from the first offset') : t('新数据与未平的部分', 'what is new or did not agree') },
            { key: 'began', label: t('开始', 'Started'), children: when(s.started) },
            { key: 'ended', label: t('完成', 'Finished'), children: when(s.finished) },
            { key: 'digest', label: t('摘要', 'Digest'), children: <span className="mono" title={s.digest}>{digest(s.digest)}</span> },
          ]}
        />
        {s.rest ? <span className="quiet">{t('读取量已到上限，余下的下一轮核对。', 'The bound on reading was reached; the rest is the next turn’s.')}</span> : null}
      </Card>
      {s.lines.length === 0 ? <Nothing what={t('没有需要核对的新数据', 'Nothing new to compare')} /> : (
        <>
          <Sums title={t('按数据集', 'By dataset')} list={s.datasets} />
          <Sums title={t('按单位', 'By department')} list={s.owners} />
          <Card size="small" title={t('按分区', 'By partition')} styles={{ body: { padding: 0 } }}>
            <Table
              rowKey={(l) => `${l.dataset}/${l.topic_id}/${l.partition}/${l.from}`}
              columns={lineColumns(t)}
              dataSource={s.lines}
              pagination={false}
              expandable={{ defaultExpandAllRows: true, rowExpandable: (l) => l.differing.length > 0 || l.notes.length > 0, expandedRowRender: (l) => <Differing l={l} /> }}
            />
          </Card>
        </>
      )}
    </>
  )
}

interface TwoSides { source: StatementSide; landed: StatementSide; waiting: number }

// sides are the columns of a two-sided table: source left, landed right, and what
// is more or less on the right. Values that differ are marked by more than colour.
function sides<D extends TwoSides>(t: T): ColumnsType<D> {
  const cell = (pick: (s: StatementSide) => number) => ({
    left: (_: unknown, d: D) => count(pick(d.source)),
    right: (_: unknown, d: D) => {
      const same = pick(d.source) === pick(d.landed)
      return <span className={same ? undefined : 'differs'}>{same ? '' : '≠ '}{count(pick(d.landed))}</span>
    },
  })
  const records = cell((s) => s.records)
  const good = cell((s) => s.good)
  const rejected = cell((s) => s.rejected)
  const rows = cell((s) => s.rows)
  const gap = (a: number, b: number) => (a === b ? '0' : <span className="differs">{(b > a ? '+' : '−') + count(Math.abs(b - a))}</span>)
  return [
    {
      title: t('源端（重读、重算）', 'Source, read again'), className: 'side-source',
      children: [
        { title: t('记录', 'Records'), key: 's1', className: 'num', render: records.left },
        { title: t('应入库', 'Good'), key: 's2', className: 'num', render: good.left },
        { title: t('应拒收', 'Rejected'), key: 's3', className: 'num', render: rejected.left },
        { title: t('应得行', 'Rows'), key: 's4', className: 'num', render: rows.left },
        { title: t('字节', 'Bytes'), key: 's5', className: 'num', render: (_, d) => bytes(d.source.bytes) },
      ],
    },
    {
      title: t('落地', 'Landed'), className: 'side-landed',
      children: [
        { title: t('记录', 'Records'), key: 'l1', className: 'num', render: records.right },
        { title: t('入库', 'Good'), key: 'l2', className: 'num', render: good.right },
        { title: t('问题数据', 'Rejected'), key: 'l3', className: 'num', render: rejected.right },
        { title: t('行', 'Rows'), key: 'l4', className: 'num', render: rows.right },
        { title: t('字节', 'Bytes'), key: 'l5', className: 'num', render: (_, d) => bytes(d.landed.bytes) },
      ],
    },
    { title: t('行差', 'Rows apart'), key: 'gap', className: 'num', render: (_, d) => gap(d.source.rows, d.landed.rows) },
    { title: t('在途', 'In flight'), key: 'waiting', className: 'num', render: (_, d) => count(d.waiting) },
  ]
}

function Sums({ title, list }: { title: string; list: StatementSum[] }) {
  const t = useT()
  const columns: ColumnsType<StatementSum> = [
    { title: t('名称', 'Name'), key: 'title', render: (_, s) => s.title || s.code },
    { title: t('结论', 'Verdict'), key: 'verdict', render: (_, s) => <VerdictTag verdict={s.verdict} /> },
    ...sides<StatementSum>(t),
  ]
  return (
    <Card size="small" title={title} styles={{ body: { padding: 0 } }}>
      <Table rowKey="code" columns={columns} dataSource={list} pagination={false} />
    </Card>
  )
}

function lineColumns(t: T): ColumnsType<StatementLine> {
  return [
    { title: t('数据集与分区', 'Dataset and partition'), key: 'place', render: (_, l) => <>{l.title || l.dataset}<div className="quiet small mono">{`${l.topic}/${l.partition}`}</div></> },
    { title: t('位点', 'Offsets'), key: 'span', render: (_, l) => (l.to < l.from ? t('没有可核对的', 'none') : <span className="mono">{`${count(l.from)}–${count(l.to)}`}</span>) },
    { title: t('结论', 'Verdict'), key: 'verdict', render: (_, l) => <VerdictTag verdict={l.verdict} /> },
    ...sides<StatementLine>(t),
  ]
}

function Differing({ l }: { l: StatementLine }) {
  const t = useT()
  return (
    <div className="stack differing">
      {l.notes.map((n) => <div key={n}>{n}</div>)}
      {l.differing.map((b) => <Batch key={`${b.first} ${b.note}`} b={b} />)}
      {l.more > 0 ? <span className="quiet">{t(`另有 ${count(l.more)} 批未列出`, `${count(l.more)} more batches are not listed`)}</span> : null}
    </div>
  )
}

function Batch({ b }: { b: StatementBatch }) {
  const t = useT()
  const side = (name: string, s: StatementSide) => (
    <div className="small">
      <b>{name}</b> {t('记录', 'records')} {count(s.records)} · {t('问题数据', 'rejected')} {count(s.rejected)} · {t('行', 'rows')} {count(s.rows)}
      {s.digest ? <> · {t('摘要', 'digest')} <span className="mono" title={s.digest}>{digest(s.digest)}</span></> : null}
      {s.content ? <> · {t('行内容', 'content')} <span className="mono" title={s.content}>{digest(s.content)}</span></> : null}
    </div>
  )
  return (
    <div>
      <div className="row"><span className="mono">{`${count(b.first)}–${count(b.last)}`}</span><VerdictTag verdict={b.verdict} />{b.note}</div>
      {b.source.offsets || b.landed.offsets ? <>{side(t('源端', 'Source'), b.source)}{side(t('落地', 'Landed'), b.landed)}</> : null}
      <ul className="plain">
        {b.differences.map((d) => (
          <li key={`${d.kind} ${d.offset} ${d.row}`}>
            <span className="differs">{t(d.title, d.kind)}</span>{' '}
            {t('位点', 'offset')} <span className="mono">{d.last === d.offset ? count(d.offset) : `${count(d.offset)}–${count(d.last)}`}</span>
            {d.row > 0 ? t(` 第 ${d.row} 行`, ` row ${d.row}`) : ''}
            {d.fields.length ? <> {t('字段', 'fields')} <span className="mono">{d.fields.join(', ')}</span></> : null} {d.note}
          </li>
        ))}
      </ul>
      {b.more > 0 ? <span className="quiet">{t(`另有 ${count(b.more)} 处未列出`, `${count(b.more)} more are not listed`)}</span> : null}
    </div>
  )
}
