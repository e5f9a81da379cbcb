import { Alert, Button, Drawer, Form, Input, InputNumber, Segmented, Select } from 'antd'
import { useEffect, useMemo, useRef, useState, type ReactNode } from 'react'
import { previewDraft } from '../calls-rules'
import { useLang, useT, type T } from '../lang'
import { useAct } from '../parts/act'
import { Notice } from '../parts/page'
import { ExpressionHelp } from '../parts/expression-help'
import { faultsOf, fieldOf, fits, freeID, half, places, plainTitle, tidy } from '../parts/rule'
import { named, Param } from '../parts/rule-param'
import { Faults } from '../parts/rule-words'
import type { RuleDraft, RuleFault, RuleKind, RuleKinds, RulePreview, RuleSpec } from '../calls-rules'
import type { Column, DatasetRow } from '../shapes'
import { asProblem, type Problem } from '../problem'
import { Shown } from './draft-preview'

export interface Edited { set: boolean; at: number } // at -1: a new rule

interface Props {
  d: RuleDraft
  kinds: RuleKinds
  columns: Column[]
  datasets: DatasetRow[]
  edited: Edited
  save: (rule: RuleSpec, where: Edited) => Promise<RuleDraft>
  close: () => void
}

const blank: RuleSpec = { id: '', title: '', kind: '', columns: [], params: {}, when: '', mostly: 0, blocking: false, indicator: '' }

