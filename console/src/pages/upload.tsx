import { DownloadOutlined, InboxOutlined } from '@ant-design/icons'
import { Alert, Button, Card, Progress, Select, Spin } from 'antd'
import { useEffect, useState, type DragEvent } from 'react'
import { Link, useNavigate, useSearchParams } from 'react-router'
import { templateURL } from '../calls'
import { bytes } from '../format'
import { useT } from '../lang'
import { useOwn, type Own } from '../own'
import { unfit } from '../parts/deliver'
import { Loaded, Nothing, Notice, Page } from '../parts/page'
import { Steps } from '../parts/steps'
import { cancel, start, useUpload, type Upload } from '../upload'

// UploadFile is the first step of delivering a file: for which dataset, and which file.
export function UploadFile() {
  const t = useT()
  const navigate = useNavigate()
  const own = useOwn()
  const upload = useUpload()
  const ready = upload?.state === 'done' ? upload.preview?.id : undefined
  useEffect(() => {
    if (ready) void navigate(`/submissions/upload/${ready}`, { replace: true })
  }, [ready, navigate])
  return (
    <Page
      title={t('上传文件', 'Upload a file')}
      about={t('先预检，后报送：上传后给出每一处问题及其单元格，确认之前什么也不入库。', 'Checked before it is sent: every fault is named by its cell, and nothing enters before you say so.')}
      tools={<Link to="/submissions">{t('← 报送记录', '← Submissions')}</Link>}
    >
      <Steps at={0} />
      <Loaded live={own}>{(all) => {
        const list = all.filter((d) => d.plain)
        return list.length === 0 ? <None /> : upload && upload.state !== 'done' ? <Going u={upload} title={list.find((d) => d.code === upload.dataset)?.title ?? upload.dataset} /> : <Choose list={list} />
      }}</Loaded>
    </Page>
  )
}

function None() {
  const t = useT()
  return (
    <Card>
      <Nothing what={t('没有由本单位报送的数据集', 'No dataset is delivered by your organisation')} todo={t('数据集声明中的责任单位决定由谁报送；如有遗漏，请联系区大数据中心。', 'The owner in a dataset’s declaration delivers it; tell the data centre if one is missing.')} />
    </Card>
  )
}

function Choose({ list }: { list: Own[] }) {
  const t = useT()
  const [query, setQuery] = useSearchParams()
  const asked = query.get('dataset') ?? ''
  const only = list.length === 1 ? (list[0]?.code ?? '') : ''
  const dataset = list.some((d) => d.code === asked) ? asked : only
  return (
    <Card size="small">
      <div className="stack">
        <label className="upload-field">
          <b>{t('数据集', 'Dataset')}</b>
          <Select
            aria-label={t('数据集', 'Dataset')}
            placeholder={t('请选择要报送的数据集', 'Choose the dataset')}
            showSearch={{ optionFilterProp: 'label' }}
            value={dataset || undefined}
            onChange={(v: string) => setQuery({ dataset: v }, { replace: true })}
            options={list.map((d) => ({ value: d.code, label: d.title }))}
          />
        </label>
        <Drop dataset={dataset} />
        <p className="quiet small" style={{ margin: 0 }}>
          {t('表头按数据项的名称或中文名自动对应，下一步可以改。没有现成的表格时，请用模板填报：', 'Headings are matched by name or title and can be changed in the next step. To start from nothing use the template: ')}
          {dataset ? <a href={templateURL(dataset)} download={`${dataset}.xlsx`}><DownloadOutlined aria-hidden /> {t('下载模板', 'template')}</a> : t('选择数据集后可下载。', 'choose a dataset to get it.')}
        </p>
      </div>
    </Card>
  )
}

// Drop takes a file by the mouse or by the keyboard: under it lies an ordinary input.
function Drop({ dataset }: { dataset: string }) {
  const t = useT()
  const [over, setOver] = useState(false)
  const [fault, setFault] = useState('')
  const take = (files: FileList | null) => {
    const f = files?.[0]
    if (!f) return
    if (!dataset) return setFault(t('请先选择数据集。', 'Choose the dataset first.'))
    if (files.length > 1) return setFault(t('一次只报送一个文件。', 'One file at a time.'))
    const why = unfit(f, t)
    setFault(why)
    if (!why) start(dataset, f)
  }
  const hover = (is: boolean) => (e: DragEvent) => {
    e.preventDefault()
    setOver(is)
  }
  return (
    <>
      <label
        className={`drop${over ? ' drop-over' : ''}${dataset ? '' : ' drop-off'}`}
        onDragEnter={hover(true)}
        onDragOver={hover(true)}
        onDragLeave={hover(false)}
        onDrop={(e) => {
          hover(false)(e)
          take(e.dataTransfer.files)
        }}
      >
        <InboxOutlined className="drop-icon" aria-hidden />
        <b>{t('把文件拖到这里，或点击选择', 'Drop a file here or click to choose')}</b>
        <span className="quiet small">{t('CSV（UTF-8、GB 18030）、XLSX、Parquet，不超过 512 MB', 'CSV (UTF-8, GB 18030), XLSX or Parquet, up to 512 MB')}</span>
        <input
          type="file"
          accept=".csv,.txt,.xlsx,.parquet"
          disabled={!dataset}
          aria-label={t('选择要上传的文件', 'The file to upload')}
          onChange={(e) => {
            take(e.target.files)
            e.target.value = '' // the same file may be chosen again after it was mended
          }}
        />
      </label>
      {fault ? <Alert type="error" showIcon role="alert" title={fault} /> : null}
    </>
  )
}

function Going({ u, title }: { u: Upload; title: string }) {
  const t = useT()
  const percent = u.size > 0 ? Math.floor((100 * u.sent) / u.size) : 0
  return (
    <Card size="small">
      <div className="stack">
        <div><b>{u.name}</b> <span className="quiet">{bytes(u.size)} · {title}</span></div>
        {u.state === 'failed' ? (
          <>
            {u.problem ? <Notice problem={u.problem} /> : null}
            <div><Button type="primary" onClick={cancel}>{t('重新选择文件', 'Choose again')}</Button></div>
          </>
        ) : (
          <>
            <Progress percent={u.state === 'checking' ? 100 : percent} status="active" aria-label={t('上传进度', 'Upload')} />
            <div className="row" role="status">
              {u.state === 'checking' ? <><Spin size="small" /><span>{t('已上传，正在逐行预检……', 'Uploaded; every row is being checked…')}</span></> : <span>{t(`已上传 ${bytes(u.sent)} / ${bytes(u.size)}`, `${bytes(u.sent)} of ${bytes(u.size)} sent`)}</span>}
              <span className="quiet small">{t('可以去看别的页面，回来时仍在这里。', 'You may look at other pages; it goes on.')}</span>
            </div>
            <div><Button onClick={cancel}>{t('取消上传', 'Cancel')}</Button></div>
          </>
        )}
      </div>
    </Card>
  )
}
