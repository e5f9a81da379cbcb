import { PlusOutlined } from '@ant-design/icons'
import { App, Button, Card, Drawer, Input, Modal, Tag, Tooltip } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { useState } from 'react'
import { useSearchParams } from 'react-router'
import { decide, getRequests } from '../calls'
import { day, when } from '../format'
import { useT } from '../lang'
import { useLive } from '../live'
import { useAct } from '../parts/act'
import { maskName } from '../parts/masks'
import { Loaded, Nothing, Page } from '../parts/page'
import { Table } from '../parts/table'
import { Anchored, StateTag } from '../parts/tags'
import { useSession } from '../session'
import type { Clock, ShareRequest } from '../shapes'
import { RequestForm } from './request-form'

export function Requests() {
  const t = useT()
  const { session } = useSession()
  const [query, setQuery] = useSearchParams()
  const scenario = query.get('new')
  const live = useLive(getRequests, 'requests', 8000)
  const [deciding, setDeciding] = useState<{ r: ShareRequest; agree: boolean }>()
  const officer = session?.role === 'officer'
  const approver = session?.role === 'approver'
  const columns: ColumnsType<ShareRequest> = [
    { title: t('申请与申请单位', 'Request and requester'), key: 'id', render: (_, r) => <><b>{r.scenario_title}</b><div className="quiet small">{r.requester_name}</div><div className="quiet small mono">{r.id}</div></> },
    { title: t('数据项', 'Items'), key: 'items', render: (_, r) => <Picks items={r.items} /> },
    { title: t('接收方', 'Receivers'), key: 'receivers', render: (_, r) => <Tooltip title={r.receivers.join('、')}><span tabIndex={0}>{t(`${r.receivers.length} 个`, String(r.receivers.length))}</span></Tooltip> },
    { title: t('用途', 'Purpose'), dataIndex: 'purpose', render: (v: string) => <div style={{ maxWidth: 260 }}>{v}</div> },
    { title: t('申请时间', 'Requested'), key: 'at', render: (_, r) => when(r.at).slice(0, 16) },
    { title: t('法定时限', 'Legal clock'), key: 'clock', render: (_, r) => <LegalClock clock={r.clock} /> },
    { title: t('状态', 'State'), key: 'state', render: (_, r) => <><StateTag state={r.state} />{r.status && r.state === 'agreed' ? <div className="small">{r.status}</div> : null}{r.reason ? <div className="quiet small" style={{ maxWidth: 220 }}>{r.reason}</div> : null}</> },
    { title: t('链上序号', 'Chain index'), key: 'index', render: (_, r) => <Anchored index={r.index} /> },
    ...(approver
      ? [{
          title: t('审批', 'Decide'), key: 'decide', fixed: 'right' as const,
          render: (_: unknown, r: ShareRequest) =>
            r.may_decide ? (
              <div className="row" style={{ flexWrap: 'nowrap' }}>
                <Button size="small" type="primary" onClick={() => setDeciding({ r, agree: true })}>{t('同意', 'Approve')}</Button>
                <Button size="small" danger onClick={() => setDeciding({ r, agree: false })}>{t('不同意', 'Refuse')}</Button>
              </div>
            ) : <span className="quiet">–</span>,
        }]
      : []),
  ]
  const close = () => setQuery({})
  return (
    <Page
      title={approver ? t('共享审批', 'Decisions') : t('共享申请', 'Requests')}
      about={t('法定时限按工作日历计算，依据《政务数据共享条例》（国务院令第809号）。', 'Legal clocks run on the working-day calendar under the Regulations on Government Data Sharing (State Council decree 809).')}
      tools={officer ? <Button type="primary" icon={<PlusOutlined />} onClick={() => setQuery({ new: '' })}>{t('新建申请', 'New request')}</Button> : null}
    >
      <Loaded live={live}>
        {(list) => (
          <Card size="small" styles={{ body: { padding: 0 } }}>
            <Table rowKey="id" columns={columns} dataSource={list} pagination={list.length > 20 ? { pageSize: 20 } : false}
              locale={{ emptyText: <Nothing what={approver ? t('没有待审批的申请', 'Nothing to decide') : t('还没有共享申请', 'No request yet')} todo={officer ? t('点击右上角“新建申请”，选择应用场景后提出。', 'Press “New request” and choose a scenario.') : undefined} /> }} />
          </Card>
        )}
      </Loaded>
      <Drawer open={officer && scenario !== null} onClose={close} size={720} title={t('新建共享申请', 'New request')} destroyOnHidden>
        <RequestForm scenario={scenario ?? ''} done={() => { close(); live.reload() }} />
      </Drawer>
      {deciding ? <Decision {...deciding} close={() => setDeciding(undefined)} done={() => { setDeciding(undefined); live.reload() }} /> : null}
    </Page>
  )
}

