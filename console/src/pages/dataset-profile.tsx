import { Alert, Button, Card, Progress, Select, Tag } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { useEffect, useState } from 'react'
import { Link } from 'react-router'
import { adoptSuggestion, getDrafts, getProfile, getRuleKinds, getSuggestions, startProfile, type Profile, type ProfileColumn, type Suggestion } from '../calls-rules'
import { count, percent, when } from '../format'
import { useLang, useT } from '../lang'
import { useLive } from '../live'
import { useAct } from '../parts/act'
import { Loaded, Nothing } from '../parts/page'
import { half } from '../parts/rule'
import { Force, KindName } from '../parts/rule-words'
import { Table } from '../parts/table'
import { typeName } from '../parts/tags'
import { tableName } from '../parts/words'
import { useMay, useSession } from '../session'
import type { DatasetDetail } from '../shapes'

// Profiled is what a dataset's rows look like (数据探查), and the rules they suggest.
export function Profiled({ d }: { d: DatasetDetail }) {
  const t = useT()
  const { session } = useSession()
  const may = useMay('steward', 'officer') && (session?.role !== 'officer' || session.org === d.owner)
  const { busy, act } = useAct()
  const [fast, setFast] = useState(false)
  const live = useLive(() => getProfile(d.code), `profile ${d.code}`, fast ? 1000 : 0)
  const running = live.data?.run?.state === 'running'
  useEffect(() => setFast(running), [running])
  const start = async () => {
    await act(() => startProfile(d.code), t('探查已开始', 'Profiling has begun'))
    live.reload()
  }
  return (
    <Loaded live={live}>{({ run, profile }) => (
      <div className="stack">
        <div className="row">
          {may ? <Button type={profile ? 'default' : 'primary'} loading={busy} disabled={running} onClick={() => void start()}>{profile ? t('重新探查', 'Profile again') : t('开始探查', 'Profile')}</Button> : null}
          {profile ? <span className="quiet small">{when(profile.at)} · {t(`${count(profile.rows)} 行`, `${count(profile.rows)} rows`)}{profile.sampled < profile.rows ? t(`，分位数和关系取自 ${count(profile.sampled)} 行`, `, quantiles and relations of ${count(profile.sampled)}`) : ''} · {t(`第 ${profile.version} 版`, `version ${profile.version}`)}</span> : null}
        </div>
        {running && run ? <Progress percent={run.total ? Math.round((run.done / run.total) * 100) : 0} status="active" aria-label={t('探查进度', 'Progress')} /> : null}
        {run?.state === 'failed' ? <Alert type="error" showIcon title={t('探查没有完成', 'Profiling did not finish')} description={run.error} /> : null}
        {profile ? <><Columns p={profile} /><Suggestions key={profile.at} d={d} may={may} /></> : running ? null : <Card size="small"><Nothing what={t('还没有探查', 'Not profiled yet')} todo={t('探查读一遍现有的行，给出每个数据项的类型、空值、取值、写法和分布，以及规则建议。', 'It reads every row once: types, nulls, values, patterns, distribution, and the rules they suggest.')} /></Card>}
      </div>
    )}</Loaded>
  )
}

function Columns({ p }: { p: Profile }) {
  const t = useT()
  const { lang } = useLang()
  const bar = (name: string, share: number, key: string) => <div key={key} title={name} className="share-line"><span className="mono">{name}</span> <span className="quiet small">{percent(share, 1)}</span></div>
  const columns: ColumnsType<ProfileColumn> = [
    { title: t('数据项', 'Item'), key: 'name', render: (_, c) => <>{c.title ?? c.name}<div className="quiet small mono">{c.name}</div></> },
    { title: t('类型', 'Type'), key: 'type', render: (_, c) => <>{typeName(c.declared ?? '', t)}{c.observed && c.observed !== c.declared ? <div className="small">{t('可读作 ', 'reads as ')}<b>{typeName(c.observed, t)}</b></div> : null}</> },
    { title: t('空值', 'Nulls'), key: 'nulls', className: 'num', render: (_, c) => <>{c.rows ? percent(c.nulls / c.rows, 1) : '–'}{c.placeholders ? <div className="quiet small">{t(`占位词 ${count(c.placeholders)}`, `${count(c.placeholders)} placeholders`)}</div> : null}</> },
    { title: t('不同取值', 'Distinct'), key: 'distinct', className: 'num', render: (_, c) => <>{c.distinct.exact ? '' : '≈ '}{count(c.distinct.count)}{c.constant ? <div className="quiet small">{t('只有一个值', 'constant')}</div> : null}</> },
    {
      title: t('识别为', 'Recognised'), key: 'is',
      render: (_, c) => (
        <div className="wrap">
          {c.is ? <div>{half(c.is.title, lang === 'zh')} <span className="quiet small">{c.is.values ? percent(c.is.share, 1) : t('按名称', 'by name')}</span></div> : null}
          {(c.codes ?? []).slice(0, 2).map((x) => <div key={x.table}>{tableName(x.table, t)} <span className="quiet small">{percent(x.share, 1)}</span></div>)}
          {c.is || c.codes?.length ? null : '–'}
        </div>
      ),
    },
    { title: t('写法', 'Patterns'), key: 'shapes', render: (_, c) => <div className="wrap">{c.shapes?.length ? c.shapes.slice(0, 3).map((s) => bar(s.shape, s.share, s.shape)) : '–'}</div> },
    { title: t('常见取值', 'Top values'), key: 'top', render: (_, c) => <div className="wrap">{c.closed ? <Tag>{t('不显示', 'withheld')}</Tag> : c.top?.length ? c.top.slice(0, 4).map((v) => bar(v.value, v.share, v.value)) : '–'}{c.closed ? <div className="quiet small">{half(c.closed, lang === 'zh')}</div> : null}</div> },
    { title: t('分布', 'Distribution'), key: 'histogram', render: (_, c) => <>{c.histogram?.length ? <Histogram bins={c.histogram} name={c.title ?? c.name} /> : null}{c.range?.min ? <div className="quiet small mono unbroken">{c.range.min} … {c.range.max}</div> : c.length ? <div className="quiet small unbroken">{t(`${c.length.min}–${c.length.max} 字`, `${c.length.min}–${c.length.max} characters`)}</div> : c.histogram?.length ? null : '–'}</> },
  ]
  return <Card size="small" title={t('数据项', 'Items')} styles={{ body: { padding: 0 } }}><Table rowKey="name" columns={columns} dataSource={p.columns} pagination={false} /></Card>
}

