import { DownloadOutlined } from '@ant-design/icons'
import { Alert, Button, Card, Descriptions, Typography } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { useState } from 'react'
import { getChain, getRecent, proofURL } from '../calls'
import { count, digest, when } from '../format'
import { useLang, useT, type Lang, type T } from '../lang'
import { useLive } from '../live'
import { kindName } from '../parts/kinds'
import { Figures, Loaded, Nothing, Page } from '../parts/page'
import { Table } from '../parts/table'
import type { ChainEntry, PendingItem } from '../shapes'
import { Updated } from './flow'

export function Chain() {
  const t = useT()
  const { lang } = useLang()
  const [page, setPage] = useState(1)
  const size = 20
  const head = useLive(getChain, 'chain', 3000)
  const entries = useLive(() => getRecent((page - 1) * size, size), `recent ${page}`, 5000)
  return (
    <Page
      title={t('目录链', 'Directory chain')}
      about={t('目录、批次、评分、场景、授权与共享日志的凭证依次上链；链上只有代码、摘要、数量、状态与签名，没有个人信息。', 'Evidence of entries, batches, scores, scenarios, grants and receipts, in order. The chain holds codes, digests, counts, states and signatures, and no personal information.')}
      tools={<Updated at={head.at} />}
    >
      <Loaded live={head}>
        {({ head: h, pending, refused }) => (
          <>
            <Figures
              items={[
                { name: t('链上条目', 'Entries'), value: count(h.size) },
                { name: t('待上链', 'Pending'), value: h.pending >= 500 ? '500+' : count(h.pending) },
                { name: t('最新检查点', 'Checkpoint'), value: <span style={{ fontSize: 16 }}>{when(h.at)}</span> },
              ]}
            />
            <Card size="small">
              <Descriptions column={1} size="small" items={[
                { key: 'root', label: t('根摘要', 'Root'), children: <Typography.Text copyable={{ text: h.root }} className="mono" style={{ wordBreak: 'break-all' }}>{h.root}</Typography.Text> },
                { key: 'key', label: t('核验公钥', 'Key'), children: <Typography.Text copyable={{ text: h.key }} className="mono" style={{ wordBreak: 'break-all' }}>{h.key}</Typography.Text> },
                { key: 'origin', label: t('日志名', 'Origin'), children: <span className="mono">{h.origin}</span> },
              ]} />
            </Card>
            {pending.length ? <Waiting title={t('待上链', 'Awaiting the chain')} list={pending} /> : null}
            {refused.length ? <Waiting title={t('最近被链上拒绝', 'Refused by the chain')} list={refused} /> : null}
          </>
        )}
      </Loaded>
      <Loaded live={entries}>
        {(list) => (
          <Card title={t('最近上链', 'Recent entries')} size="small" styles={{ body: { padding: 0 } }}>
            <Table
              rowKey="index"
              columns={columns(t, lang)}
              dataSource={list.items}
              pagination={{ current: page, pageSize: size, total: list.total, showSizeChanger: false, onChange: setPage, hideOnSinglePage: true }}
              locale={{ emptyText: <Nothing what={t('链上还没有条目', 'The chain is empty')} todo={t('声明目录或载入数据后，凭证会自动上链。', 'Evidence follows by itself once entries are declared or data is loaded.')} /> }}
            />
          </Card>
        )}
      </Loaded>
      <HowTo />
    </Page>
  )
}

function columns(t: T, lang: Lang): ColumnsType<ChainEntry> {
  return [
    { title: t('序号', 'Index'), key: 'index', render: (_, e) => <span className="mono">#{count(e.index)}</span> },
    { title: t('事项', 'What'), key: 'text', render: (_, e) => <div style={{ minWidth: 240, maxWidth: 560 }}>{lang === 'zh' ? e.text : `${kindName(e.kind, t)} ${e.key}`}</div> },
    { title: t('类型', 'Kind'), dataIndex: 'kind', render: (v: string) => <span className="mono">{v}</span> },
    { title: t('签名者', 'Signed by'), key: 'actor', render: (_, e) => [e.org_name, e.actor].filter(Boolean).join(' · ') },
    { title: t('时间', 'Time'), key: 'at', render: (_, e) => when(e.at) },
    { title: t('存证证明', 'Proof'), key: 'proof', render: (_, e) => <Button size="small" icon={<DownloadOutlined />} href={proofURL(e.id)} download={`proof-${e.index}.json`} aria-label={t(`下载第 ${e.index} 条的存证证明`, `Download the proof of ${e.index}`)}>{t('下载', 'Download')}</Button> },
  ]
}

function Waiting({ title, list }: { title: string; list: PendingItem[] }) {
  const t = useT()
  const columns: ColumnsType<PendingItem> = [
    { title: t('待上链事项', 'Pending command'), key: 'text', render: (_, p) => p.text || `${kindName(p.kind, t)} ${p.subject}` },
    { title: t('提交时间', 'Since'), key: 'at', render: (_, p) => when(p.at) },
    { title: t('尝试', 'Tries'), dataIndex: 'attempts', className: 'num' },
    { title: t('最近结果', 'Last answer'), key: 'error', render: (_, p) => p.message || p.error || '–' },
    { title: t('编号', 'Id'), dataIndex: 'id', render: (v: string) => <span className="mono" title={v}>{digest(v)}</span> },
  ]
  return (
    <Card title={title} size="small" styles={{ body: { padding: 0 } }}>
      <Table rowKey="id" columns={columns} dataSource={list} pagination={list.length > 10 ? { pageSize: 10 } : false} />
    </Card>
  )
}

function HowTo() {
  const t = useT()
  return (
    <Card title={t('如何离线核验', 'How to verify offline')} size="small">
      <ol style={{ margin: 0, paddingInlineStart: 20, lineHeight: 1.9 }}>
        <li>{t('在上表下载某一条的存证证明（一个文件，含条目、包含证明、检查点及签名）。', 'Download the proof of an entry above: one file with the entry, its inclusion proof, the checkpoint and its signatures.')}</li>
        <li>{t('在任何一台机器上（无需联网、无需本系统）运行：', 'On any machine, without a network and without this system, run:')} <code className="mono">mulu-verify --key {t('日志公钥文件', 'KEYFILE')} {t('证明文件', 'BUNDLE')}</code></li>
        <li>{t('输出“通过”即说明该条目确在链上、内容未被改动、签名者属实；否则会指出哪一步不符。', 'If it passes, the entry is on the chain, unchanged, and signed by whom it says; if not, it names the step that failed.')}</li>
      </ol>
      <Alert style={{ marginTop: 10 }} type="info" showIcon title={t('核验只信任您另行取得的日志公钥，不信任本页面。', 'The verifier trusts the log key you obtained by another way, not this page.')} />
    </Card>
  )
}