// RuleForm writes one rule. It can be tried on real rows before it is saved; what is
// wrong with it stands at its field.
export function RuleForm({ d, kinds, columns, datasets, edited, save, close }: Props) {
  const t = useT()
  const { busy, act } = useAct()
  const [where, setWhere] = useState(edited)
  const list = where.set ? d.set_rules : d.rules
  const [rule, setRule] = useState<RuleSpec>(() => list[edited.at] ?? blank)
  const [faults, setFaults] = useState<RuleFault[]>(() => (edited.at < 0 ? [] : faultsOf(d.faults, edited.set, edited.at)))
  const [tried, setTried] = useState<RulePreview>()
  const [trying, setTrying] = useState(false)
  const [problem, setProblem] = useState<Problem>()
  const shown = useRef<HTMLDivElement>(null)
  useEffect(() => {
    shown.current?.scrollIntoView({ block: 'start' }) // a promise in new browsers: no clean-up
  }, [tried])
  const fresh = edited.at < 0
  const known = where.set ? kinds.sets.filter((k) => k.name !== 'sql' || rule.kind === 'sql') : kinds.rows
  const kind = known.find((k) => k.name === rule.kind)
  const put = (part: Partial<RuleSpec>) => setRule((old) => ({ ...old, ...part }))

  // A new rule is named after what it says until somebody names it.
  const taken = useMemo(() => [...d.rules, ...d.set_rules].map((r) => r.id), [d])
  const guess = (k: RuleKind | undefined, cs: string[]) => (k ? { id: freeID(k.name, cs.filter(Boolean), taken), title: plainTitle(k, cs, columns) } : { id: '', title: '' })
  const name = (next: Partial<RuleSpec>): Partial<RuleSpec> => {
    if (!fresh) return next
    const old = guess(kind, rule.columns ?? [])
    const now = guess(next.kind === undefined ? kind : known.find((k) => k.name === next.kind), next.columns ?? rule.columns ?? [])
    return { ...next, ...(rule.id === old.id ? { id: now.id } : {}), ...(rule.title === old.title ? { title: now.title } : {}) }
  }
  const choose = (v: string) => {
    const k = known.find((x) => x.name === v)
    const kept = (rule.columns ?? []).filter((c, i) => { const col = columns.find((x) => x.name === c); return k && col && fits(k, i, col) })
    put(name({ kind: v, columns: k && k.most > 0 ? kept.slice(0, k.most) : k && k.most < 0 ? [] : kept, params: {}, indicator: k?.indicator ?? '' }))
    setFaults([])
    setTried(undefined)
  }
  const store = async () => {
    const said = fresh ? t('规则已加入草稿', 'The rule is in the draft') : t('规则已保存', 'The rule is saved')
    let after: RuleDraft | undefined
    if (!(await act(async () => { after = await save(tidy(rule), where) }, said)) || !after) return
    const at = where.at < 0 ? (where.set ? after.set_rules : after.rules).length - 1 : where.at
    const found = faultsOf(after.faults, where.set, at)
    if (!found.length) return close()
    setWhere({ ...where, at })
    setFaults(found)
  }
  const look = async () => {
    setTrying(true)
    try {
      const p = await previewDraft(d.id, { rule: tidy(rule), rows: 10_000 })
      setProblem(undefined)
      setFaults(p.faults)
      setTried(p.faults.length ? undefined : p)
    } catch (err) {
      setProblem(asProblem(err))
    } finally {
      setTrying(false)
    }
  }

  const at = (field: string) => fault(faults, field)
  return (
    <Drawer
      open size={720} onClose={close} title={fresh ? t('新增规则', 'A new rule') : t('修改规则', 'Change the rule')}
      extra={
        <div className="row">
          {where.set ? null : <Button disabled={!kind || busy} loading={trying} onClick={() => void look()}>{t('试看', 'Try it')}</Button>}
          <Button type="primary" loading={busy} disabled={!kind} onClick={() => void store()}>{t('保存到草稿', 'Save')}</Button>
        </div>
      }
    >
      <Form layout="vertical" className="rule-form" data-rule-form>
        {fresh && where.at < 0 ? (
          <Form.Item label={t('判断什么', 'What it judges')}>
            <Segmented
              value={where.set ? 'set' : 'row'} onChange={(v) => { setWhere({ set: v === 'set', at: -1 }); setRule(blank); setFaults([]); setTried(undefined) }}
              options={[{ value: 'row', label: t('逐行（行规则）', 'Each row') }, { value: 'set', label: t('整个数据集（数据集规则）', 'The whole dataset') }]}
            />
          </Form.Item>
        ) : null}
        <Faults list={faults.filter((f) => !fieldOf(f) || (f.field.startsWith('params.') && !kind?.params.some((p) => f.field === `params.${p.name}`)))} />
        <Field id="kind" label={t('规则种类', 'Kind')} required fault={at('kind')} about={kind ? <>{t('要求：', 'Wants: ')}{kind.says}</> : t('按中文名称、英文名称或要求搜索', 'Search by title, name or what it wants')}>
          <Select id="kind" showSearch filterOption={matches} value={rule.kind || undefined} onChange={choose} options={offered(known)} listHeight={360} optionRender={(o) => <KindOption k={known.find((k) => k.name === o.value)} />} placeholder={t('选择规则种类', 'Choose a kind')} />
        </Field>
        {kind ? (
          <>
            <Columns k={kind} columns={columns} value={rule.columns ?? []} set={(v) => put(name({ columns: v }))} fault={at('columns')} />
            {kind.params.map((p) => (
              <Field key={p.name} id={`param-${p.name}`} label={<>{p.title}<span className="quiet small mono param-name">{p.name}</span></>} required={p.required} fault={at(`params.${p.name}`)}>
                <Param id={`param-${p.name}`} p={p} kind={kind} value={rule.params?.[p.name] ?? ''} set={(v) => put({ params: { ...rule.params, [p.name]: v } })} columns={columns} other={rule.params?.dataset ?? ''} kinds={kinds} datasets={datasets} />
              </Field>
            ))}
            <Field id="when" label={t('条件（不填为所有行）', 'Condition (empty: all rows)')} fault={at('when')} about={t('只判断使条件为真的行。', 'Only rows that meet it are judged.')}>
              <Input.TextArea id="when" className="mono" rows={2} value={rule.when ?? ''} placeholder="status == '1'" onChange={(e) => put({ when: e.target.value })} />
              <ExpressionHelp columns={columns} put={(s) => put({ when: rule.when ? `${rule.when.trimEnd()} ${s}` : s })} />
            </Field>
            <div className="rule-grid">
              <Field id="force" label={t('强度', 'Force')} fault={at('blocking')} about={force(where.set, rule.blocking ?? false, t)}>
                <Segmented value={rule.blocking ? 'strong' : 'soft'} onChange={(v) => put({ blocking: v === 'strong' })} options={[{ value: 'soft', label: t('弱', 'Soft') }, { value: 'strong', label: t('强', 'Strong') }]} />
              </Field>
              <Field id="mostly" label={t('合格比例（不填为全部）', 'Share that must hold (empty: all)')} fault={at('mostly')} about={t('只改变结论，不改变计数。', 'Changes the verdict, never the counts.')}>
                <InputNumber id="mostly" min={0.01} max={100} step={1} value={rule.mostly ? Number((rule.mostly * 100).toFixed(6)) : null} onChange={(v) => put({ mostly: v ? Number((v / 100).toFixed(8)) : 0 })} suffix="%" />
              </Field>
            </div>
            <Field id="indicator" label={t('计入指标（DB31/T 1523）', 'Counts for (DB31/T 1523)')} fault={at('indicator')}>
              <Select id="indicator" showSearch optionFilterProp="label" value={rule.indicator || undefined} onChange={(v: string) => put({ indicator: v })} options={kinds.indicators.map((i) => ({ value: i.code, label: `${i.code} ${i.title}` }))} />
            </Field>
            <div className="rule-grid">
              <Field id="title" label={t('名称', 'Title')} fault={at('title')}>
                <Input id="title" maxLength={200} value={rule.title ?? ''} onChange={(e) => put({ title: e.target.value })} />
              </Field>
              <Field id="id" label={t('编号', 'Id')} fault={at('id')}>
                <Input id="id" className="mono" maxLength={100} value={rule.id} disabled={!fresh} onChange={(e) => put({ id: e.target.value })} />
              </Field>
            </div>
          </>
        ) : null}
      </Form>
      {problem ? <Notice problem={problem} /> : null}
      <div ref={shown}>{tried ? <Shown p={tried} rules={[tidy(rule)]} /> : null}</div>
    </Drawer>
  )
}

