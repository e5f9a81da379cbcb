import { Card, Input, Select, Tag } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { Link, useSearchParams } from 'react-router'
import { getDatasets, getLooks } from '../calls'
import { bytes, count, when } from '../format'
import { useT, type T } from '../lang'
import { useLive } from '../live'
import { Became } from '../parts/became'
import { Copied } from '../parts/copied'
import { Pages, useCursor } from '../parts/cursor'
import { Loaded, Nothing, Page } from '../parts/page'
import { Table } from '../parts/table'
import { StateTag } from '../parts/tags'
import { roleName, useMay } from '../session'
import type { Look } from '../shapes'
import { Updated } from './flow'
import { failingPath } from './results'

const forms: Record<Look['form'], [string, string]> = {
  page: ['查看', 'Page'],
  csv: ['导出 CSV', 'CSV export'],
  xlsx: ['导出 XLSX', 'XLSX export'],
  rejects: ['查看原文', 'Rejects, as sent'],
  preview: ['规则预览', 'Preview of rules'],
}

export const formName = (form: Look['form'], t: T): string => t(forms[form][0], forms[form][1])

// Looks are who saw or took failing rows, when and why (查看记录).
export function Looks() {
  const t = useT()
  const [query, setQuery] = useSearchParams()
  const dataset = query.get('dataset') ?? ''
  const rule = query.get('rule') ?? ''
  const actor = query.get('actor') ?? ''
  const filter = `${dataset} ${rule} ${actor}`
  const at = useCursor(filter)
  const put = (name: string, value: string) =>
    setQuery((old) => {
      const next = new URLSearchParams(old)
      if (value) next.set(name, value)
      else next.delete(name)
      return next
    })
  const datasets = useLive(getDatasets, 'datasets')
  const live = useLive(() => getLooks({ dataset, rule, actor, cursor: at.cursor, limit: 30 }), `${filter} ${at.cursor}`, 15_000)
  const officer = useMay('officer')
  const steward = useMay('steward')
  const title = (code: string) => datasets.data?.find((d) => d.code === code)?.title ?? code
  const columns: ColumnsType<Look> = [
    { title: t('时间', 'Time'), key: 'at', render: (_, l) => <>{when(l.at)}<div className="quiet small mono">{l.id}</div></> },
    { title: t('谁', 'Who'), key: 'who', render: (_, l) => <><b>{l.actor}</b> <span className="quiet small">{roleName(l.role, t)}</span><div className="quiet small">{l.org_name}</div></> },
    { title: t('看了什么', 'What'), key: 'what', render: (_, l) => <>{title(l.dataset)}<div className="small mono">{l.rule ? steward ? <Link to={failingPath(l.dataset, l.rule)}>{l.rule}</Link> : l.rule : '–'}</div></> },
    { title: t('方式', 'How'), key: 'form', render: (_, l) => <Tag color={l.form === 'page' ? 'default' : 'processing'}>{formName(l.form, t)}</Tag> },
    { title: t('显示', 'Shown'), key: 'shown', render: (_, l) => (l.reveal ? <Tag color="warning">{t('揭示原值', 'revealed')}</Tag> : l.shown === 'clear' ? <Tag color="warning">{t('原值', 'clear')}</Tag> : l.shown ? <Tag>{t('脱敏', 'masked')}</Tag> : '–') },
    { title: t('用途与筛选', 'Purpose and filter'), key: 'why', render: (_, l) => <div className="wrap">{l.purpose || <span className="quiet">–</span>}{Object.keys(l.filter).length ? <div className="quiet small mono wrap">{JSON.stringify(l.filter)}</div> : null}</div> },
    { title: t('结果', 'Outcome'), key: 'outcome', render: (_, l) => <><StateTag state={l.outcome} />{l.reason ? <div className="quiet small wrap">{l.reason}</div> : null}</> },
    { title: t('行数', 'Rows'), key: 'rows', className: 'num', render: (_, l) => <>{count(l.rows)}{l.refused ? <div className="quiet small">{t(`拒收 ${count(l.refused)}`, `${count(l.refused)} refused`)}</div> : null}</> },
    { title: t('归档', 'Archive'), key: 'bytes', render: (_, l) => (l.bytes ? <>{bytes(l.bytes)}<div><Copied text={l.digest} /></div></> : <span className="quiet">–</span>) },
    { title: t('后来', 'Since'), key: 'became', render: (_, l) => (l.rows + l.refused > 0 && l.outcome === 'delivered' && ['page', 'csv', 'xlsx'].includes(l.form) ? <Became id={l.id} /> : <span className="quiet">–</span>) },
  ]
  return (
    <Page
      title={t('查看记录', 'Looks')}
      about={t('谁在何时为何查看或导出了不合格行；拒绝的也在其中。看到数据之前先写入本记录。', 'Who looked at or took failing rows, when and why, refusals too. It is written before anything is shown.') + (officer ? t(' 只列本单位的。', ' Only those of your organisation.') : '')}
      tools={
        <>
          <Updated at={live.at} />
          <Select aria-label={t('数据集', 'Dataset')} style={{ width: 200 }} value={dataset} onChange={(v) => put('dataset', v)} options={[{ value: '', label: t('全部数据集', 'All datasets') }, ...(datasets.data ?? []).map((d) => ({ value: d.code, label: d.title }))]} />
          <Input.Search key={actor} aria-label={t('账号', 'Account')} placeholder={t('账号', 'Account')} defaultValue={actor} allowClear style={{ width: 150 }} onSearch={(v) => put('actor', v.trim())} />
        </>
      }
    >
      {rule ? <div className="row"><Tag closable onClose={() => put('rule', '')}>{t('规则 ', 'Rule ') + rule}</Tag></div> : null}
      <Loaded live={live}>
        {(page) => (
          <Card size="small" styles={{ body: { padding: 0 } }}>
            <Table rowKey="id" columns={columns} dataSource={page.items} pagination={false} locale={{ emptyText: <Nothing what={t('没有查看记录', 'Nobody has looked')} todo={filter.trim() ? t('可放宽筛选条件。', 'Widen the filter.') : t('有人查看或导出不合格行后记在这里。', 'It fills when somebody looks at failing rows.')} /> }} />
            <Pages at={at} next={page.next} />
          </Card>
        )}
      </Loaded>
    </Page>
  )
}
