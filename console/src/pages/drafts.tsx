import { PlusOutlined } from '@ant-design/icons'
import { Button, Card, Form, Input, Modal, Select } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { useState } from 'react'
import { Link, useNavigate, useSearchParams } from 'react-router'
import { getDatasets } from '../calls'
import { addDraft, getDrafts, type RuleDraftRow } from '../calls-rules'
import { when } from '../format'
import { useT } from '../lang'
import { useLive } from '../live'
import { useAct } from '../parts/act'
import { Loaded, Nothing, Page } from '../parts/page'
import { DraftState } from '../parts/rule-words'
import { Table } from '../parts/table'
import { useMay, useSession } from '../session'

// Drafts lists the drafts of rules and begins new ones.
export function Drafts() {
  const t = useT()
  const may = useMay('steward', 'officer')
  const [query, setQuery] = useSearchParams()
  const dataset = query.get('dataset') ?? ''
  const [adding, add] = useState(query.get('new') !== null)
  const names = useLive(getDatasets, 'datasets')
  const live = useLive(() => getDrafts(dataset), `drafts ${dataset}`, 15_000)
  const title = (code: string) => names.data?.find((d) => d.code === code)?.title ?? code
  const columns: ColumnsType<RuleDraftRow> = [
    { title: t('草稿', 'Draft'), key: 'title', render: (_, d) => <><Link to={`/quality/drafts/${d.id}`}>{d.title || title(d.dataset)}</Link><div className="quiet small mono">{d.id}</div></> },
    { title: t('数据集', 'Dataset'), key: 'dataset', render: (_, d) => <><Link to={`/datasets/${encodeURIComponent(d.dataset)}`}>{title(d.dataset)}</Link><div className="quiet small mono">{d.dataset}</div></> },
    { title: t('状态', 'State'), key: 'state', render: (_, d) => <DraftState d={d} /> },
    { title: t('所改的版本', 'Based on'), key: 'base', className: 'num', render: (_, d) => t(`第 ${d.base} 版`, `version ${d.base}`) },
    { title: t('起草人', 'Author'), dataIndex: 'author' },
    { title: t('最近修改', 'Changed'), key: 'changed', render: (_, d) => when(d.changed) },
  ]
  return (
    <Page
      title={t('规则草稿', 'Rule drafts')}
      about={t('在草稿中新增、修改规则，先在真实的行上预览、对全部历史试跑，再启用为数据集的下一版本。', 'Rules are written in a draft, seen on real rows, tried over history, and then put in force as the next version.')}
      tools={may ? <Button type="primary" icon={<PlusOutlined />} onClick={() => add(true)}>{t('新建草稿', 'New draft')}</Button> : undefined}
    >
      <Card size="small" styles={{ body: { padding: 0 } }}>
        <div className="row" style={{ padding: '10px 12px' }}>
          <Select aria-label={t('数据集', 'Dataset')} style={{ minWidth: 260 }} showSearch optionFilterProp="label" value={dataset} onChange={(v: string) => setQuery(v ? { dataset: v } : {})} options={[{ value: '', label: t('全部数据集', 'All datasets') }, ...(names.data ?? []).map((d) => ({ value: d.code, label: `${d.title} ${d.code}` }))]} />
        </div>
        <Loaded live={live}>{(list) =>
          list.length ? <Table rowKey="id" columns={columns} dataSource={list} pagination={list.length > 50 ? { pageSize: 50 } : false} /> : <Nothing what={t('没有规则草稿', 'No drafts')} todo={may ? t('新建草稿，从数据集现行的规则开始改。', 'A new draft begins with the rules in force.') : undefined} />
        }</Loaded>
      </Card>
      {adding ? <NewDraft dataset={dataset} close={() => add(false)} /> : null}
    </Page>
  )
}

export function NewDraft({ dataset, close }: { dataset: string; close: () => void }) {
  const t = useT()
  const { session } = useSession()
  const navigate = useNavigate()
  const { busy, act } = useAct()
  const live = useLive(getDatasets, 'datasets')
  const own = (live.data ?? []).filter((d) => session?.role !== 'officer' || d.owner === session.org)
  const [code, setCode] = useState(dataset)
  const [title, setTitle] = useState('')
  const [notes, setNotes] = useState('')
  const send = async () => {
    let id = ''
    if (await act(async () => { id = (await addDraft({ dataset: code, title: title.trim(), notes: notes.trim() })).id }, t('草稿已建立', 'The draft is there'))) void navigate(`/quality/drafts/${id}`)
  }
  return (
    <Modal open title={t('新建规则草稿', 'New rule draft')} okText={t('建立', 'Create')} cancelText={t('取消', 'Cancel')} okButtonProps={{ loading: busy, disabled: !own.some((d) => d.code === code) }} onOk={() => void send()} onCancel={close}>
      <Form layout="vertical">
        <Form.Item label={t('数据集', 'Dataset')} htmlFor="draft-dataset" required extra={t('草稿从该数据集现行的规则开始。', 'It begins with the rules in force.')}>
          <Select id="draft-dataset" showSearch optionFilterProp="label" value={code || undefined} onChange={setCode} options={own.map((d) => ({ value: d.code, label: `${d.title} ${d.code}` }))} />
        </Form.Item>
        <Form.Item label={t('名称', 'Title')} htmlFor="draft-title">
          <Input id="draft-title" maxLength={100} value={title} placeholder={t('如：2026 年第四季度规则调整', 'like: changes of the fourth quarter')} onChange={(e) => setTitle(e.target.value)} />
        </Form.Item>
        <Form.Item label={t('说明', 'Notes')} htmlFor="draft-notes">
          <Input.TextArea id="draft-notes" rows={2} maxLength={1000} value={notes} onChange={(e) => setNotes(e.target.value)} />
        </Form.Item>
      </Form>
    </Modal>
  )
}
