import { Alert, Button, Card, Checkbox, Descriptions, Input, Modal, Tag } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { useState } from 'react'
import { getBatches, withdraw } from '../calls'
import { count, when } from '../format'
import { useT } from '../lang'
import { useLive } from '../live'
import { useAct } from '../parts/act'
import { Pages, useCursor } from '../parts/cursor'
import { Loaded, Nothing } from '../parts/page'
import { Table } from '../parts/table'
import { useSession, type Role } from '../session'
import type { Batch, Withdrawal } from '../shapes'

// seesBatches are the roles that the server lists batches to.
export const seesBatches: Role[] = ['steward', 'approver', 'auditor']

// Batches lists what came in, newest first, and lets the steward take a wrong one back.
export function Batches({ code }: { code: string }) {
  const t = useT()
  const { session } = useSession()
  const at = useCursor(code)
  const live = useLive(() => getBatches(code, at.cursor), `${code} ${at.cursor}`, 10_000)
  const [taking, take] = useState<Batch>()
  const columns: ColumnsType<Batch> = [
    { title: t('批次', 'Batch'), key: 'id', render: (_, b) => <span className="mono">{b.id}</span> },
    { title: t('完成时间', 'Done at'), key: 'at', render: (_, b) => when(b.at) },
    { title: t('版本', 'Version'), dataIndex: 'version', className: 'num' },
    { title: t('入库', 'Good'), key: 'good', className: 'num', render: (_, b) => count(b.good) },
    { title: t('问题数据', 'Rejects'), key: 'rejected', className: 'num', render: (_, b) => count(b.rejected) },
    { title: t('控制记录', 'Control'), key: 'control', className: 'num', render: (_, b) => count(b.control) },
    { title: t('状态', 'State'), key: 'state', render: (_, b) => (b.state === 'withdrawn' ? <><Tag>{t('已撤回', 'Withdrawn')}</Tag><div className="quiet small" style={{ maxWidth: 260, whiteSpace: 'normal' }}>{when(b.withdrawn_at)} {b.why}</div></> : <Tag color="success">{t('完成', 'Done')}</Tag>) },
    ...(session?.role === 'steward'
      ? [{ title: t('操作', 'Actions'), key: 'act', fixed: 'right' as const, render: (_: unknown, b: Batch) => (b.state === 'withdrawn' ? <span className="quiet">–</span> : <Button size="small" danger onClick={() => take(b)}>{t('撤回', 'Withdraw')}</Button>) }]
      : []),
  ]
  return (
    <Loaded live={live}>
      {(list) => (
        <Card size="small" styles={{ body: { padding: 0 } }}>
          <Table rowKey={(b) => `${b.topic_id}/${b.partition}/${b.first}`} columns={columns} dataSource={list.items} pagination={false} locale={{ emptyText: <Nothing what={t('还没有完成的批次', 'No batch yet')} /> }} />
          <Pages at={at} next={list.next} />
          {taking ? <Taking code={code} b={taking} close={() => { take(undefined); live.reload() }} /> : null}
        </Card>
      )}
    </Loaded>
  )
}

// Taking says what the withdrawal would do before it is done.
function Taking({ code, b, close }: { code: string; b: Batch; close: () => void }) {
  const t = useT()
  const { busy, act } = useAct()
  const [reason, setReason] = useState('')
  const [lose, setLose] = useState(false)
  const [did, setDid] = useState<Withdrawal>()
  const ask = { dataset: code, batch: b.id, restore: !lose }
  const would = useLive(() => withdraw({ ...ask, reason: 'dry run', dry_run: true }), String(lose))
  const send = () => act(async () => setDid(await withdraw({ ...ask, reason: reason.trim() })), t('已撤回', 'Withdrawn'))
  return (
    <Modal
      open
      title={t('撤回批次', 'Withdraw the batch')}
      okText={t('撤回', 'Withdraw')}
      cancelText={did ? t('关闭', 'Close') : t('取消', 'Cancel')}
      okButtonProps={{ danger: true, loading: busy, disabled: !reason.trim() || would.data === undefined, style: did ? { display: 'none' } : undefined }}
      onOk={() => void send()}
      onCancel={() => { if (!busy) close() }}
    >
      <div className="stack">
        <p style={{ margin: 0 }}><span className="mono">{b.id}</span></p>
        <p className="quiet" style={{ margin: 0 }}>{t('所见数据回到该批次未曾到来时的样子；历史中的行留作凭据，取用过的单位各得一份通知。撤销撤回的办法是重新报送。', 'What is seen becomes what it would be had the batch not come. The history keeps its rows, and whoever read it is told. Undo by sending it again.')}</p>
        <Loaded live={would}>{(w) => <Effect w={did ?? w} done={did !== undefined} />}</Loaded>
        {would.problem?.status === 409 || lose ? <Checkbox checked={lose} onChange={(e) => setLose(e.target.checked)}>{t('不恢复旧值：主键随批次消失', 'Do not bring earlier values back: keys go with the batch')}</Checkbox> : null}
        {did ? <Alert type="success" showIcon title={t(`已撤回，已通知 ${count(did.notices)} 个授权`, `Withdrawn; ${count(did.notices)} grants are told`)} /> : (
          <label>
            {t('理由（必填，写入通知）', 'Reason (required, told to the holders)')}
            <Input.TextArea rows={3} maxLength={1000} value={reason} onChange={(e) => setReason(e.target.value)} />
          </label>
        )}
      </div>
    </Modal>
  )
}

function Effect({ w, done }: { w: Withdrawal; done: boolean }) {
  const t = useT()
  return (
    <Descriptions
      size="small"
      column={2}
      items={[
        { key: 'rows', label: t('该批次的行', 'Rows of the batch'), children: count(w.rows) },
        { key: 'keys', label: t('受影响的主键', 'Keys affected'), children: count(w.keys) },
        { key: 'restored', label: done ? t('恢复了旧值', 'Restored') : t('将恢复旧值', 'Would be restored'), children: count(w.restored) },
        { key: 'gone', label: done ? t('随之消失', 'Gone') : t('将随之消失', 'Would be gone'), children: count(w.gone) },
      ]}
    />
  )
}
