import { Button, Card, Input, Modal, Select, Tag } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { useState } from 'react'
import { previewDraft, type PreviewRow, type RuleDraft, type RulePreview, type RuleSpec } from '../calls-rules'
import { count, percent } from '../format'
import { useLang, useT, type T } from '../lang'
import { useLive } from '../live'
import { half } from '../parts/rule'
import { Faults, Force } from '../parts/rule-words'
import { Loaded, Nothing } from '../parts/page'
import { Table } from '../parts/table'
import { useMay } from '../session'

// Preview shows the draft on real rows: which break a rule, and why.
export function PreviewTab({ d }: { d: RuleDraft }) {
  const t = useT()
  const steward = useMay('steward')
  const [only, setOnly] = useState('')
  const [rows, setRows] = useState(10_000)
  const [seed, setSeed] = useState(1)
  const [purpose, setPurpose] = useState('')
  const [asking, ask] = useState(false)
  const body = { rows, seed, ...(only ? { only } : {}), ...(purpose ? { reveal: true, purpose } : {}) }
  const live = useLive(() => previewDraft(d.id, body), `${d.id} ${d.digest} ${JSON.stringify(body)}`)
  if (!d.rules.length) return <Card size="small"><Nothing what={t('草稿没有行规则', 'The draft has no row rules')} todo={t('预览判断行规则；数据集规则启用后由规则运行判断。', 'A preview judges row rules; set rules are judged by runs.')} /></Card>
  return (
    <Card size="small">
      <div className="stack">
        <div className="row">
          <Select aria-label={t('只看哪条规则', 'Only rows that break')} style={{ minWidth: 260 }} showSearch optionFilterProp="label" value={only} onChange={setOnly} options={[{ value: '', label: t('不符合任一规则的行', 'Rows that break any rule') }, ...d.rules.map((r) => ({ value: r.id, label: `${r.title || r.id} ${r.id}` }))]} />
          <Select aria-label={t('判断多少行', 'How many are judged')} value={rows} onChange={setRows} options={[1000, 10_000, 100_000].map((n) => ({ value: n, label: t(`约判断 ${count(n)} 行`, `about ${count(n)} rows`) }))} />
          <Button onClick={() => setSeed((n) => n + 1)}>{t('换一批行', 'Other rows')}</Button>
          {steward ? <Button onClick={() => (purpose ? setPurpose('') : ask(true))}>{purpose ? t('恢复脱敏', 'Mask again') : t('揭示原值', 'Reveal')}</Button> : null}
        </div>
        <Loaded live={live}>{(p) => <Shown p={p} rules={d.rules} />}</Loaded>
      </div>
      {asking ? <Purpose close={() => ask(false)} done={(why) => { ask(false); setPurpose(why) }} /> : null}
    </Card>
  )
}

function Purpose({ close, done }: { close: () => void; done: (why: string) => void }) {
  const t = useT()
  const [why, setWhy] = useState('')
  return (
    <Modal open title={t('揭示原值', 'Reveal')} okText={t('揭示', 'Reveal')} cancelText={t('取消', 'Cancel')} okButtonProps={{ disabled: why.trim().length < 4 }} onOk={() => done(why.trim())} onCancel={close}>
      <label>
        {t('用途（至少 4 个字，将记入查看记录）', 'Purpose (kept with the look)')}
        <Input.TextArea rows={2} maxLength={200} value={why} onChange={(e) => setWhy(e.target.value)} />
      </label>
    </Modal>
  )
}

// Shown is a preview: what each rule counted, and the first rows that break one.
export function Shown({ p, rules }: { p: RulePreview; rules: RuleSpec[] }) {
  const t = useT()
  const failing = p.rules.filter((r) => r.failed > 0)
  const title = (id: string) => rules.find((r) => r.id === id)?.title || id
  if (p.faults.length) return <Faults list={p.faults} title={t('规则有误，未判断', 'The rules are at fault: nothing was judged')} />
  return (
    <div className="stack" data-preview>
      <div className="row">
        <b>{t(`判断 ${count(p.rows)} 行`, `${count(p.rows)} rows judged`)}</b>
        {failing.length ? failing.sort((a, b) => b.failed - a.failed).map((r) => (
          <span key={r.rule}><Force blocking={rules.find((x) => x.id === r.rule)?.blocking} />{title(r.rule)} <b className="broken">{count(r.failed)}</b> <span className="quiet small">/ {count(r.evaluated)}（{percent(r.failed / r.evaluated)}）</span></span>
        )) : <span className="holds">✓ {t('所判断的行全部合格', 'Every row judged holds')}</span>}
        {p.rules.filter((r) => r.evaluated === 0).map((r) => <Tag key={r.rule} color="warning">{t(`${title(r.rule)}：没有可判断的行`, `${title(r.rule)}: no row to judge`)}</Tag>)}
      </div>
      {p.items.length ? <Rows p={p} title={title} /> : null}
    </div>
  )
}

const cell = (v: unknown, t: T): string => {
  if (v === null || v === undefined || v === '') return '–'
  if (typeof v === 'boolean') return v ? t('是', 'yes') : t('否', 'no')
  return typeof v === 'object' ? JSON.stringify(v) : String(v as string | number)
}

function Rows({ p, title }: { p: RulePreview; title: (id: string) => string }) {
  const t = useT()
  const { lang } = useLang()
  // What is at fault stands first.
  const bad = new Set(p.items.flatMap((r) => r.breaks.map((b) => b.field)))
  const all = p.columns.map((c, i) => ({ c, i }))
  const order = [...all.filter(({ c }) => bad.has(c.name)), ...all.filter(({ c }) => !bad.has(c.name))]
  const single = p.rules.length === 1
  const columns: ColumnsType<PreviewRow & { n: number }> = [
    { title: single ? t('原因', 'Why') : t('不符合的规则和原因', 'Rules broken, and why'), key: 'why', render: (_, r) => <div className="wrap why">{r.breaks.map((b, i) => <div key={i}>{single ? null : <b>{title(b.rule)} </b>}<span className="quiet small">{half(b.reason, lang === 'zh')}</span></div>)}</div> },
    ...order.map(({ c, i }) => ({
      title: c.title, key: c.name,
      render: (_: unknown, r: PreviewRow) => <span className={r.breaks.some((b) => b.field === c.name) ? 'mono broken' : 'mono'}>{cell(r.values[i], t)}</span>,
    })),
  ]
  return (
    <>
      <Table rowKey="n" columns={columns} dataSource={p.items.map((r, n) => ({ ...r, n }))} pagination={false} bordered />
      <p className="quiet small" style={{ margin: 0 }}>
        {p.shown === 'masked' ? t('L3 及以上的数据项已脱敏；查看已记录。', 'Items of L3 and above are masked; the look is recorded.') : t('按原值显示；查看已记录。', 'Shown in clear; the look is recorded.')}
        {t(` 显示前 ${p.items.length} 行。`, ` The first ${p.items.length} are shown.`)}
      </p>
    </>
  )
}
