import { Alert, Button, Descriptions, Input, Switch, Tag } from 'antd'
import { useState } from 'react'
import { replay } from '../calls'
import { bytes, original, when } from '../format'
import { compact, encode, looksJSON, pretty } from '../json'
import { useT } from '../lang'
import { useAct } from '../parts/act'
import { RejectState } from '../parts/tags'
import type { Reject, ReplayReport } from '../shapes'
import { itemOf } from './replay'

// Record shows one reject as it came, what was done about it and, to whoever may
// mend it, an editor.
export function Record({ r, mends, done }: { r: Reject; mends: boolean; done: () => void }) {
  const t = useT()
  const value = original(r.value)
  const key = r.key ? original(r.key) : undefined
  return (
    <div className="stack">
      <Descriptions
        column={1}
        size="small"
        items={[
          { key: 'state', label: t('状态', 'State'), children: <RejectState state={r.state} /> },
          { key: 'reason', label: t('原因与整改', 'Reason and mend'), children: r.reason },
          { key: 'rule', label: t('规则', 'Rule'), children: r.rule ? <span className="mono">{r.rule}</span> : '–' },
          { key: 'field', label: t('字段', 'Field'), children: r.field || t('整条', 'whole record') },
          { key: 'at', label: t('源位置', 'Position'), children: <span className="mono">{`${r.topic} / ${r.partition} / ${r.offset}`}{r.row ? t(` · 第 ${r.row + 1} 行`, ` · row ${r.row}`) : ''}</span> },
          { key: 'key', label: t('键', 'Key'), children: key ? <span className="mono">{key.text}</span> : '–' },
          { key: 'time', label: t('记录时间', 'Time of record'), children: when(r.time) },
          { key: 'stored', label: t('入册时间', 'Kept at'), children: when(r.at) },
        ]}
      />
      {r.mend ? <Past r={r} /> : null}
      {r.masked ? (
        <Alert type="info" showIcon title={t('当前角色不能查看原值；请由数据治理员或数据来源单位处理。', 'Your role may not see the original; ask the steward.')} />
      ) : (
        <>
          <div className="row">
            <b>{t('原始字节', 'Original bytes')}</b>
            <span className="quiet small">{bytes(value.size)}{value.binary ? t(' · 非 UTF-8，按十六进制显示', ' · not UTF-8, shown in hex') : ''}</span>
          </div>
          <pre className="bytes mono" tabIndex={0}>{value.text}</pre>
          {value.binary && r.readable !== undefined ? <pre className="bytes mono" tabIndex={0}>{r.readable}</pre> : null}
        </>
      )}
      {mends && !r.masked && (r.state === 'open' || r.state === 'draft') ? <Editor r={r} done={done} /> : null}
    </div>
  )
}

// Past says what was last done.
function Past({ r }: { r: Reject }) {
  const t = useT()
  const m = r.mend
  if (!m) return null
  const edit = m.value ? original(m.value) : undefined
  return (
    <>
      <Alert
        type={m.closed ? 'success' : 'warning'}
        showIcon
        title={m.closed ? t(`已由 ${m.actor} 于 ${when(m.at)} 重放入库`, `Replayed by ${m.actor} at ${when(m.at)}`) : t(`${m.actor} 于 ${when(m.at)} 试过，仍不合格`, `Tried by ${m.actor} at ${when(m.at)}, still at fault`)}
        description={<>{m.closed ? null : <div>{m.field ? <b>{m.field} </b> : null}{m.reason}</div>}<div className="quiet">{t('说明：', 'Why: ') + m.why}</div></>}
      />
      {m.closed && edit ? (
        <>
          <b>{t('更正后的内容', 'As mended')}</b>
          <pre className="bytes mono" tabIndex={0}>{edit.text}</pre>
        </>
      ) : null}
    </>
  )
}

function Editor({ r, done }: { r: Reject; done: () => void }) {
  const t = useT()
  const { busy, act } = useAct()
  const kept = original(r.mend?.edited && r.mend.value ? r.mend.value : r.value)
  const start = kept.binary && r.readable !== undefined ? { ...kept, text: r.readable, binary: false } : kept
  const [text, setText] = useState(start.binary ? '' : start.text)
  const [laid, lay] = useState(false)
  const [why, setWhy] = useState('')
  const [report, setReport] = useState<ReplayReport>()
  if (start.binary) {
    return <Alert type="info" showIcon title={t('原文不是 UTF-8 文字，不能在此编辑', 'The original is not UTF-8 text and cannot be edited here')} description={<span className="mono">{`mulu ingest replay --dataset ${r.dataset} --partition ${r.partition} --offset ${r.offset} --value FILE --why …`}</span>} />
  }
  const send = async (dry: boolean) => {
    let answer: ReplayReport | undefined
    const ask = { dataset: r.dataset, why: why.trim() || 'dry run', dry_run: dry, items: [{ ...itemOf(r), value: encode(laid ? compact(text) : text) }] }
    const good = await act(async () => { answer = await replay(ask) }, dry ? t('试算完成', 'Tried out') : t('已提交', 'Done'))
    setReport(answer)
    if (good && answer?.replayed) done()
  }
  const fault = report?.items.find((i) => i.outcome === 'faulty' || i.outcome === 'declined')
  const named = fault?.field || (report ? '' : r.mend && !r.mend.closed ? r.mend.field : r.field)
  return (
    <div className="stack" data-editor>
      <div className="row">
        <b>{t('更正', 'Mend')}</b>
        {named ? <Tag color="error">{t('出错的数据项 ', 'At fault ') + named}</Tag> : null}
        <span className="shell-grow" />
        {looksJSON(text) ? (
          <label className="row small">
            <Switch size="small" checked={laid} onChange={(on) => { lay(on); setText(on ? pretty(text) : compact(text)) }} />
            {t('分行显示', 'One member a line')}
          </label>
        ) : null}
      </div>
      <Input.TextArea aria-label={t('更正后的内容', 'Mended record')} className="mono" rows={16} spellCheck={false} value={text} onChange={(e) => { setText(e.target.value); setReport(undefined) }} />
      {report?.fit ? <Alert type="success" showIcon title={t('可以入库：能解析，强规则全部通过', 'Fit: it decodes and breaks no blocking rule')} /> : null}
      {fault ? <Alert type="error" showIcon title={fault.outcome === 'declined' ? t('未处理', 'Not tried') : t('仍不合格，已留作草稿（试算不留）', 'Still at fault; kept as a draft unless it was a dry run')} description={<>{fault.field ? <b>{fault.field} </b> : null}{fault.reason}</>} /> : null}
      <label>
        {t('处理说明（重放时必填）', 'Why (required to replay)')}
        <Input maxLength={1000} value={why} onChange={(e) => setWhy(e.target.value)} />
      </label>
      <div className="row">
        <Button loading={busy} onClick={() => void send(true)}>{t('试算', 'Try out')}</Button>
        <Button type="primary" loading={busy} disabled={!why.trim()} onClick={() => void send(false)}>{t('重放入库', 'Replay')}</Button>
        <Button type="link" disabled={text === start.text} onClick={() => { lay(false); setText(start.text); setReport(undefined) }}>{t('恢复', 'Reset')}</Button>
      </div>
    </div>
  )
}
