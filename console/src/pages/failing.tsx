import { EyeOutlined, LockOutlined } from '@ant-design/icons'
import { Alert, Button, Card, Input, Select, Tag } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { useState } from 'react'
import { Link, useParams, useSearchParams } from 'react-router'
import { getDataset, getFailing, getLooks } from '../calls'
import { count, when } from '../format'
import { useT, type T } from '../lang'
import { useLive } from '../live'
import { Ask } from '../parts/ask'
import { Became } from '../parts/became'
import { Pages, useCursor } from '../parts/cursor'
import { maskName } from '../parts/masks'
import { Figures, Loaded, Notice, Nothing, Page } from '../parts/page'
import { Table } from '../parts/table'
import { RejectState } from '../parts/tags'
import { series } from '../theme'
import { mayOpen } from '../places'
import { useMay, useSession } from '../session'
import type { FailingAsk, FailingColumn, FailingPage, FailingRow, Look } from '../shapes'
import { Export } from './failing-export'
import { formName } from './looks'
import { failingPath } from './results'

const size = 50

const ops: [string, string, string][] = [['eq', '等于', 'is'], ['ne', '不等于', 'is not'], ['prefix', '开头是', 'starts with'], ['ge', '不小于', 'at least'], ['le', '不大于', 'at most'], ['is_null', '为空', 'is empty']]