export function Picks({ items }: { items: { name: string; title?: string; mask: string }[] }) {
  const t = useT()
  return (
    <Tooltip title={items.map((i) => <div key={i.name}>{i.title || i.name}：{maskName(i.mask, t)}</div>)}>
      <span tabIndex={0}>{t(`${items.length} 项`, `${items.length} items`)}</span>
    </Tooltip>
  )
}

export function LegalClock({ clock }: { clock: Clock | null }) {
  const t = useT()
  if (!clock) return <span className="quiet">–</span>
  return (
    <Tooltip title={clock.article}>
      <span tabIndex={0}>
        {clock.overdue ? <Tag color="error">{t('已逾期', 'Overdue')}</Tag> : <Tag color={(clock.left ?? 0) <= 2 ? 'warning' : 'default'}>{t(`剩 ${clock.left ?? 0} 个工作日`, `${clock.left ?? 0} working days left`)}</Tag>}
        <div className="quiet small">{t('截止 ', 'due ') + day(clock.due)}</div>
      </span>
    </Tooltip>
  )
}

function Decision({ r, agree, close, done }: { r: ShareRequest; agree: boolean; close: () => void; done: () => void }) {
  const t = useT()
  const { message } = App.useApp()
  const { busy, act } = useAct()
  const [reason, setReason] = useState('')
  const [basis, setBasis] = useState('')
  const send = async () => {
    if (!agree && !reason.trim()) {
      void message.warning(t('不同意须说明理由和依据', 'A refusal needs its reason'))
      return
    }
    if (await act(() => decide(r.id, { agree, reason: reason.trim() || undefined, basis: basis.trim() || undefined }), agree ? t('已同意，授权上链后生效', 'Approved: the grant works once it is on the chain') : t('已告知申请单位', 'The requester is told'))) done()
  }
  return (
    <Modal open title={agree ? t('同意共享', 'Approve') : t('不同意共享', 'Refuse')} okText={agree ? t('同意', 'Approve') : t('不同意', 'Refuse')} cancelText={t('取消', 'Cancel')} okButtonProps={{ danger: !agree, loading: busy }} onOk={() => void send()} onCancel={close}>
      <div className="stack">
        <p style={{ margin: 0 }}>{r.requester_name} · {r.scenario_title} · {t(`${r.items.length} 个数据项`, `${r.items.length} items`)}</p>
        <p className="quiet" style={{ margin: 0 }}>{r.purpose}</p>
        <ul style={{ margin: 0, paddingInlineStart: 20 }}>
          {r.items.map((i) => <li key={i.name}>{i.title || i.name}：{maskName(i.mask, t)}</li>)}
        </ul>
        <label>
          {agree ? t('意见（可不填）', 'Comment (optional)') : t('理由与依据', 'Reason and basis')}
          <Input.TextArea rows={3} value={reason} maxLength={500} onChange={(e) => setReason(e.target.value)} />
        </label>
        {agree ? null : (
          <label>
            {t('法定依据（可不填）', 'Legal basis (optional)')}
            <Input value={basis} maxLength={300} onChange={(e) => setBasis(e.target.value)} />
          </label>
        )}
      </div>
    </Modal>
  )
}