function Histogram({ bins, name }: { bins: { from: string; count: number }[]; name: string }) {
  const t = useT()
  const top = Math.max(1, ...bins.map((b) => b.count))
  const w = 132 / bins.length
  return (
    <svg width={132} height={30} role="img" aria-label={t(`${name} 的分布，${bins.length} 段`, `Distribution of ${name}`)} style={{ display: 'block' }}>
      {bins.map((b, i) => {
        const h = b.count ? Math.max(1.5, (b.count / top) * 28) : 0
        return <rect key={b.from} x={i * w} y={30 - h} width={Math.max(1, w - 1)} height={h} fill="#14508c"><title>{`${b.from}: ${count(b.count)}`}</title></rect>
      })}
    </svg>
  )
}

function Suggestions({ d, may }: { d: DatasetDetail; may: boolean }) {
  const t = useT()
  const { lang } = useLang()
  const { busy, act } = useAct()
  const [draft, setDraft] = useState('')
  const [taken, take] = useState<Record<number, string>>({})
  const live = useLive(() => getSuggestions(d.code), `suggestions ${d.code}`)
  const kinds = useLive(getRuleKinds, 'kinds')
  const drafts = useLive(() => (may ? getDrafts(d.code) : Promise.resolve([])), `drafts of ${d.code} ${may} ${Object.keys(taken).length}`)
  const open = (drafts.data ?? []).filter((x) => x.state === 'open')
  const adopt = (s: Suggestion) =>
    act(async () => {
      const { id } = await adoptSuggestion(d.code, s.n, draft)
      setDraft(id)
      take((old) => ({ ...old, [s.n]: id }))
    }, t('已采纳到草稿', 'It is in the draft'))
  const columns: ColumnsType<Suggestion> = [
    { title: t('建议的规则', 'Suggested rule'), key: 'title', render: (_, s) => <div className="wrap rule-name"><Force blocking={s.blocking} />{s.title}<div className="quiet small"><KindName name={s.kind} kinds={[...(kinds.data?.rows ?? []), ...(kinds.data?.sets ?? [])]} /></div></div> },
    { title: t('依据', 'Evidence'), key: 'why', render: (_, s) => <div className="wrap why">{half(s.why, lang === 'zh')}</div> },
    { title: t('参数、条件', 'Parameters, condition'), key: 'params', render: (_, s) => <div className="rule-written mono">{Object.entries(s.params ?? {}).map(([k, v]) => <div key={k}>{k} {v}</div>)}{s.when ? <div>{s.when}</div> : null}</div> },
    { title: t('把握', 'Confidence'), key: 'confidence', className: 'num', render: (_, s) => percent(s.confidence, 0) },
    { title: t('现在会查出', 'Would find'), key: 'failing', className: 'num', render: (_, s) => <>{s.exact ? '' : '≈ '}{count(s.failing)}<div className="quiet small">/ {count(s.judged)}</div></> },
    ...(may ? [{ title: t('操作', 'Do'), key: 'do', render: (_: unknown, s: Suggestion) => (taken[s.n] ? <Link to={`/quality/drafts/${taken[s.n]}`}>{t('已采纳，去草稿', 'In the draft')}</Link> : <Button size="small" disabled={busy} aria-label={t(`采纳 ${s.title}`, `Adopt ${s.id}`)} onClick={() => void adopt(s)}>{t('采纳到草稿', 'Adopt')}</Button>) }] : []),
  ]
  return (
    <Card
      size="small" title={t('规则建议', 'Suggested rules')} styles={{ body: { padding: 0 } }}
      extra={may ? <Select aria-label={t('采纳到哪份草稿', 'Into which draft')} size="small" style={{ minWidth: 240 }} value={draft} onChange={setDraft} options={[{ value: '', label: t('新建一份草稿', 'A new draft') }, ...open.map((x) => ({ value: x.id, label: `${x.title || x.id}` }))]} /> : undefined}
    >
      <Loaded live={live}>{(list) => (list.items.length ? <Table rowKey="n" columns={columns} dataSource={list.items} pagination={{ pageSize: 20, hideOnSinglePage: true }} data-suggestions /> : <Nothing what={t('没有新的建议', 'Nothing to suggest')} todo={t('看得出的规则都已声明。', 'What the rows show is declared already.')} />)}</Loaded>
    </Card>
  )
}
