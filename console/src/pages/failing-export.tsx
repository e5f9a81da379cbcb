import { DownloadOutlined } from '@ant-design/icons'
import { Alert, Button, Modal, Progress, Segmented } from 'antd'
import { useEffect, useRef, useState } from 'react'
import { failingExportURL } from '../calls'
import { bytes, count } from '../format'
import { useT } from '../lang'
import { Became } from '../parts/became'
import { Copied } from '../parts/copied'
import { fetchFile, type Fetched } from '../parts/fetched'
import { Notice } from '../parts/page'
import { asProblem, type Problem } from '../problem'
import type { FailingAsk } from '../shapes'

interface Going { done: number; total: number }

// Export takes all rows that match, however many, as one signed archive.
export function Export({ dataset, rule, ask, rows, done }: { dataset: string; rule: string; ask: FailingAsk; rows: number | undefined; done: () => void }) {
  const t = useT()
  const [open, setOpen] = useState(false)
  const [format, setFormat] = useState<'csv' | 'xlsx'>('xlsx')
  const [going, setGoing] = useState<Going>()
  const [got, setGot] = useState<Fetched>()
  const [problem, setProblem] = useState<Problem>()
  const stop = useRef<AbortController | undefined>(undefined)
  useEffect(() => () => stop.current?.abort(), [])
  const start = async () => {
    stop.current = new AbortController()
    setProblem(undefined)
    setGot(undefined)
    setGoing({ done: 0, total: 0 })
    try {
      setGot(await fetchFile(failingExportURL(dataset, rule, format), ask, (n, total) => setGoing({ done: n, total }), stop.current.signal))
      done()
    } catch (err) {
      if (!(err instanceof DOMException && err.name === 'AbortError')) setProblem(asProblem(err))
    } finally {
      setGoing(undefined)
    }
  }
  const close = () => {
    stop.current?.abort()
    setOpen(false)
    setGot(undefined)
    setProblem(undefined)
  }
  return (
    <>
      <Button icon={<DownloadOutlined />} onClick={() => setOpen(true)}>{t('导出', 'Export')}</Button>
      <Modal
        open={open} title={t('导出不合格行', 'Export failing rows')} onCancel={close}
        footer={[
          <Button key="close" onClick={close}>{going ? t('停止', 'Stop') : t('关闭', 'Close')}</Button>,
          <Button key="go" type="primary" loading={going !== undefined} onClick={() => void start()}>{got ? t('再导出一次', 'Export again') : t('开始导出', 'Export')}</Button>,
        ]}
      >
        <div className="stack">
          <div className="row">
            <Segmented aria-label={t('格式', 'Format')} value={format} disabled={going !== undefined} onChange={setFormat} options={[{ value: 'xlsx', label: 'XLSX' }, { value: 'csv', label: 'CSV' }]} />
            <span className="quiet small">{rows === undefined ? null : t(`约 ${count(rows)} 行`, `about ${count(rows)} rows`)}{ask.reveal ? t('，以原值', ', in clear') : t('，按权限脱敏', ', masked by your rights')}</span>
          </div>
          <p className="quiet small" style={{ margin: 0 }}>{t('一个 ZIP，每个责任单位一组文件，清单由本端密钥签名；不限行数。导出写入查看记录。证号等文本不会变成数字。', 'One ZIP with files for each unit and a signed list, of any number of rows. It is put down as a look.')}</p>
          {going ? (
            <div role="status">
              <Progress percent={going.total ? Math.floor((100 * going.done) / going.total) : 0} status="active" showInfo={going.total > 0} aria-label={t('导出进度', 'Progress')} />
              <span className="quiet small">{going.total ? t(`正在下载 ${bytes(going.done)} / ${bytes(going.total)}`, `${bytes(going.done)} of ${bytes(going.total)}`) : t('正在生成归档…', 'Making the archive…')}</span>
            </div>
          ) : null}
          {problem ? <Notice problem={problem} retry={() => void start()} /> : null}
          {got ? (
            <Alert
              type="success" showIcon data-exported={got.look}
              title={t(`已导出 ${count(got.rows)} 行，${bytes(got.bytes)}`, `${count(got.rows)} rows, ${bytes(got.bytes)}`)}
              description={
                <div className="stack small">
                  <span className="wrap">{t('核验：', 'Verify: ')}<span className="mono">mulu quality verify {got.name}</span></span>
                  <span>{t('查看记录 ', 'look ')}<span className="mono">{got.look}</span> · {t('摘要 ', 'digest ')}<Copied text={got.digest} /></span>
                  <Became id={got.look} />
                </div>
              }
            />
          ) : null}
        </div>
      </Modal>
    </>
  )
}