function fault(faults: RuleFault[], field: string): string {
  return faults.filter((f) => fieldOf(f) === field).map((f) => f.message).join('；')
}

const force = (set: boolean, strong: boolean, t: T): string => {
  if (set) return strong ? t('不合格时结论为“不通过”', 'The verdict is "failed"') : t('不合格时结论为“告警”', 'The verdict is "warned"')
  return strong ? t('不合格的行进入问题数据，不入库', 'A row that breaks it is rejected') : t('只标记并计分', 'Flagged and scored')
}

function Field({ id, label, required, fault: wrong, about, children }: { id: string; label: ReactNode; required?: boolean; fault: string; about?: ReactNode; children: ReactNode }) {
  const { lang } = useLang()
  return (
    <Form.Item label={label} htmlFor={id} required={required ?? false} {...(wrong ? { validateStatus: 'error' as const, help: half(wrong, lang === 'zh') } : {})} extra={about}>
      {children}
    </Form.Item>
  )
}

// Kinds stand in the order of their themes; a list in groups has no sound roles.
interface Option { value: string; label: string; find: string }
const offered = (list: RuleKind[]) => list.map((k): Option => ({ value: k.name, label: k.title, find: `${k.title} ${k.name} ${k.says}`.toLowerCase() }))
const matches = (typed: string, o?: unknown): boolean => (o as Partial<Option> | undefined)?.find?.includes(typed.trim().toLowerCase()) ?? false

function KindOption({ k }: { k: RuleKind | undefined }) {
  const { lang } = useLang()
  if (!k) return null
  return (
    <div className="kind-option">
      <span className="quiet small">{half(k.theme, lang === 'zh')}</span>
      <b>{k.title}</b> <span className="quiet small mono">{k.name}</span>
      <div className="quiet small">{k.says}</div>
    </div>
  )
}

// Columns asks for the columns of a rule one by one, or for a list where any number may be.
function Columns({ k, columns, value, set, fault: wrong }: { k: RuleKind; columns: Column[]; value: string[]; set: (v: string[]) => void; fault: string }) {
  const t = useT()
  const n = places(k)
  if (n < 0) return null
  const options = (place: number) => named(columns.filter((c) => fits(k, place, c)))
  const word = t('数据项', 'Item')
  if (n === 0 || n > 3) {
    return (
      <Field id="columns" label={word} required={k.least > 0} fault={wrong} about={k.least > 1 ? t(`至少 ${k.least} 项，按次序`, `at least ${k.least}, in order`) : undefined}>
        <Select id="columns" mode="multiple" optionFilterProp="label" value={value} onChange={set} options={options(0)} />
      </Field>
    )
  }
  return (
    <div className="rule-grid">
      {[...Array(n)].map((_, i) => (
        <Field key={i} id={`column-${i}`} label={k.roles[i] ?? (n > 1 ? `${word} ${i + 1}` : word)} required={i < k.least} fault={i === 0 ? wrong : ''}>
          <Select id={`column-${i}`} showSearch allowClear optionFilterProp="label" value={value[i] || undefined} onChange={(v?: string) => { const next = [...Array(n)].map((__, j) => (j === i ? (v ?? '') : (value[j] ?? ''))); set(next) }} options={options(i)} notFoundContent={<Alert type="info" role="status" title={t('没有类型合适的数据项', 'No item has a fitting type')} />} />
        </Field>
      ))}
    </div>
  )
}