// Failing are the rows that break a rule (不合格行), with what was refused for it. Every
// page of them is put down as a look: nothing here asks again by itself.
export function Failing() {
  const t = useT()
  const { code = '', rule = '' } = useParams()
  const { session } = useSession()
  const reveals = useMay('steward')
  const [query, setQuery] = useSearchParams()
  const [purpose, setPurpose] = useState('') // of a reveal; not in the address, which others may be handed
  const [asking, setAsking] = useState(false)
  const department = query.get('department') ?? ''
  const division = query.get('division') ?? ''
  const [field, op, value] = [query.get('field') ?? '', query.get('op') ?? 'eq', query.get('value') ?? '']
  const ask: FailingAsk = {
    ...(department ? { department } : {}), ...(division ? { division } : {}), ...(purpose ? { reveal: true, purpose } : {}),
    ...(field && (value || op === 'is_null') ? { where: op === 'is_null' ? { f: field, op } : { f: field, op, v: value } } : {}),
  }
  const key = `${code} ${rule} ${JSON.stringify(ask)}`
  const at = useCursor(key)
  const refusedAt = useCursor(key)
  const live = useLive(() => getFailing({ dataset: code, rule, ask, cursor: at.cursor, refused: refusedAt.cursor, limit: size }), `${key} ${at.cursor} ${refusedAt.cursor}`)
  const first = useFirst(key, live.data)
  const all = useFirst(`${code} ${rule} units`, !department && !division && !field ? live.data : undefined)
  const dataset = useLive(() => getDataset(code), code)
  const looks = useLive(() => getLooks({ dataset: code, rule, actor: '', cursor: '', limit: 30 }), `looks ${code} ${rule} ${live.data?.list ?? ''}`)
  const p = live.data ?? first
  const put = (next: Record<string, string>) =>
    setQuery((old) => {
      const q = new URLSearchParams(old)
      for (const [name, v] of Object.entries(next)) {
        if (v) q.set(name, v)
        else q.delete(name)
      }
      return q
    })
  const filtered = department !== '' || division !== '' || ask.where !== undefined
  const titles = new Map(dataset.data?.rules.map((r) => [r.id, r.title]))
  const seesRejects = session !== null && session !== undefined && mayOpen('/rejects', session.role)
  return (
    <Page
      title={p ? `${t('不合格行', 'Failing rows')} · ${p.title}` : t('不合格行', 'Failing rows')}
      about={<>{p?.dataset_title ?? dataset.data?.title} · <span className="mono">{rule}</span>{p ? <> · {p.kind} · {p.blocking ? t('强规则', 'strong rule') : t('弱规则', 'soft rule')} · {t(`规则第 ${p.ruleset} 版`, `rule set ${p.ruleset}`)}</> : null}</>}
      tools={
        <>
          {reveals && p && !p.no_rows && !purpose && p.shown === 'masked' ? <Button icon={<EyeOutlined />} onClick={() => setAsking(true)}>{t('揭示', 'Reveal')}</Button> : null}
          {p && !p.no_rows ? <Export dataset={code} rule={rule} ask={ask} rows={first?.total === null || first === undefined ? undefined : (first.total ?? 0) + (first.refused_total ?? 0)} done={looks.reload} /> : null}
          <Link to={`/datasets/${encodeURIComponent(code)}?tab=rules`}>{t('← 全部规则', '← All rules')}</Link>
        </>
      }
    >
      {purpose ? (
        <Alert type="warning" showIcon title={t('正在以原值显示', 'Shown in clear')} description={t(`用途：${purpose}。每一页都已写入查看记录。`, `Purpose: ${purpose}. Every page is put down as a look.`)} action={<Button size="small" onClick={() => setPurpose('')}>{t('恢复脱敏', 'Mask again')}</Button>} />
      ) : null}
      {first && !first.no_rows ? (
        <Figures
          items={[
            { name: t('不合格行', 'Failing rows'), value: <span data-total={first.total ?? 0}>{count(first.total)}</span>, ...(first.rows.some((r) => r.group) ? { unit: t('行，同组的全部列出', 'rows, all of each group') } : {}) },
            { name: t('已拒收', 'Refused'), value: count(first.refused_total), unit: t('条待更正', 'to be mended') },
            { name: t('尚未判定', 'Not judged yet'), value: count(first.unjudged), unit: t('行', 'rows') },
            { name: t('显示', 'Shown'), value: <span style={{ fontSize: 16 }}>{first.shown === 'clear' ? t('原值', 'in clear') : t('脱敏', 'masked')}</span> },
          ]}
        />
      ) : null}
      {p?.no_rows ? (
        <Card size="small"><Nothing what={p.no_rows} todo={<Link to={`/datasets/${encodeURIComponent(code)}?tab=rules`}>{t('看这条规则的度量与期望', 'See what it measured')}</Link>} /></Card>
      ) : (
        <>
          {all || filtered ? (
            <Card size="small">
              <div className="stack">
                {all && all.units.length > 1 ? <Units p={all} chosen={department} choose={(unit) => put({ department: unit })} /> : null}
                <div className="row">
                  {department ? <Tag closable onClose={() => put({ department: '' })}>{t('责任单位 ', 'Unit ') + (all?.units.find((u) => u.unit === department)?.unit_name ?? department)}</Tag> : null}
                  <Input.Search key={`d${division}`} aria-label={t('区划代码', 'Division code')} placeholder={t('区划代码 6、9、12 位', 'Division code')} defaultValue={division} allowClear style={{ width: 220 }} onSearch={(v) => put({ division: v.trim() })} />
                  <Where key={`${field} ${op} ${value}`} columns={(all ?? p)?.columns ?? []} field={field} op={op} value={value} put={put} />
                  {filtered ? <Button type="link" size="small" onClick={() => put({ department: '', division: '', field: '', op: '', value: '' })}>{t('清除筛选', 'Clear')}</Button> : null}
                </div>
              </div>
            </Card>
          ) : null}
          <Loaded live={live}>
            {(page) => (
              <>
                {page.rows.length || !page.refused.length || at.page > 1 ? <Card size="small" title={t('已入库的不合格行', 'Stored rows that fail')} styles={{ body: { padding: 0 } }}>
                  <Rows p={page} list={page.rows} titles={titles} code={code} empty={<Nothing what={filtered ? t('没有符合条件的行', 'No row matches') : t('没有不合格的行', 'No stored row fails')} todo={filtered ? t('可放宽筛选条件。', 'Widen the filter.') : page.blocking ? t('强规则：不符的行不入库。', 'A strong rule: what breaks it is refused.') : undefined} />} />
                  <Pages at={at} next={page.next} {...(typeof first?.total === 'number' ? { total: first.total } : {})} />
                </Card> : null}
                {page.refused.length || refusedAt.page > 1 ? (
                  <Card
                    size="small" title={t('已拒收：未入库，尚待更正', 'Refused: not stored, to be mended')} styles={{ body: { padding: 0 } }}
                    extra={seesRejects ? <Link to={`/rejects?dataset=${encodeURIComponent(code)}&rule=${encodeURIComponent(rule)}`}>{t('更正并重放', 'Mend and replay')}</Link> : null}
                  >
                    <Rows p={page} list={page.refused} titles={titles} code={code} refused empty={<Nothing what={t('没有已拒收的', 'Nothing refused')} />} />
                    <Pages at={refusedAt} next={page.refused_next} {...(typeof first?.refused_total === 'number' ? { total: first.refused_total } : {})} />
                  </Card>
                ) : null}
              </>
            )}
          </Loaded>
        </>
      )}
      {looks.data?.items.length ? <Past list={looks.data.items.filter((l) => l.rows + l.refused > 0 && l.outcome === 'delivered')} /> : looks.problem && looks.problem.status !== 403 ? <Notice problem={looks.problem} /> : null}
      {asking ? (
        <Ask
          title={t('揭示：以原值显示', 'Reveal: show in clear')} ok={t('揭示', 'Reveal')} label={t('用途（写入查看记录）', 'Purpose, put down as a look')} max={200}
          run={async (why) => setPurpose(why)} // the page that follows is the look; asking here too would be another
          said={t('已以原值显示', 'Shown in clear')} close={() => setAsking(false)} done={() => setAsking(false)}
        >
          <p style={{ margin: 0 }}>{t('未定级的数据项仍不显示。谁、何时、为何看了哪些行都有记录，审计员可见。', 'Unclassified items stay hidden. Who saw which rows, when and why is on record.')}</p>
        </Ask>
      ) : null}
    </Page>
  )
}

