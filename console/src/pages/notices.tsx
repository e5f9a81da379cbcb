import { Button, Card, Tag } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { Link } from 'react-router'
import { getIngestNotices, getNotices, seeIngestNotice, seeNotice } from '../calls'
import { count, when } from '../format'
import { useT } from '../lang'
import { useLive } from '../live'
import { useAct } from '../parts/act'
import { Loaded, Nothing, Page } from '../parts/page'
import { Table } from '../parts/table'
import { useMay } from '../session'
import type { IngestNotice, Notice } from '../shapes'

// Notices are what the owner of a dataset should know of what it sends, and what was
// taken back after a grant had read it.
export function Notices() {
  const t = useT()
  const owns = useMay('steward', 'officer', 'operator', 'auditor')
  const shares = useMay('officer', 'approver', 'auditor')
  return (
    <Page title={t('告知与通知', 'Notices')} about={t('数据告知：来源单位应当知道的归集情况。撤回通知：取用之后被撤回的数据。', 'What departments should know of what they send, and what was taken back after it was read.')}>
      {owns ? <Sent /> : null}
      {shares ? <Withdrawn /> : null}
    </Page>
  )
}

const kinds: Record<IngestNotice['kind'], [string, string, string]> = {
  unknown_field: ['未登记字段', 'Unknown field', 'processing'],
  held: ['待审', 'Held for review', 'warning'],
  stopped: ['停止读取', 'Stopped', 'error'],
}

// Sent lists the notices of the way in.
function Sent() {
  const t = useT()
  const { busy, act } = useAct()
  const sees = useMay('steward', 'officer')
  const live = useLive(getIngestNotices, 'ingest notices', 15_000)
  const see = async (n: IngestNotice) => {
    if (await act(() => seeIngestNotice(n), t('已标为已阅', 'Seen'))) live.reload()
  }
  const columns: ColumnsType<IngestNotice> = [
    { title: t('种类', 'Kind'), key: 'kind', render: (_, n) => <Tag color={kinds[n.kind][2]}>{t(kinds[n.kind][0], kinds[n.kind][1])}</Tag> },
    { title: t('数据集', 'Dataset'), key: 'dataset', render: (_, n) => <>{n.title}<div className="quiet small mono">{n.subject}</div></> },
    { title: t('说明', 'Detail'), dataIndex: 'detail', render: (v: string) => <div style={{ minWidth: 220, maxWidth: 460, whiteSpace: 'normal' }}>{v}</div> },
    { title: t('起始与最近', 'First and last'), key: 'at', render: (_, n) => <>{when(n.first_at)}{n.last_at === n.first_at ? null : <div className="quiet small">{t('最近 ', 'last ') + when(n.last_at)}</div>}</> },
    { title: t('状态', 'State'), key: 'state', fixed: 'right', render: (_, n) => (n.seen ? <><Tag color="success">{t('已阅', 'Seen')}</Tag><div className="quiet small">{n.seen_by}</div></> : sees ? <Button size="small" type="primary" loading={busy} onClick={() => void see(n)}>{t('标为已阅', 'Mark as seen')}</Button> : <Tag color="warning">{t('未阅', 'Not seen')}</Tag>) },
  ]
  return (
    <Card title={t('数据告知', 'Of the way in')} size="small" styles={{ body: { padding: 0 } }}>
      <Loaded live={live}>
        {(list) => (
          <Table rowKey={(n) => `${n.dataset} ${n.kind} ${n.subject}`} columns={columns} dataSource={list} pagination={list.length > 20 ? { pageSize: 20 } : false}
            locale={{ emptyText: <Nothing what={t('没有数据告知', 'Nothing to tell')} todo={t('数据中出现未登记字段、待审或停止读取时会出现在这里。', 'They appear when a field is unknown, records are held or reading stops.')} /> }} />
        )}
      </Loaded>
    </Card>
  )
}

// Withdrawn tells holders of grants what was taken back after they had read it.
function Withdrawn() {
  const t = useT()
  const { busy, act } = useAct()
  const live = useLive(getNotices, 'notices', 15_000)
  const see = async (n: Notice) => {
    if (await act(() => seeNotice(n.id), t('已确认', 'Seen'))) live.reload()
  }
  const columns: ColumnsType<Notice> = [
    { title: t('通知与时间', 'Notice and time'), key: 'id', render: (_, n) => <>{when(n.at)}<div className="quiet small mono">{n.id}</div></> },
    { title: t('授权与单位', 'Grant and holder'), key: 'grant', render: (_, n) => <>{n.org_name}<div className="quiet small mono">{n.grant}</div></> },
    { title: t('撤回的数据', 'Taken back'), key: 'dataset', render: (_, n) => <>{n.dataset_title}<div className="quiet small mono">{n.batch}</div></> },
    { title: t('理由', 'Reason'), dataIndex: 'reason', render: (v: string) => <div style={{ minWidth: 180, maxWidth: 320, whiteSpace: 'normal' }}>{v}</div> },
    { title: t('其间取数', 'Reads since'), key: 'reads', render: (_, n) => <><Link to={`/receipts?grant=${encodeURIComponent(n.grant)}`} title={n.receipts.join('\n')}>{t(`${count(n.reads)} 次，${count(n.rows)} 行`, `${count(n.reads)} reads, ${count(n.rows)} rows`)}</Link><div className="quiet small">{when(n.first_read_at)}{n.reads > 1 ? ` ~ ${when(n.last_read_at)}` : ''}</div></> },
    {
      title: t('状态', 'State'), key: 'state', fixed: 'right',
      render: (_, n) => (n.seen_at ? <><Tag color="success">{t('已确认', 'Seen')}</Tag><div className="quiet small">{n.seen_by}</div><div className="quiet small">{when(n.seen_at)}</div></> : n.may_see ? <Button size="small" type="primary" loading={busy} onClick={() => void see(n)}>{t('确认知悉', 'Mark as seen')}</Button> : <Tag color="warning">{t('未确认', 'Not seen')}</Tag>),
    },
  ]
  return (
    <Card title={t('撤回通知', 'Of withdrawals')} size="small" styles={{ body: { padding: 0 } }}>
      <Loaded live={live}>
        {(list) => (
          <Table rowKey="id" columns={columns} dataSource={list} pagination={list.length > 20 ? { pageSize: 20 } : false}
            locale={{ emptyText: <Nothing what={t('没有撤回通知', 'No notices')} todo={t('取用过的数据被撤回时会出现在这里，请重新取数，并处理已下发的旧数据。', 'They appear when data is taken back after it was read: read again, and deal with what was passed on.')} /> }} />
        )}
      </Loaded>
    </Card>
  )
}
