import { Button, Card, Tag } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { Link } from 'react-router'
import { getNotices, seeNotice } from '../calls'
import { count, when } from '../format'
import { useT } from '../lang'
import { useLive } from '../live'
import { useAct } from '../parts/act'
import { Loaded, Nothing, Page } from '../parts/page'
import { Table } from '../parts/table'
import type { Notice } from '../shapes'

// Notices tells holders of grants what was taken back after they had read it.
export function Notices() {
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
      render: (_, n) => (n.seen_at ? <><Tag color="success">{t('已确认', 'Seen')}</Tag><div className="quiet small">{n.seen_by} {when(n.seen_at)}</div></> : n.may_see ? <Button size="small" type="primary" loading={busy} onClick={() => void see(n)}>{t('确认知悉', 'Mark as seen')}</Button> : <Tag color="warning">{t('未确认', 'Not seen')}</Tag>),
    },
  ]
  return (
    <Page title={t('撤回通知', 'Notices')} about={t('取用过的数据中有批次被撤回时，授权单位在此得知，请重新取数，并处理已下发的旧数据。', 'When a batch is taken back after it was read, its holders learn of it here: read again, and deal with what was passed on.')}>
      <Loaded live={live}>
        {(list) => (
          <Card size="small" styles={{ body: { padding: 0 } }}>
            <Table rowKey="id" columns={columns} dataSource={list} pagination={list.length > 20 ? { pageSize: 20 } : false}
              locale={{ emptyText: <Nothing what={t('没有撤回通知', 'No notices')} todo={t('取用过的数据被撤回时会出现在这里。', 'They appear when data is taken back after it was read.')} /> }} />
          </Card>
        )}
      </Loaded>
    </Page>
  )
}