// useFirst keeps what only the first page says, counts and units, while others are turned.
function useFirst(key: string, p: FailingPage | undefined): FailingPage | undefined {
  const [held, hold] = useState<{ key: string; page: FailingPage }>()
  if (p && p.total !== null && (held?.key !== key || held.page.list !== p.list)) hold({ key, page: p })
  return held?.key === key ? held.page : undefined
}

function Units({ p, chosen, choose }: { p: FailingPage; chosen: string; choose: (unit: string) => void }) {
  const t = useT()
  const list = [...p.units].sort((a, b) => b.rows + b.refused - a.rows - a.refused)
  const most = Math.max(1, ...list.map((u) => u.rows + u.refused))
  return (
    <ul className="units" aria-label={t('按责任单位', 'By unit')}>
      {list.slice(0, 24).map((u) => (
        <li key={u.unit}>
          <Button type="link" size="small" aria-pressed={chosen === u.unit} onClick={() => choose(chosen === u.unit ? '' : u.unit)}>{u.unit_name || u.unit || t('未知', 'unknown')}</Button> <b>{count(u.rows)}</b>{u.refused ? <span className="quiet small"> + {t(`拒收 ${count(u.refused)}`, `${count(u.refused)} refused`)}</span> : null}
          <div className="class-bar" aria-hidden="true"><span style={{ width: `${(u.rows / most) * 100}%`, background: series[0] }} /><span style={{ width: `${(u.refused / most) * 100}%`, background: series[1] }} /></div>
        </li>
      ))}
    </ul>
  )
}

// Where asks of one item that is not masked: masked ones can not be asked of.
function Where({ columns, field, op, value, put }: { columns: FailingColumn[]; field: string; op: string; value: string; put: (next: Record<string, string>) => void }) {
  const t = useT()
  const [f, setF] = useState(field)
  const [o, setO] = useState(op)
  const open = columns.filter((c) => c.mask === '' || c.mask === 'stray')
  if (!open.length) return null
  return (
    <span className="row">
      <Select aria-label={t('数据项', 'Item')} style={{ width: 160 }} value={f || null} placeholder={t('数据项', 'Item')} onChange={(v: string) => setF(v)} options={open.map((c) => ({ value: c.name, label: c.title }))} />
      <Select aria-label={t('比较', 'Comparison')} style={{ width: 104 }} value={o} onChange={(v: string) => { setO(v); if (v === 'is_null' && f) put({ field: f, op: v, value: '' }) }} options={ops.map(([v, zh, en]) => ({ value: v, label: t(zh, en) }))} />
      <Input.Search aria-label={t('值', 'Value')} placeholder={t('值', 'Value')} disabled={!f || o === 'is_null'} defaultValue={value} allowClear style={{ width: 180 }} onSearch={(v) => put(v.trim() ? { field: f, op: o, value: v.trim() } : { field: '', op: '', value: '' })} />
    </span>
  )
}

const cell = (v: unknown, c: FailingColumn, t: T) => {
  if (v === null || v === undefined || v === '') return <span className="quiet small">{c.mask === 'hide' ? t('不显示', 'hidden') : t('空', 'empty')}</span>
  if (typeof v === 'boolean') return v ? t('是', 'yes') : t('否', 'no')
  if (c.type === 'datetime' && typeof v === 'string' && !v.includes('*')) return when(v)
  return typeof v === 'string' ? v : String(v as number)
}

