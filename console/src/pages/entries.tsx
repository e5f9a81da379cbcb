import { Card, Input, Tag } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { useState } from 'react'
import { Link, useSearchParams } from 'react-router'
import { getEntries } from '../calls'
import { day, digest } from '../format'
import { useT } from '../lang'
import { useLive } from '../live'
import { Loaded, Nothing, Page } from '../parts/page'
import { Table } from '../parts/table'
import { Anchored, LevelTag, StateTag } from '../parts/tags'
import type { Entry } from '../shapes'
import { Updated } from './flow'

export function Entries() {
  const t = useT()
  const [query] = useSearchParams()
  const [word, setWord] = useState(query.get('code') ?? '')
  const [page, setPage] = useState(1)
  const size = 50
  const live = useLive(() => getEntries({ q: word.trim(), offset: (page - 1) * size, limit: size }), `${word.trim()} ${page}`, 10_000)
  const columns: ColumnsType<Entry> = [
    { title: t('目录代码', 'Code'), dataIndex: 'code', render: (v: string) => <span className="mono">{v}</span> },
    {
      title: t('目录名称', 'Name'), key: 'title',
      render: (_, e) => (
        <>
          {e.dataset ? <Link to={`/datasets/${e.dataset}`}>{e.title}</Link> : e.title}
          {e.summary ? <div className="quiet small" style={{ maxWidth: 380 }}>{e.summary}</div> : null}
        </>
      ),
    },
    { title: t('提供单位', 'Provider'), dataIndex: 'provider_name' },
    { title: t('共享属性', 'Sharing'), dataIndex: 'share_type' },
    { title: t('更新周期', 'Cycle'), dataIndex: 'update_cycle' },
    { title: t('级别', 'Level'), key: 'level', render: (_, e) => <LevelTag level={e.level} /> },
    { title: t('状态', 'State'), key: 'state', render: (_, e) => <StateTag state={e.state} /> },
    { title: t('链上序号', 'Chain index'), key: 'index', render: (_, e) => (e.refusal ? <Tag color="error" title={e.refusal}>{t('链上拒绝：', 'Refused: ') + e.refusal}</Tag> : <Anchored index={e.pending ? null : e.index} />) },
    { title: t('版本', 'Version'), key: 'version', className: 'num', render: (_, e) => <span title={digest(e.digest)}>v{e.version}</span> },
    { title: t('变更日期', 'Changed'), key: 'updated', render: (_, e) => day(e.updated_at) },
  ]
  return (
    <Page
      title={t('公共数据目录', 'Catalogue of public data')}
      about={t('目录条目一经发布即上链：代码不复用，旧版本保留，链上序号可离线核验。', 'A published entry stands on the chain: its code is never reused, old versions stay, and its index can be verified offline.')}
      tools={
        <>
          <Updated at={live.at} />
          <Input.Search allowClear defaultValue={word} aria-label={t('按名称、代码或单位筛选', 'Filter')} placeholder={t('名称、代码或单位', 'Name, code or provider')} onSearch={(v) => { setWord(v); setPage(1) }} style={{ width: 240 }} />
        </>
      }
    >
      <Loaded live={live}>
        {(list) => (
          <Card size="small" styles={{ body: { padding: 0 } }}>
            <Table
              rowKey="code"
              columns={columns}
              dataSource={list.items}
              pagination={{ current: page, pageSize: size, total: list.total, showSizeChanger: false, onChange: setPage, hideOnSinglePage: true }}
              locale={{ emptyText: <Nothing what={t('没有目录条目', 'No entry')} todo={word ? t('请更换筛选词。', 'Try another word.') : t('条目随数据集声明一并编制：mulu apply -f 目录。', 'Entries are compiled with their datasets: mulu apply -f DIR.')} /> }}
            />
          </Card>
        )}
      </Loaded>
    </Page>
  )
}
