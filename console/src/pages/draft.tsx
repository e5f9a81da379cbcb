import { PlusOutlined } from '@ant-design/icons'
import { Alert, App, Button, Card, Tabs } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { useState } from 'react'
import { Link, useNavigate, useParams, useSearchParams } from 'react-router'
import { getDataset, getDatasets } from '../calls'
import { dropDraft, getDraft, getRuleKinds, rebaseDraft, saveDraft, type RuleChange, type RuleDraft, type RuleKinds, type RuleSpec } from '../calls-rules'
import { count, when } from '../format'
import { useLang, useT, type T } from '../lang'
import { useLive, type Live } from '../live'
import { useAct } from '../parts/act'
import { Loaded, Nothing, Page } from '../parts/page'
import { faultsOf, half } from '../parts/rule'
import { Change, DraftState, Faults, Force, KindName, Written } from '../parts/rule-words'
import { Table } from '../parts/table'
import { useMay } from '../session'
import type { DatasetDetail, DatasetRow } from '../shapes'
import { Activation } from './draft-activate'
import { PreviewTab } from './draft-preview'
import { RuleForm, type Edited } from './draft-rule'
import { Trials } from './draft-trial'

interface Desk { d: RuleDraft; kinds: RuleKinds; dataset: DatasetDetail; datasets: DatasetRow[] }

// DraftPage is a draft at work: its rules, the preview, the trial over history, what it
// changes, and putting it in force.
export function DraftPage() {
  const t = useT()
  const { id = '' } = useParams()
  const live = useLive(async (): Promise<Desk> => {
    const [d, kinds, datasets] = await Promise.all([getDraft(id), getRuleKinds(), getDatasets()])
    return { d, kinds, datasets, dataset: await getDataset(d.dataset) }
  }, id)
  const d = live.data?.d
  const dataset = live.data?.dataset
  return (
    <Page
      title={d ? d.title || t(`${dataset?.title ?? ''}的规则草稿`, `Draft for ${dataset?.title ?? ''}`) : t('规则草稿', 'Rule draft')}
      about={d ? <><Link to={`/datasets/${encodeURIComponent(d.dataset)}`}>{dataset?.title}</Link> · {t(`改自第 ${d.base} 版`, `based on version ${d.base}`)} · {d.author} · {t('修改于 ', 'changed ')}{when(d.changed)} {d.notes ? <><br />{d.notes}</> : null}</> : undefined}
      tools={<>{d ? <DraftState d={d} /> : null}{d?.state === 'open' ? <Drop d={d} reload={live.reload} /> : null}<Link to="/quality/drafts">{t('← 全部草稿', '← All drafts')}</Link></>}
    >
      <Loaded live={live}>{(desk) => <Work desk={desk} live={live} />}</Loaded>
    </Page>
  )
}

function Drop({ d, reload }: { d: RuleDraft; reload: () => void }) {
  const t = useT()
  const may = useMay('steward', 'officer')
  const navigate = useNavigate()
  const { modal } = App.useApp()
  const { act } = useAct()
  if (!may) return null
  const run = async () => {
    if (await act(() => dropDraft(d.id, d.rev), t('草稿已删除', 'The draft is gone'))) void navigate('/quality/drafts')
    else reload()
  }
  return <Button size="small" danger onClick={() => void modal.confirm({ title: t('删除这份草稿？', 'Delete this draft?'), content: t('其中的规则和试跑结果一并删除，现行规则不变。', 'Its rules and trials go with it; the rules in force stay.'), okText: t('删除', 'Delete'), cancelText: t('取消', 'Cancel'), okButtonProps: { danger: true }, onOk: run })}>{t('删除草稿', 'Delete')}</Button>
}

