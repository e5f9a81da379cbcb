import { Alert, Button, Input, Modal, Progress } from 'antd'
import { useRef, useState } from 'react'
import { replay } from '../calls'
import { count } from '../format'
import { useT } from '../lang'
import { useAct } from '../parts/act'
import type { Reject, ReplayAsk, ReplayItem, ReplayReport } from '../shapes'

// Selected is what is replayed of one dataset: rejects that were picked, or all open
// ones that a filter matches.
export interface Selected { dataset: string; items?: ReplayItem[]; filter?: NonNullable<ReplayAsk['filter']>; total: number }

export const itemOf = (r: Reject): ReplayItem => ({ topic_id: r.topic_id, partition: r.partition, offset: r.offset, row: r.row })

// byDataset sorts picked rejects by dataset, as the API takes them.
export function byDataset(rejects: Reject[]): Selected[] {
  const sets = new Map<string, ReplayItem[]>()
  for (const r of rejects) sets.set(r.dataset, [...(sets.get(r.dataset) ?? []), itemOf(r)])
  return [...sets].map(([dataset, items]) => ({ dataset, items, total: items.length }))
}

const none: ReplayReport = { replayed: 0, fit: 0, faulty: 0, declined: 0, items: [], next: '' }
const shown = 20

// Replay brings many rejects in, page by page; what is done stays done if it is
// stopped half way.
export function Replay({ what, close }: { what: Selected[]; close: () => void }) {
  const t = useT()
  const { busy, act } = useAct()
  const [why, setWhy] = useState('')
  const [report, setReport] = useState<ReplayReport>()
  const [dry, setDry] = useState(false)
  const stopped = useRef(false)
  const total = what.reduce((n, s) => n + s.total, 0)
  const run = async (dryRun: boolean) => {
    stopped.current = false
    setDry(dryRun)
    setReport(none)
    let sum = none
    await act(async () => {
      for (const s of what) {
        for (let cursor = ''; !stopped.current; ) {
          const page = await replay({ dataset: s.dataset, why: why.trim() || 'dry run', dry_run: dryRun, ...(s.items ? { items: s.items } : { filter: s.filter ?? {}, cursor, limit: 200 }) })
          sum = { ...sum, replayed: sum.replayed + page.replayed, fit: sum.fit + page.fit, faulty: sum.faulty + page.faulty, declined: sum.declined + page.declined, items: [...sum.items, ...page.items.filter((i) => i.reason)].slice(0, shown) }
          setReport(sum)
          cursor = page.next
          if (!cursor) break
        }
      }
    }, dryRun ? t('试算完成', 'Tried out') : t('重放完成', 'Replayed'))
  }
  const through = report ? report.replayed + report.fit + report.faulty + report.declined : 0
  return (
    <Modal
      open
      title={t(`重放 ${count(total)} 条问题数据`, `Replay ${count(total)} rejects`)}
      okText={t('重放入库', 'Replay')}
      cancelText={busy ? t('停止', 'Stop') : t('关闭', 'Close')}
      okButtonProps={{ disabled: !why.trim(), loading: busy }}
      onOk={() => void run(false)}
      onCancel={() => { stopped.current = true; if (!busy) close() }}
      footer={(_, { OkBtn, CancelBtn }) => (
        <div className="row" style={{ justifyContent: 'flex-end' }}>
          <CancelBtn />
          <Button disabled={busy} onClick={() => void run(true)}>{t('试算', 'Try out')}</Button>
          <OkBtn />
        </div>
      )}
    >
      <div className="stack">
        <p className="quiet" style={{ margin: 0 }}>{t('有草稿的取草稿，否则取原文，按数据集最新版本解析与判定：适用于规则或数据集版本修订之后。合格的以原位置入库并销号，不合格的保持不变。', 'Drafts are taken where there are any, else the originals, and judged by the newest version: for after rules or versions were mended. What is fit enters at its old position; the rest stays.')}</p>
        <label>
          {t('处理说明（重放时必填）', 'Why (required to replay)')}
          <Input maxLength={1000} value={why} onChange={(e) => setWhy(e.target.value)} />
        </label>
        {report ? (
          <>
            <Progress percent={total ? Math.min(100, Math.floor((through / total) * 100)) : 100} aria-label={t('进度', 'Progress')} />
            <div data-report>{dry ? t(`可入库 ${count(report.fit)}`, `${count(report.fit)} fit`) : t(`已入库 ${count(report.replayed)}`, `${count(report.replayed)} replayed`)}{t(`，仍不合格 ${count(report.faulty)}，未处理 ${count(report.declined)}`, `, ${count(report.faulty)} still at fault, ${count(report.declined)} not tried`)}</div>
            {report.items.length ? (
              <Alert type="warning" title={t(`前 ${report.items.length} 条的原因`, `Reasons of the first ${report.items.length}`)} description={<ul tabIndex={0} style={{ margin: 0, paddingInlineStart: 18, maxHeight: 220, overflow: 'auto' }}>{report.items.map((i) => <li key={`${i.row.topic_id}/${i.row.partition}/${i.row.offset}/${i.row.row}`}><span className="mono">{`${i.row.partition}/${i.row.offset}`}</span> {i.reason}</li>)}</ul>} />
            ) : null}
          </>
        ) : null}
      </div>
    </Modal>
  )
}