function Rows({ p, list, titles, code, refused, empty }: { p: FailingPage; list: FailingRow[]; titles: Map<string, string>; code: string; refused?: boolean; empty: React.ReactNode }) {
  const t = useT()
  const groups = [...new Set(list.map((r) => r.group).filter(Boolean))]
  const of = (c: FailingColumn) => p.columns.indexOf(c)
  const head = (c: FailingColumn) => <span title={c.mask ? maskName(c.mask, t) : undefined}>{c.mask && c.mask !== 'stray' ? <LockOutlined aria-label={t('脱敏', 'masked')} style={{ marginInlineEnd: 4 }} /> : null}{c.title}</span>
  const item = (c: FailingColumn) => ({ title: head(c), key: c.name, className: ['int', 'decimal'].includes(c.type) ? 'num' : '', render: (_: unknown, r: FailingRow) => (c.key ? <span className="mono">{cell(r.values[of(c)], c, t)}</span> : cell(r.values[of(c)], c, t)) })
  const units = new Set(p.units.map((u) => u.unit)).size !== 1 || list.some((r) => r.unit !== list[0]?.unit)
  const columns: ColumnsType<FailingRow> = [
    ...(groups.length ? [{ title: t('同组', 'Group'), key: 'group', render: (_: unknown, r: FailingRow) => { const i = groups.indexOf(r.group); return i < 0 ? '' : <span className="group-mark" style={{ background: series[i % series.length] }}>{i + 1}</span> } }] : []),
    ...p.columns.filter((c) => c.key).map((c) => ({ ...item(c), fixed: 'left' as const })),
    ...(refused
      ? [{ title: t('状态', 'State'), key: 'state', render: (_: unknown, r: FailingRow) => <RejectState state={r.state} /> }]
      : [{ title: t('还违反', 'Also breaks'), key: 'breaks', render: (_: unknown, r: FailingRow) => { const others = r.breaks.filter((b) => b !== p.rule); return others.length ? others.map((b) => <Link key={b} to={failingPath(code, b)}><Tag color="warning">{titles.get(b) ?? b}</Tag></Link>) : <span className="quiet small">–</span> } }]),
    ...p.columns.filter((c) => !c.key).map(item),
    ...(units ? [{ title: t('责任单位', 'Unit'), key: 'unit', render: (_: unknown, r: FailingRow) => r.unit_name || r.unit }] : []),
    { title: t('来源位置', 'Source'), key: 'source', render: (_, r) => <span className="mono" title={`${r.topic} ${r.topic_id}`}>{r.partition}/{count(r.offset)}{r.row ? `/${r.row}` : ''}</span> },
    ...(refused ? [] : [{ title: t('规则版本', 'Rule set'), key: 'ruleset', className: 'num', render: (_: unknown, r: FailingRow) => r.ruleset }]),
  ]
  return <div data-rows={refused ? 'refused' : 'stored'}><Table rowKey={(r) => `${r.topic_id}/${r.partition}/${r.offset}/${r.row}`} columns={columns} dataSource={list} pagination={false} locale={{ emptyText: empty }} /></div>
}

// Past lists who looked at rows of this rule before, and what became of them.
function Past({ list }: { list: Look[] }) {
  const t = useT()
  const exports = list.filter((l) => l.form !== 'page')
  const shown = [...exports, ...list.filter((l) => l.form === 'page')].slice(0, 6).sort((a, b) => b.at.localeCompare(a.at))
  if (!shown.length) return null
  return (
    <Card size="small" title={t('过去的查看与导出：后来怎样了', 'Past looks and exports: what became of them')} styles={{ body: { padding: 0 } }} extra={<Link to={`/quality/looks?dataset=${encodeURIComponent(shown[0]?.dataset ?? '')}&rule=${encodeURIComponent(shown[0]?.rule ?? '')}`}>{t('全部查看记录', 'All looks')}</Link>}>
      <Table
        rowKey="id" pagination={false} dataSource={shown}
        columns={[
          { title: t('时间', 'Time'), key: 'at', render: (_, l) => when(l.at) },
          { title: t('谁', 'Who'), key: 'who', render: (_, l) => <>{l.actor} <span className="quiet small">{l.org_name}</span></> },
          { title: t('方式', 'How'), key: 'form', render: (_, l) => <>{formName(l.form, t)}{l.reveal ? <> <Tag color="warning">{t('揭示', 'revealed')}</Tag></> : null}</> },
          { title: t('行数', 'Rows'), key: 'rows', className: 'num', render: (_, l) => count(l.rows + l.refused) },
          { title: t('后来', 'Since'), key: 'became', render: (_, l) => <Became id={l.id} /> },
        ]}
      />
    </Card>
  )
}
