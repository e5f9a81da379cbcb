import { Alert, Tag, Tooltip } from 'antd'
import { percent } from '../format'
import { useLang, useT } from '../lang'
import type { RuleChange, RuleDraftRow, RuleFault, RuleKind, RuleSpec } from '../calls-rules'
import { half } from './rule'

export function Force({ blocking }: { blocking: boolean | undefined }) {
  const t = useT()
  return blocking ? <Tag color="error">{t('强', 'Strong')}</Tag> : <Tag>{t('弱', 'Soft')}</Tag>
}

const changes = {
  added: ['success', '新增', 'Added'],
  changed: ['processing', '修改', 'Changed'],
  dropped: ['error', '删除', 'Dropped'],
  same: ['default', '未改', 'Same'],
} as const

export function Change({ change }: { change: RuleChange['change'] | 'same' }) {
  const t = useT()
  const [tone, zh, en] = changes[change]
  return <Tag color={tone}>{t(zh, en)}</Tag>
}

const states = {
  open: ['processing', '编写中', 'Open'],
  activating: ['warning', '启用中', 'Being activated'],
  active: ['success', '已启用', 'In force'],
} as const

export function DraftState({ d }: { d: Pick<RuleDraftRow, 'state' | 'version'> }) {
  const t = useT()
  const [tone, zh, en] = states[d.state]
  return <Tag color={tone}>{t(zh, en)}{d.state === 'active' ? t(`：第 ${d.version} 版`, `: version ${d.version}`) : ''}</Tag>
}

// KindName is a kind in words, its name beside it.
export function KindName({ name, kinds }: { name: string; kinds: RuleKind[] }) {
  const k = kinds.find((x) => x.name === name)
  return <Tooltip title={k?.says}><span>{k?.title ?? name} <span className="quiet small mono">{k ? name : ''}</span></span></Tooltip>
}

// Written is what a rule says beside its kind: parameters, condition, share.
export function Written({ rule }: { rule: RuleSpec }) {
  const t = useT()
  const params = Object.entries(rule.params ?? {})
  const when = rule.when ?? ''
  const mostly = rule.mostly ?? 0
  if (!params.length && !when && !mostly) return <span className="quiet">–</span>
  return (
    <div className="rule-written">
      {params.map(([k, v]) => <div key={k}><span className="quiet small">{k}</span> <span className="mono">{v}</span></div>)}
      {when ? <div><span className="quiet small">{t('当', 'when')}</span> <span className="mono">{when}</span></div> : null}
      {mostly ? <div><span className="quiet small">{t('合格比例 ≥', 'at least')}</span> {percent(mostly, 1)}</div> : null}
    </div>
  )
}

// Faults says everything that is wrong, each with its mend.
export function Faults({ list, title }: { list: RuleFault[]; title?: string }) {
  const { lang } = useLang()
  if (!list.length) return null
  const lines = list.map((f, i) => <li key={i}>{half(f.message, lang === 'zh')}{f.field ? <span className="quiet small mono"> {f.field}</span> : null}</li>)
  return <Alert type="error" showIcon title={title ?? half(list[0]?.message ?? '', lang === 'zh')} description={title || list.length > 1 ? <ul className="plain">{lines}</ul> : undefined} />
}
