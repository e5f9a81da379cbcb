import { DownloadOutlined } from '@ant-design/icons'
import { Alert, Button, Card, Descriptions, Progress } from 'antd'
import { useEffect, useState } from 'react'
import { Link, useNavigate, useParams } from 'react-router'
import { getSubmission, markedURL } from '../calls'
import { count, when } from '../format'
import { useT, type T } from '../lang'
import { useLive } from '../live'
import { Copied } from '../parts/copied'
import { asked, kindOfWay, moving, progress } from '../parts/deliver'
import { SubmissionState } from '../parts/deliver-tags'
import { Figures, Loaded, Page } from '../parts/page'
import { Steps } from '../parts/steps'
import { useOwn } from '../own'
import { useMay, useSession } from '../session'
import type { Submission } from '../shapes'
import { Rejected } from './submissions'

// Receipt is one submission: how far it is, and once it has landed its receipt
// (报送回执), on the screen and on paper.
export function Receipt() {
  const t = useT()
  const navigate = useNavigate()
  const { id = '' } = useParams()
  const [every, setEvery] = useState(1500)
  const live = useLive(() => getSubmission(id), id, every)
  const own = useOwn()
  const s = live.data
  const sees = useMay('officer', 'steward') // its cells hold values
  const moves = s ? moving(s) : true
  useEffect(() => setEvery(moves ? 1500 : 0), [moves])
  const title = own.data?.find((d) => d.code === s?.dataset)?.title ?? s?.dataset ?? ''
  return (
    <Page
      title={s?.state === 'landed' ? t('报送回执', 'Receipt') : t('报送', 'Delivery')}
      about={<>{title} · <span className="mono">{id}</span></>}
      tools={
        <span className="row no-print">
          <Button onClick={() => void navigate('/submissions')}>{t('返回', 'Back')}</Button>
          {s && s.way === 'file' && s.rejected > 0 && sees ? <Button icon={<DownloadOutlined />} href={markedURL(id)} download>{t('下载标注文件', 'Marked workbook')}</Button> : null}
          {s?.state === 'landed' ? <Button type="primary" onClick={() => window.print()}>{t('打印', 'Print')}</Button> : null}
        </span>
      }
    >
      {s?.way === 'file' && s.state !== 'refused' && !asked(s) ? <Steps at={2} /> : null}
      <Loaded live={live}>
        {(s) => (
          <div className="stack receipt">
            <State s={s} />
            <Sheet s={s} title={title} />
          </div>
        )}
      </Loaded>
    </Page>
  )
}

// State says what is to be done, or how far it is.
function State({ s }: { s: Submission }) {
  const t = useT()
  const problem = typeof s.report.problem === 'string' ? s.report.problem : ''
  if (asked(s)) {
    return (
      <Alert
        type="warning"
        showIcon
        role="note"
        title={t('文件已上传、尚未报送', 'Uploaded and not yet sent')}
        description={t('一行也没有进入消息系统；请看过预检结果后报送或放弃。', 'No row has been sent: look at what was found, then send or discard it.')}
        action={<Link to={`/submissions/upload/${s.id}`}>{t('继续预检', 'Go on')}</Link>}
      />
    )
  }
  if (s.state === 'refused') return <Alert type="error" showIcon role="note" title={t('未接收，一行也没有入库', 'Refused: no row was taken')} description={s.reason} />
  if (!moving(s)) return null
  const percent = progress(s)
  return (
    <Card size="small">
      <div className="stack" role="status">
        {percent === undefined ? null : <Progress percent={percent} status="active" aria-label={t('报送进度', 'Progress')} />}
        <span>
          {s.state === 'sent'
            ? t(`${count(s.rows)} 行已全部进入消息系统，正在入库……`, `All ${count(s.rows)} rows are on the broker and are being read…`)
            : s.total > 0 ? t(`消息系统已收下 ${count(s.rows)} / ${count(s.total)} 行`, `${count(s.rows)} of ${count(s.total)} rows are on the broker`) : t(`消息系统已收下 ${count(s.rows)} 行`, `${count(s.rows)} rows are on the broker`)}
        </span>
        <span className="quiet small">{t('可以离开本页，报送在后台继续；断电、重启后也会接着发，不重不漏。', 'You may leave: it goes on in the background, also after a restart, without loss or repetition.')}</span>
        {problem ? <Alert type="warning" showIcon role="note" title={t('暂时没有进展', 'It does not go on')} description={problem} /> : null}
      </div>
    </Card>
  )
}

