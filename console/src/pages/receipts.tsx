import { DownloadOutlined } from '@ant-design/icons'
import { Button, Card, Tag } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { useSearchParams } from 'react-router'
import { getReceipts, proofURL } from '../calls'
import { count, digest, when } from '../format'
import { useT } from '../lang'
import { useLive } from '../live'
import { Pages, useCursor } from '../parts/cursor'
import { Loaded, Nothing, Page } from '../parts/page'
import { Table } from '../parts/table'
import { Anchored, StateTag } from '../parts/tags'
import { mayOpen } from '../places'
import { useSession } from '../session'
import type { Receipt } from '../shapes'
import { Updated } from './flow'

export function Receipts() {
  const t = useT()
  const { session } = useSession()
  const [query, setQuery] = useSearchParams()
  const grant = query.get('grant') ?? ''
  const at = useCursor(grant)
  const live = useLive(() => getReceipts({ grant, cursor: at.cursor, limit: 20 }), `${grant} ${at.cursor}`, 8000)
  const columns: ColumnsType<Receipt> = [
    { title: t('时间与日志编号', 'Time and receipt'), key: 'at', render: (_, r) => <>{when(r.opened_at)}<div className="quiet small mono" title={r.id}>{r.id.length > 24 ? r.id.slice(0, 22) + '…' : r.id}</div></> },
    { title: t('取数单位', 'Read by'), key: 'org', render: (_, r) => <>{r.org_name || r.receiver_name}<div className="quiet small mono">{r.actor}</div></> },
    { title: t('场景与授权', 'Scenario and grant'), key: 'grant', render: (_, r) => <>{r.scenario_title || r.scenario}<div className="quiet small mono">{r.grant}</div></> },
    { title: t('方式', 'Mode'), key: 'mode', render: (_, r) => [r.mode, r.format.toUpperCase()].filter(Boolean).join(' · ') },
    { title: t('行数', 'Rows'), key: 'rows', className: 'num', render: (_, r) => count(r.rows) },
    { title: t('结果摘要', 'Digest'), key: 'digest', render: (_, r) => <span className="mono" title={r.digest}>{digest(r.digest)}</span> },
    { title: t('状态', 'State'), key: 'state', render: (_, r) => <><StateTag state={r.state} />{r.reason ? <div className="quiet small" style={{ minWidth: 180, maxWidth: 260, whiteSpace: 'normal' }}>{r.reason}</div> : null}</> },
    { title: t('存证', 'Anchored'), key: 'index', render: (_, r) => (r.anchored && r.index === null ? <Tag color="success">{t('已上链', 'On the chain')}</Tag> : <Anchored index={r.index} />) },
    ...(session && mayOpen('/chain', session.role)
      ? [{ title: t('存证证明', 'Proof'), key: 'proof', fixed: 'right' as const, render: (_: unknown, r: Receipt) => (r.anchored ? <Button size="small" icon={<DownloadOutlined />} href={proofURL(r.id)} download={`${r.id}.proof.json`} aria-label={t(`下载 ${r.id} 的存证证明`, `Download the proof of ${r.id}`)}>{t('下载', 'Download')}</Button> : <span className="quiet">–</span>) }]
      : []),
  ]
  return (
    <Page
      title={t('共享日志', 'Receipts')}
      about={t('每一次读取都先留痕、后给数据；日志汇总上链，任何一条都可离线核验。', 'Every read leaves a receipt before the first row goes out. Receipts are rooted on the chain and each can be proved offline.')}
      tools={
        <>
          {grant ? <Tag closable onClose={() => setQuery({})}>{t('授权 ', 'Grant ') + grant}</Tag> : null}
          <Updated at={live.at} />
        </>
      }
    >
      <Loaded live={live}>
        {(list) => (
          <Card size="small" styles={{ body: { padding: 0 } }}>
            <Table rowKey="id" columns={columns} dataSource={list.items} pagination={false}
              locale={{ emptyText: <Nothing what={t('还没有共享日志', 'No receipt yet')} todo={t('授权生效后，第一次读取会出现在这里。', 'The first read under a grant appears here.')} /> }} />
            <Pages at={at} next={list.next} />
          </Card>
        )}
      </Loaded>
    </Page>
  )
}