function Work({ desk, live }: { desk: Desk; live: Live<Desk> }) {
  const t = useT()
  const { d } = desk
  const [query, setQuery] = useSearchParams()
  const general = d.faults.filter((f) => f.at < 0)
  return (
    <>
      {d.state === 'open' && d.newest !== d.base ? <Behind d={d} reload={live.reload} /> : null}
      <Faults list={general} title={general.length ? t('草稿有误', 'The draft is at fault') : ''} />
      <Tabs
        activeKey={query.get('tab') ?? 'rules'} onChange={(tab) => setQuery(tab === 'rules' ? {} : { tab }, { replace: true })} destroyOnHidden
        items={[
          { key: 'rules', label: t(`规则 ${d.rules.length + d.set_rules.length}`, `Rules ${d.rules.length + d.set_rules.length}`), children: <Rules desk={desk} reload={live.reload} /> },
          { key: 'diff', label: t(`与现行版本比较 ${d.diff.length}`, `Changes ${d.diff.length}`), children: <Diff list={d.diff} base={d.base} /> },
          ...(d.state === 'open' ? [{ key: 'preview', label: t('预览', 'Preview'), children: <PreviewTab d={d} /> }] : []),
          { key: 'trial', label: t('历史试跑', 'Trial over history'), children: <Trials d={d} reload={live.reload} /> },
        ]}
      />
      <Activation d={d} title={desk.dataset.title} reload={live.reload} trial={query.get('tab') === 'trial' ? undefined : () => setQuery({ tab: 'trial' }, { replace: true })} />
    </>
  )
}

// Behind: somebody else put other rules in force meanwhile.
function Behind({ d, reload }: { d: RuleDraft; reload: () => void }) {
  const t = useT()
  const may = useMay('steward', 'officer')
  const { busy, act } = useAct()
  const { modal } = App.useApp()
  const run = async () => {
    let both: string[] = []
    if (!(await act(async () => { both = (await rebaseDraft(d.id, d.rev)).both }, t(`已变基到第 ${d.newest} 版`, `Rebased on version ${d.newest}`)))) return reload()
    if (both.length) modal.warning({ title: t('两边都改过的规则保留了草稿的写法，请核对', 'Rules changed on both sides are as the draft has them'), content: <ul className="plain">{both.map((r) => <li key={r} className="mono">{r}</li>)}</ul>, okText: t('知道了', 'OK') })
    reload()
  }
  return (
    <Alert
      type="warning" role="status" showIcon data-behind title={t(`数据集现行第 ${d.newest} 版，草稿改自第 ${d.base} 版`, `Version ${d.newest} is in force; the draft is based on ${d.base}`)}
      description={t('变基把草稿的改动移到现行版本上；之后须重新试跑。', 'Rebasing moves the changes onto the version in force; it must then be tried again.')}
      action={may ? <Button size="small" type="primary" loading={busy} onClick={() => void run()}>{t('变基', 'Rebase')}</Button> : undefined}
    />
  )
}

interface Line { rule: RuleSpec; set: boolean; at: number; change: RuleChange['change'] | 'same'; faults: string[] }