function Sheet({ s, title }: { s: Submission; title: string }) {
  const t = useT()
  const { session } = useSession()
  const landed = s.state === 'landed'
  const lost = landed ? s.rows - s.good - s.rejected : 0
  return (
    <>
      {s.way === 'nil' ? null : (
        <Figures
          items={[
            { name: t('报送', 'Delivered'), value: count(s.rows), unit: t('行', 'rows') },
            { name: t('入库', 'Good'), value: landed ? <span className="holds">{count(s.good)}</span> : '–', unit: landed ? t('行', 'rows') : undefined },
            { name: t('问题数据', 'Rejects'), value: <Rejected s={s} />, unit: landed ? t('行', 'rows') : undefined },
            ...(lost > 0 ? [{ name: t('读取前已被清除', 'Removed before reading'), value: <span className="broken">{count(lost)}</span>, unit: t('行', 'rows') }] : []),
          ]}
        />
      )}
      <Card size="small">
        <Descriptions
          size="small"
          column={{ xs: 1, sm: 1, lg: 2 }}
          items={[
            { key: 'id', label: t('编号', 'Number'), children: <span className="mono">{s.id}</span> },
            { key: 'state', label: t('状态', 'State'), children: <SubmissionState s={s} /> },
            { key: 'dataset', label: t('数据集', 'Dataset'), children: <>{title}&nbsp;<span className="quiet mono">{s.dataset}</span></> },
            { key: 'way', label: t('方式', 'Way'), children: <>{kindOfWay(s.way, t)}{s.name ? <>&nbsp;<span className="mono">{s.name}</span></> : null}</> },
            ...(s.period ? [{ key: 'period', label: t('期次', 'Period'), children: t(`${s.period}，无变化`, `${s.period}, nothing changed`) }] : []),
            ...(s.source ? [{ key: 'source', label: t('来源', 'Source'), children: <span className="wrap">{s.source}</span> }] : []),
            { key: 'by', label: t('报送人', 'By'), children: s.by || (s.way === 'file' ? t('投递目录', 'drop folder') : t('定时', 'schedule')) },
            { key: 'opened', label: t('开始', 'Started'), children: when(s.opened_at) },
            ...(s.state === 'refused' ? [{ key: 'ended', label: t('结束', 'Ended'), children: when(s.landed_at ?? s.sent_at) }] : s.way === 'nil' ? [] : [
              { key: 'sent', label: t('全部送达消息系统', 'All on the broker'), children: when(s.sent_at) },
              { key: 'landed', label: t('入库完成', 'Landed'), children: when(s.landed_at) },
            ]),
            ...notes(s, t),
            ...(s.digest ? [{ key: 'digest', label: t('文件摘要', 'Digest'), span: 'filled' as const, children: <Copied text={s.digest} whole /> }] : []),
          ]}
        />
      </Card>
      {landed ? (
        <p className="quiet small" style={{ margin: 0 }}>
          {s.way === 'nil'
            ? t('零报告计为本期按时报送，已有数据不变。', 'A nil report counts as delivered on time; nothing is changed.')
            : t('“报送”是消息系统收下的行数，等于入库与问题数据之和。问题数据原样保存，更正后重放入库，或改好后重新报送。', 'Delivered is what the broker took: good and rejects together. Rejects are kept as they came, to be mended and replayed or delivered again.')}
          <span className="print-only"><br />{t('mulu 公共数据治理与共享。打印人：', 'mulu. Printed by: ')}{session?.org_name} {session?.name}，{when(new Date().toISOString())}</span>
        </p>
      ) : null}
    </>
  )
}

// notes are what the way itself says, where the reader should know it.
function notes(s: Submission, t: T) {
  const said: [string, string, string][] = [['note', '说明', 'Note'], ['delivered', '本期最近一次数据', 'Rows of this period'], ['sent_by', '确认报送', 'Told to send'], ['batch', '源端批次', 'Batch of the source'], ['deleted', '其中删除', 'Deletions'], ['same', '与上次相同、未重发', 'As before, not sent'], ['withheld', '待同意的删除', 'Deletions withheld'], ['left', '提前结束', 'Ended early']]
  return said.flatMap(([key, zh, en]) => {
    const v = s.report[key]
    const words = typeof v === 'number' && v > 0 ? t(`${count(v)} 行`, `${count(v)} rows`) : typeof v === 'string' && v !== s.by ? v : ''
    return words ? [{ key, label: t(zh, en), children: <span className="wrap">{words}</span> }] : []
  })
}
