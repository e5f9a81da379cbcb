import { UploadOutlined } from '@ant-design/icons'
import { Button, Card, Select } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { useEffect, useState } from 'react'
import { Link, useNavigate, useSearchParams } from 'react-router'
import { getSubmissions, markedURL } from '../calls'
import { count, when } from '../format'
import { useT } from '../lang'
import { useLive } from '../live'
import { useOwn, type Own } from '../own'
import { Copied } from '../parts/copied'
import { Pages, useCursor } from '../parts/cursor'
import { asked, during, kindOfWay, moving, wayKinds } from '../parts/deliver'
import { Advance, stateWord, SubmissionState, submissionStates } from '../parts/deliver-tags'
import { Loaded, Nothing, Page } from '../parts/page'
import { Table } from '../parts/table'
import { mayOpen } from '../places'
import { useMay, useSession } from '../session'
import type { Submission, Way } from '../shapes'
import { Updated } from './flow'
import { Ways } from './ways'

const size = 20

// Submissions are the ways of delivery (报送方式) and what came by them.
export function Submissions() {
  const t = useT()
  const navigate = useNavigate()
  const [query, setQuery] = useSearchParams()
  const dataset = query.get('dataset') ?? ''
  const way = (query.get('way') ?? '') as Way['kind'] | ''
  const state = (query.get('state') ?? '') as Submission['state'] | ''
  const uploads = useMay('officer', 'steward')
  const filter = `${dataset} ${way} ${state}`
  const at = useCursor(filter)
  const put = (name: string, value: string) =>
    setQuery((old) => {
      const next = new URLSearchParams(old)
      if (value) next.set(name, value)
      else next.delete(name)
      return next
    })
  const own = useOwn()
  // Often while something is on its way, seldom else.
  const [every, setEvery] = useState(2000)
  const live = useLive(() => getSubmissions({ dataset, way, state, before: at.cursor, limit: size }), `${filter} ${at.cursor}`, every)
  const busy = live.data?.some(moving) ?? true
  useEffect(() => setEvery(busy ? 2000 : 10_000), [busy])
  return (
    <Page
      title={t('报送', 'Delivery')}
      about={t('Kafka 之外的报送：库表、文件、接口、离线包、零报告。每一行都先到消息系统，再按同样的规则入库，问题数据与对账也相同。', 'Delivery beside Kafka: tables, files, HTTP, packages, nil reports. Every row goes to the broker first and enters by the same rules.')}
      tools={
        <>
          <Updated at={live.at} />
          <Select
            aria-label={t('数据集', 'Dataset')}
            style={{ width: 200 }}
            value={dataset}
            onChange={(v) => put('dataset', v)}
            options={[{ value: '', label: t('全部数据集', 'All datasets') }, ...(own.data ?? []).map((d) => ({ value: d.code, label: d.title }))]}
          />
          {uploads ? (
            <Button type="primary" icon={<UploadOutlined />} onClick={() => void navigate(`/submissions/upload${dataset ? `?dataset=${encodeURIComponent(dataset)}` : ''}`)}>{t('上传文件', 'Upload a file')}</Button>
          ) : null}
        </>
      }
    >
      <Loaded live={own}>{(list) => <Ways datasets={list.filter((d) => !dataset || d.code === dataset)} done={live.reload} />}</Loaded>
      <Loaded live={live}>
        {(list) => (
          <Card
            size="small"
            title={t('报送记录', 'Submissions')}
            styles={{ body: { padding: 0 } }}
            extra={
              <span className="row">
                <Select aria-label={t('报送方式', 'Way')} size="small" style={{ width: 116 }} value={way} onChange={(v) => put('way', v)} options={[{ value: '', label: t('全部方式', 'All ways') }, ...wayKinds.map((k) => ({ value: k, label: kindOfWay(k, t) }))]} />
                <Select aria-label={t('状态', 'State')} size="small" style={{ width: 116 }} value={state} onChange={(v) => put('state', v)} options={[{ value: '', label: t('全部状态', 'All states') }, ...submissionStates.map((s) => ({ value: s, label: t(...stateWord(s)) }))]} />
              </span>
            }
          >
            <List list={list} own={own.data ?? []} filtered={filter.trim() !== ''} uploads={uploads} />
            <Pages at={at} next={list.length === size ? (list[list.length - 1]?.opened_at ?? '') : ''} />
          </Card>
        )}
      </Loaded>
    </Page>
  )
}

