import { Button, Card, Descriptions, Drawer, Input, Tag } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { useState } from 'react'
import { Link, useSearchParams } from 'react-router'
import { getEntries, getEntry } from '../calls'
import { day, digest } from '../format'
import { useT } from '../lang'
import { useLive } from '../live'
import { Loaded, Nothing, Page } from '../parts/page'
import { Table } from '../parts/table'
import { Anchored, LevelTag, StateTag, typeName } from '../parts/tags'
import { piName, tableName } from '../parts/words'
import type { Entry, EntryDetail } from '../shapes'
import { Updated } from './flow'

export function Entries() {
  const t = useT()
  const [query] = useSearchParams()
  const [word, setWord] = useState(query.get('code') ?? '')
  const [page, setPage] = useState(1)
  const [open, setOpen] = useState<Entry>()
  const size = 50
  const live = useLive(() => getEntries({ q: word.trim(), offset: (page - 1) * size, limit: size }), `${word.trim()} ${page}`, 10_000)
  const columns: ColumnsType<Entry> = [
    { title: t('目录代码', 'Code'), dataIndex: 'code', render: (v: string) => <span className="mono">{v}</span> },
    {
      title: t('目录名称', 'Name'), key: 'title',
      render: (_, e) => (
        <>
          <Button type="link" data-open style={{ padding: 0, height: 'auto' }} onClick={() => setOpen(e)}>{e.title}</Button>
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
      <Drawer open={open !== undefined} onClose={() => setOpen(undefined)} size={760} title={open?.title} destroyOnHidden>
        {open ? <Whole e={open} /> : null}
      </Drawer>
    </Page>
  )
}

// Whole shows one entry with its items, as the catalogue has it.
function Whole({ e }: { e: Entry }) {
  const t = useT()
  const live = useLive(() => getEntry(e.code), e.code)
  const columns: ColumnsType<EntryDetail['items'][number]> = [
    { title: t('数据项', 'Item'), key: 'title', render: (_, i) => <>{i.title} {i.key ? <Tag color="processing">{t('主键', 'key')}</Tag> : null}<div className="quiet small mono">{i.name}</div></> },
    { title: t('类型', 'Type'), key: 'type', render: (_, i) => typeName(i.type, t) },
    { title: t('必填', 'Required'), key: 'required', render: (_, i) => (i.required ? t('是', 'Yes') : t('否', 'No')) },
    { title: t('值域', 'Code table'), dataIndex: 'codes', render: (v: string) => tableName(v, t) },
    { title: t('级别', 'Level'), key: 'level', render: (_, i) => <LevelTag level={i.level} /> },
    { title: t('个人信息', 'Personal information'), dataIndex: 'pi', render: (v: string) => piName(v, t) },
  ]
  return (
    <Loaded live={live}>
      {(d) => (
        <>
          <Descriptions column={2} size="small" items={[
            { key: 'summary', span: 2, label: t('摘要', 'Summary'), children: d.entry.summary || '–' },
            { key: 'code', label: t('目录代码', 'Code'), children: <span className="mono">{d.entry.code}</span> },
            { key: 'state', label: t('状态', 'State'), children: <><StateTag state={d.entry.state} /> <span className="quiet small">v{d.entry.version}</span></> },
            { key: 'provider', label: t('提供单位', 'Provider'), children: d.entry.provider_name },
            { key: 'system', label: t('来源系统', 'Source system'), children: d.system || '–' },
            { key: 'duty', span: 2, label: t('职责依据', 'Duty'), children: d.duty || '–' },
            { key: 'share', label: t('共享属性', 'Sharing'), children: d.entry.share_type },
            { key: 'open', label: t('开放属性', 'Opening'), children: d.open_type || '–' },
            ...(d.share_condition ? [{ key: 'condition', span: 2, label: t('共享条件', 'Condition'), children: d.share_condition }] : []),
            ...(d.no_share_basis ? [{ key: 'basis', span: 2, label: t('不予共享依据', 'Basis for not sharing'), children: d.no_share_basis }] : []),
            { key: 'cycle', label: t('更新周期', 'Cycle'), children: d.entry.update_cycle },
            { key: 'dataset', label: t('挂接数据集', 'Dataset'), children: d.entry.dataset ? <Link to={`/datasets/${d.entry.dataset}`} className="mono">{d.entry.dataset}</Link> : t('尚未挂接', 'none yet') },
            { key: 'index', label: t('链上序号', 'Chain index'), children: <Anchored index={d.entry.pending ? null : d.entry.index} /> },
            { key: 'digest', label: t('摘要值', 'Digest'), children: <span className="mono" title={d.entry.digest}>{digest(d.entry.digest)}</span> },
          ]} />
          <Table rowKey="name" columns={columns} dataSource={d.items} pagination={false} />
        </>
      )}
    </Loaded>
  )
}
