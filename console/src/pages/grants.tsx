import { Button, Card, Input, Modal, Table } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { useState } from 'react'
import { Link } from 'react-router'
import { getGrants, revoke } from '../calls'
import { count, day } from '../format'
import { useT } from '../lang'
import { useLive } from '../live'
import { useAct } from '../parts/act'
import { Loaded, Nothing, Page } from '../parts/page'
import { Anchored, StateTag } from '../parts/tags'
import type { Grant } from '../shapes'
import { Picks } from './requests'

export function Grants() {
  const t = useT()
  const live = useLive(getGrants, 'grants', 8000)
  const [closing, setClosing] = useState<Grant>()
  const columns: ColumnsType<Grant> = [
    { title: t('共享授权', 'Grant'), key: 'id', render: (_, g) => <><b>{g.scenario_title}</b><div className="quiet small mono">{g.id}</div></> },
    { title: t('接收单位', 'Receiver'), dataIndex: 'receiver_name' },
    { title: t('数据项', 'Items'), key: 'items', render: (_, g) => <Picks items={g.items} /> },
    { title: t('有效期', 'Term'), key: 'term', render: (_, g) => `${day(g.from)} ~ ${day(g.until)}` },
    { title: t('使用次数', 'Reads'), key: 'reads', className: 'num', render: (_, g) => <Link to={`/receipts?grant=${encodeURIComponent(g.id)}`}>{count(g.reads)}</Link> },
    { title: t('状态', 'State'), key: 'state', render: (_, g) => <StateTag state={g.state} /> },
    { title: t('链上序号', 'Chain index'), key: 'index', render: (_, g) => <Anchored index={g.index} /> },
    { title: t('操作', 'Actions'), key: 'act', render: (_, g) => (g.may_revoke ? <Button size="small" danger onClick={() => setClosing(g)}>{t('撤销', 'Revoke')}</Button> : <span className="quiet">–</span>) },
  ]
  return (
    <Page title={t('共享授权', 'Grants')} about={t('同意的申请形成共享授权，上链后方可使用；撤销即时生效。', 'An approved request becomes a grant. It works once it is on the chain; revoking it works at once.')}>
      <Loaded live={live}>
        {(list) => (
          <Card size="small" styles={{ body: { padding: 0 } }}>
            <Table size="small" rowKey="id" columns={columns} dataSource={list} pagination={list.length > 20 ? { pageSize: 20 } : false} scroll={{ x: 'max-content' }}
              locale={{ emptyText: <Nothing what={t('还没有共享授权', 'No grant yet')} todo={t('申请经主管部门同意后显示在这里。', 'Approved requests appear here.')} /> }} />
          </Card>
        )}
      </Loaded>
      {closing ? <Revoke g={closing} close={() => setClosing(undefined)} done={() => { setClosing(undefined); live.reload() }} /> : null}
    </Page>
  )
}

function Revoke({ g, close, done }: { g: Grant; close: () => void; done: () => void }) {
  const t = useT()
  const { busy, act } = useAct()
  const [reason, setReason] = useState('')
  const send = async () => {
    if (await act(() => revoke(g.id, reason.trim()), t('已撤销，即时生效', 'Revoked at once'))) done()
  }
  return (
    <Modal open title={t('撤销共享授权', 'Revoke the grant')} okText={t('撤销', 'Revoke')} cancelText={t('取消', 'Cancel')} okButtonProps={{ danger: true, loading: busy, disabled: !reason.trim() }} onOk={() => void send()} onCancel={close}>
      <div className="stack">
        <p style={{ margin: 0 }}>{g.receiver_name} · {g.scenario_title} · <span className="mono">{g.id}</span></p>
        <p className="quiet" style={{ margin: 0 }}>{t('撤销后该单位立即不能再读取数据，已读取的记录保留在共享日志中。', 'The receiver can read nothing from this moment; what was read stays in the receipts.')}</p>
        <label>
          {t('理由（必填）', 'Reason (required)')}
          <Input.TextArea rows={3} maxLength={500} value={reason} onChange={(e) => setReason(e.target.value)} />
        </label>
      </div>
    </Modal>
  )
}
