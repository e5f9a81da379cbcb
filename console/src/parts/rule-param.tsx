import { AutoComplete, Input, Select } from 'antd'
import type { ReactNode } from 'react'
import { getDataset } from '../calls'
import { useT } from '../lang'
import { useLive } from '../live'
import type { RuleKind, RuleKinds, RuleParam } from '../calls-rules'
import type { Column, DatasetRow } from '../shapes'
import { ExpressionHelp } from './expression-help'
import { elsewhere, listOf, textOf } from './rule'
import { tableName } from './words'

interface Given {
  id: string
  p: RuleParam
  kind: RuleKind
  value: string
  set: (v: string) => void
  columns: Column[]
  other: string // code of the other dataset, '' if none
  kinds: RuleKinds
  datasets: DatasetRow[]
}

export const named = (list: Column[]) => list.map((c) => ({ value: c.name, label: `${c.title} ${c.name}` }))
const search = { optionFilterProp: 'label' }

// Param is a field for one parameter, by its type. Its value is always text.
export function Param(g: Given) {
  const field = fields[g.p.type]
  return field ? field(g) : <Text {...g} />
}

const fields: Record<string, (g: Given) => ReactNode> = {
  bool: (g) => <Choice {...g} names={{ true: ['是', 'yes'], false: ['否', 'no'] }} />,
  choice: (g) => <Choice {...g} names={Object.fromEntries(g.p.choices.map((c) => [c, [c, c]]))} />,
  list: (g) => <List {...g} />,
  column: (g) => <Names {...g} />,
  columns: (g) => <Names {...g} many />,
  table: (g) => <Tables {...g} />,
  dataset: (g) => (
    <Select id={g.id} {...search} showSearch allowClear value={g.value || undefined} onChange={(v?: string) => g.set(v ?? '')} options={g.datasets.map((d) => ({ value: d.code, label: `${d.title} ${d.code}` }))} />
  ),
  day: (g) => <Day {...g} />,
  span: (g) => <AutoComplete id={g.id} allowClear value={g.value} onChange={(v?: string) => g.set(v ?? '')} options={['1天', '7天', '31天', '12小时'].map((value) => ({ value }))} placeholder="3天" />,
  patterns: (g) => <Long {...g} />,
  expression: (g) => (
    <>
      <Long {...g} />
      <ExpressionHelp columns={g.columns} put={(s) => g.set(g.value ? `${g.value.trimEnd()} ${s}` : s)} />
    </>
  ),
}

function useHint(p: RuleParam): string {
  const t = useT()
  return p.default ? t(`不填为 ${p.default}`, `${p.default} if left empty`) : ''
}

function Text({ id, p, value, set }: Given) {
  const hint = useHint(p)
  return <Input id={id} className={p.type === 'pattern' ? 'mono' : undefined} inputMode={p.type === 'int' || p.type === 'number' ? 'decimal' : undefined} value={value} placeholder={hint} onChange={(e) => set(e.target.value)} />
}

function Long({ id, p, value, set }: Given) {
  const hint = useHint(p)
  return <Input.TextArea id={id} className="mono" rows={2} value={value} placeholder={hint} onChange={(e) => set(e.target.value)} />
}

function Choice({ id, p, value, set, names }: Given & { names: Record<string, [string, string]> }) {
  const t = useT()
  const word = (v: string) => { const w = names[v]; return w ? t(w[0], w[1]) : v }
  return <Select id={id} allowClear value={value || undefined} placeholder={p.default ? t(`不选为 ${word(p.default)}`, `${word(p.default)} if none`) : undefined} onChange={(v?: string) => set(v ?? '')} options={Object.keys(names).map((v) => ({ value: v, label: word(v) }))} />
}

function List({ id, p, value, set }: Given) {
  const t = useT()
  const hint = useHint(p)
  const closed = p.choices.length > 0
  return <Select id={id} mode={closed ? 'multiple' : 'tags'} tokenSeparators={[',', '，', '\n']} value={listOf(value)} onChange={(v: string[]) => set(textOf(v))} options={p.choices.map((v) => ({ value: v, label: v }))} placeholder={hint || (closed ? '' : t('逐个输入后回车，可粘贴逗号分隔的列表', 'Type each and press Enter, or paste a list'))} open={closed ? undefined : false} suffixIcon={closed ? undefined : null} />
}

function Day({ id, p, value, set }: Given) {
  const t = useT()
  const hint = useHint(p)
  const known: [string, string, string][] = [['today', '当天', 'today'], ['today-30', '30 天前', '30 days ago'], ['today-365', '一年前', 'a year ago'], ['1900-01-01', '1900 年', '1900']]
  return <AutoComplete id={id} allowClear value={value} placeholder={hint || t('如 2026-01-02、today、today-30', 'like 2026-01-02, today, today-30')} onChange={(v?: string) => set(v ?? '')} options={known.map(([v, zh, en]) => ({ value: v, label: `${v} · ${t(zh, en)}` }))} />
}

function Tables({ id, value, set, kinds }: Given) {
  const t = useT()
  return <Select id={id} {...search} showSearch allowClear value={value || undefined} onChange={(v?: string) => set(v ?? '')} options={kinds.tables.map((v) => ({ value: v, label: tableName(v, t) === v ? v : `${tableName(v, t)} ${v}` }))} />
}

// Names offers the columns of this dataset, or of the other one that the rule looks at.
function Names(g: Given & { many?: boolean }) {
  const there = elsewhere(g.kind, g.p)
  return there ? <Theirs {...g} /> : <Pick {...g} list={g.columns} />
}

function Theirs(g: Given & { many?: boolean }) {
  const live = useLive(() => (g.other ? getDataset(g.other) : Promise.resolve(undefined)), `columns of ${g.other}`)
  return <Pick {...g} list={live.data?.columns ?? []} />
}

function Pick({ id, p, value, set, list, many }: Given & { many?: boolean; list: Column[] }) {
  const hint = useHint(p)
  const options = named(list)
  return many
    ? <Select id={id} {...search} mode="multiple" value={listOf(value)} placeholder={hint} onChange={(v: string[]) => set(textOf(v))} options={options} />
    : <Select id={id} {...search} showSearch allowClear value={value || undefined} placeholder={hint} onChange={(v?: string) => set(v ?? '')} options={options} />
}