function List({ list, own, filtered, uploads }: { list: Submission[]; own: Own[]; filtered: boolean; uploads: boolean }) {
  const t = useT()
  const columns: ColumnsType<Submission> = [
    { title: t('编号与时间', 'Submission and time'), key: 'id', render: (_, s) => <><Link data-open={s.state === 'landed' ? true : undefined} to={asked(s) ? `/submissions/upload/${s.id}` : `/submissions/${s.id}`} className="mono">{s.id}</Link><div className="quiet small">{when(s.opened_at)}</div></> },
    { title: t('数据集', 'Dataset'), key: 'dataset', render: (_, s) => own.find((d) => d.code === s.dataset)?.title ?? s.dataset },
    { title: t('方式与来源', 'Way and source'), key: 'way', render: (_, s) => <>{kindOfWay(s.way, t)}{s.name ? <span className="mono"> {s.name}</span> : null}<div className="quiet small wrap">{s.way === 'nil' ? s.period : s.source}</div></> },
    { title: t('状态', 'State'), key: 'state', render: (_, s) => <><SubmissionState s={s} />{moving(s) ? <Advance s={s} /> : null}{s.state === 'refused' && s.reason ? <div className="quiet small wrap">{s.reason}</div> : null}</> },
    { title: t('行数', 'Rows'), key: 'rows', className: 'num', render: (_, s) => (s.way === 'nil' ? '–' : count(s.rows)) },
    { title: t('入库', 'Good'), key: 'good', className: 'num', render: (_, s) => (s.state === 'landed' && s.way !== 'nil' ? count(s.good) : '–') },
    { title: t('问题数据', 'Rejects'), key: 'rejected', className: 'num', render: (_, s) => <Rejected s={s} /> },
    { title: t('报送人', 'By'), key: 'by', render: (_, s) => s.by || <span className="quiet">{s.way === 'file' ? t('投递目录', 'drop folder') : t('定时', 'schedule')}</span> },
    { title: t('摘要', 'Digest'), key: 'digest', render: (_, s) => <Copied text={s.digest} /> },
  ]
  const empty = filtered ? (
    <Nothing what={t('没有符合条件的报送', 'No submission matches')} todo={t('可放宽筛选条件。', 'Widen the filter to see more.')} />
  ) : (
    <Nothing
      what={t('还没有报送', 'No submission yet')}
      todo={uploads ? t('上传一个文件，或等待库表的下一次取数；来了就会出现在这里。', 'Upload a file, or wait for the next pull of a table: it appears here.') : t('库表取数、文件、接口等报送到来后会出现在这里。', 'They appear here when something was delivered.')}
    />
  )
  return <Table rowKey="id" columns={columns} dataSource={list} pagination={false} locale={{ emptyText: empty }} />
}

// Rejected counts the rejects of a submission and leads to them: to the page of
// rejects for those who may open it, else to the marked workbook of a file.
export function Rejected({ s }: { s: Submission }) {
  const t = useT()
  const { session } = useSession()
  if (s.state !== 'landed' || s.way === 'nil') return <>–</>
  if (!s.rejected) return <>0</>
  const { from, to } = during(s)
  const label = t(`查看 ${s.id} 的问题数据 ${count(s.rejected)} 行`, `The ${count(s.rejected)} rejects of ${s.id}`)
  if (session && mayOpen('/rejects', session.role)) {
    const query = new URLSearchParams({ dataset: s.dataset, state: 'all', from, to })
    return <Link to={`/rejects?${query}`} aria-label={label}>{count(s.rejected)}</Link>
  }
  if (s.way !== 'file' || session?.role !== 'officer') return <>{count(s.rejected)}</>
  return <a href={markedURL(s.id)} aria-label={t(`下载 ${s.id} 的标注文件`, `The marked workbook of ${s.id}`)}>{count(s.rejected)}</a>
}