function Rules({ desk: { d, kinds, dataset, datasets }, reload }: { desk: Desk; reload: () => void }) {
  const t = useT()
  const { lang } = useLang()
  const may = useMay('steward', 'officer') && d.state === 'open'
  const { busy, act } = useAct()
  const [edited, edit] = useState<Edited>()
  const line = (set: boolean) => (rule: RuleSpec, at: number): Line => ({ rule, set, at, change: d.diff.find((c) => c.rule === rule.id)?.change ?? 'same', faults: faultsOf(d.faults, set, at).map((f) => half(f.message, lang === 'zh')) })
  const lines = [...d.rules.map(line(false)), ...d.set_rules.map(line(true))]

  // Saved whole, with the revision it was read at: nobody's change is written over.
  const save = async (rule: RuleSpec, { set, at }: Edited) => {
    const put = (list: RuleSpec[]) => (at < 0 ? [...list, rule] : list.map((r, i) => (i === at ? rule : r)))
    try {
      return await saveDraft(d.id, { rev: d.rev, ...(set ? { set_rules: put(d.set_rules) } : { rules: put(d.rules) }) })
    } finally {
      reload()
    }
  }
  const drop = async ({ set, at }: Line) => {
    const without = (list: RuleSpec[]) => list.filter((_, i) => i !== at)
    await act(() => saveDraft(d.id, { rev: d.rev, ...(set ? { set_rules: without(d.set_rules) } : { rules: without(d.rules) }) }), t('规则已从草稿删除', 'The rule is out of the draft'))
    reload()
  }
  const column = (name: string) => dataset.columns.find((c) => c.name === name)?.title ?? name
  const columns: ColumnsType<Line> = [
    {
      title: t('规则', 'Rule'), key: 'title',
      render: (_, l) => (
        <div className="wrap rule-name">
          {l.rule.title || l.rule.id}
          <div className="quiet small mono">{l.rule.id}</div>
          {l.faults.map((f, i) => <div key={i} className="broken small" data-fault>{f}</div>)}
        </div>
      ),
    },
    { title: t('强度', 'Force'), key: 'blocking', render: (_, l) => <Force blocking={l.rule.blocking} /> },
    { title: t('种类', 'Kind'), key: 'kind', render: (_, l) => <><KindName name={l.rule.kind} kinds={l.set ? kinds.sets : kinds.rows} />{l.set ? <div className="quiet small">{t('数据集规则', 'set rule')}</div> : null}</> },
    { title: t('数据项', 'Items'), key: 'columns', render: (_, l) => (l.rule.columns?.length ? <div className="wrap">{l.rule.columns.map(column).join('、')}</div> : '–') },
    { title: t('参数、条件、合格比例', 'Parameters, condition, share'), key: 'params', render: (_, l) => <Written rule={l.rule} /> },
    { title: t('指标', 'Indicator'), key: 'indicator', render: (_, l) => <><span className="mono">{l.rule.indicator}</span><div className="quiet small">{kinds.indicators.find((i) => i.code === l.rule.indicator)?.title}</div></> },
    { title: t('改动', 'Change'), key: 'change', render: (_, l) => (l.change === 'same' ? <span className="quiet">–</span> : <Change change={l.change} />) },
    ...(may ? [{
      title: t('操作', 'Do'), key: 'do',
      render: (_: unknown, l: Line) => (
        <div className="row unbroken" style={{ flexWrap: 'nowrap' }}>
          <Button size="small" disabled={busy} aria-label={t(`修改 ${l.rule.title ?? l.rule.id}`, `Change ${l.rule.id}`)} onClick={() => edit(l)}>{t('修改', 'Change')}</Button>
          <Button size="small" danger type="text" disabled={busy} aria-label={t(`删除 ${l.rule.title ?? l.rule.id}`, `Remove ${l.rule.id}`)} onClick={() => void drop(l)}>{t('删除', 'Remove')}</Button>
        </div>
      ),
    }] : []),
  ]
  return (
    <Card size="small" styles={{ body: { padding: 0 } }} title={summary(d, t)} extra={may ? <Button type="primary" size="small" icon={<PlusOutlined />} onClick={() => edit({ set: false, at: -1 })}>{t('新增规则', 'New rule')}</Button> : undefined}>
      <Table rowKey={(l) => `${l.set ? 's' : 'r'}${l.at}`} columns={columns} dataSource={lines} pagination={false} rowClassName={(l) => (l.faults.length ? 'row-fault' : '')} locale={{ emptyText: t('还没有规则', 'No rules yet') }} />
      {edited ? <RuleForm d={d} kinds={kinds} columns={dataset.columns} datasets={datasets.filter((x) => x.code !== d.dataset)} edited={edited} save={save} close={() => edit(undefined)} /> : null}
    </Card>
  )
}

const summary = (d: RuleDraft, t: T): string => {
  const strong = [...d.rules, ...d.set_rules].filter((r) => r.blocking).length
  const all = d.rules.length + d.set_rules.length
  return t(`行规则 ${count(d.rules.length)} 条，数据集规则 ${count(d.set_rules.length)} 条；强 ${count(strong)}，弱 ${count(all - strong)}`, `${count(d.rules.length)} row rules, ${count(d.set_rules.length)} set rules; ${count(strong)} strong, ${count(all - strong)} soft`)
}

function Diff({ list, base }: { list: RuleChange[]; base: number }) {
  const t = useT()
  if (!list.length) return <Card size="small"><Nothing what={t(`与第 ${base} 版相同`, `The same as version ${base}`)} todo={t('新增、修改或删除规则后，这里列出改动。', 'What is added, changed or dropped is listed here.')} /></Card>
  const columns: ColumnsType<RuleChange> = [
    { title: t('改动', 'Change'), key: 'change', width: 90, render: (_, c) => <Change change={c.change} /> },
    { title: t('规则', 'Rule'), key: 'title', render: (_, c) => <>{c.title || c.rule}<div className="quiet small mono">{c.rule}</div></> },
    { title: t('层次', 'Level'), key: 'set', render: (_, c) => (c.set ? t('数据集规则', 'set rule') : t('行规则', 'row rule')) },
    { title: t('改了什么', 'What'), key: 'fields', render: (_, c) => (c.fields.length ? <span className="mono">{c.fields.join('  ')}</span> : '–') },
  ]
  return <Card size="small" styles={{ body: { padding: 0 } }}><Table rowKey={(c) => `${c.set}${c.rule}`} columns={columns} dataSource={list} pagination={false} /></Card>
}
