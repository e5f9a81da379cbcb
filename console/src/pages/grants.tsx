import { Button, Card } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { useState } from 'react'
import { Link } from 'react-router'
import { getGrants, step, type Step } from '../calls'
import { count, day, lastDay } from '../format'
import { useT } from '../lang'
import { useLive } from '../live'
import { Ask } from '../parts/ask'
import { Loaded, Nothing, Page } from '../parts/page'
import { Table } from '../parts/table'
import { Anchored, StateTag } from '../parts/tags'
import type { Grant } from '../shapes'
import { Picks } from './requests'

export function Grants() {
  const t = useT()
  const live = useLive(getGrants, 'grants', 8000)
  const [closing, setClosing] = useState<{ g: Grant; what: Step }>()
  const columns: ColumnsType<Grant> = [
    { title: t('共享授权与申请单位', 'Grant and requester'), key: 'id', render: (_, g) => <><b>{g.scenario_title}</b><div className="quiet small">{g.requester_name}</div><div className="quiet small mono">{g.id}</div></> },
    { title: t('接收方', 'Receiver'), key: 'receiver', render: (_, g) => <><span className="mono">{g.receiver}</span><div className="quiet small">{g.receiver_name.replace(g.receiver, '').trim()}</div></> },
    { title: t('数据项', 'Items'), key: 'items', render: (_, g) => <Picks items={g.items} /> },
    { title: t('有效期与每日上限', 'Term and rows a day'), key: 'term', render: (_, g) => <>{`${day(g.from)} ~ ${lastDay(g.until)}`}<div className="quiet small">{g.rows_per_day ? t(`每日 ${count(g.rows_per_day)} 行`, `${count(g.rows_per_day)} rows a day`) : t('每日不限', 'no daily limit')}</div></> },
    { title: t('共享日志', 'Receipts'), key: 'reads', className: 'num', render: (_, g) => <Link to={`/receipts?grant=${encodeURIComponent(g.id)}`}>{t(`${count(g.reads)} 次`, `${count(g.reads)} reads`)}</Link> },
    { title: t('状态', 'State'), key: 'state', render: (_, g) => <><StateTag state={g.state} />{g.pending && g.status ? <div className="small">{g.status}</div> : null}{g.refusal ? <div className="small broken">{t('链上拒绝：', 'Refused: ') + g.refusal}</div> : null}</> },
    { title: t('链上序号', 'Chain index'), key: 'index', render: (_, g) => <Anchored index={g.index} /> },
    {
      title: t('操作', 'Actions'), key: 'act', fixed: 'right',
      render: (_, g) => (
        <div className="row" style={{ flexWrap: 'nowrap' }}>
          {g.may_suspend ? <Button size="small" onClick={() => setClosing({ g, what: 'suspend' })}>{t('暂停', 'Suspend')}</Button> : null}
          {g.may_resume ? <Button size="small" onClick={() => setClosing({ g, what: 'resume' })}>{t('恢复', 'Resume')}</Button> : null}
          {g.may_revoke ? <Button size="small" danger onClick={() => setClosing({ g, what: 'revoke' })}>{t('撤销', 'Revoke')}</Button> : null}
          {g.may_suspend || g.may_resume || g.may_revoke ? null : <span className="quiet">–</span>}
        </div>
      ),
    },
  ]
  return (
    <Page title={t('共享授权', 'Grants')} about={t('同意的申请形成共享授权，上链后方可使用；撤销即时生效。', 'An approved request becomes a grant. It works once it is on the chain; revoking it works at once.')}>
      <Loaded live={live}>
        {(list) => (
          <Card size="small" styles={{ body: { padding: 0 } }}>
            <Table rowKey="id" columns={columns} dataSource={list} pagination={list.length > 20 ? { pageSize: 20 } : false}
              locale={{ emptyText: <Nothing what={t('还没有共享授权', 'No grant yet')} todo={t('申请经主管部门同意后显示在这里。', 'Approved requests appear here.')} /> }} />
          </Card>
        )}
      </Loaded>
      {closing ? <Change {...closing} close={() => setClosing(undefined)} done={() => { setClosing(undefined); live.reload() }} /> : null}
    </Page>
  )
}

function Change({ g, what, close, done }: { g: Grant; what: Step; close: () => void; done: () => void }) {
  const t = useT()
  const words = {
    revoke: [t('撤销', 'Revoke'), t('撤销后该单位立即不能再读取数据，且不能恢复；已读取的记录保留在共享日志中。', 'The receiver can read nothing from this moment, and it can not be undone. What was read stays in the receipts.')],
    suspend: [t('暂停', 'Suspend'), t('暂停即时生效，可以恢复。', 'It stops at once and can be resumed.')],
    resume: [t('恢复', 'Resume'), t('链上确认后恢复使用。', 'It works again once the chain has confirmed.')],
  }[what] as [string, string]
  return (
    <Ask
      title={words[0] + t('场景授权', ' the grant')} ok={words[0]} danger={what !== 'resume'} max={2000} label={t('理由（必填）', 'Reason (required)')}
      run={(reason) => step(what, g.id, reason)} said={t(`已${words[0]}`, `${words[0]}: done`)} close={close} done={done}
    >
      <p style={{ margin: 0 }}>{g.requester_name} → {g.receiver_name} · {g.scenario_title} · <span className="mono">{g.id}</span></p>
      <p className="quiet" style={{ margin: 0 }}>{words[1]}</p>
    </Ask>
  )
}
