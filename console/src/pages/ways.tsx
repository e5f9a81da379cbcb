import { DownloadOutlined } from '@ant-design/icons'
import { Alert, App, Button, Card, Input, Modal, Tag, Tooltip } from 'antd'
import { useMemo, useState } from 'react'
import { Link } from 'react-router'
import { getLanded, getWays, reportNil, runWay, templateURL } from '../calls'
import { ago, count, day, when } from '../format'
import { useLang, useT } from '../lang'
import { useLive } from '../live'
import type { Own } from '../own'
import { useAct } from '../parts/act'
import { daily, kindOfWay, periodOf, withheld, type Days } from '../parts/deliver'
import { Light, SubmissionState } from '../parts/deliver-tags'
import { Loaded, Nothing } from '../parts/page'
import { mayOpen } from '../places'
import { useMay, useSession } from '../session'
import type { Way } from '../shapes'
import { DayBars, DayChart } from './days'

const length = 28 // days that are drawn

// Ways lists by dataset how it is delivered, and what can be done for it by hand.
export function Ways({ datasets, done }: { datasets: Own[]; done: () => void }) {
  const t = useT()
  const officer = useMay('officer')
  const live = useLive(getWays, 'ways', 5000)
  const one = datasets.length === 1 ? (datasets[0]?.code ?? '') : ''
  // One dataset is looked at more closely: it may have been called a thousand times.
  const recent = useLive(() => getLanded(one, one ? 4 : 1, new Date(Date.now() - length * 86_400_000).toISOString()), `landed ${one}`, 60_000).data
  const days = useMemo(() => {
    if (!recent) return undefined
    const since = recent.whole ? '' : day(recent.list[recent.list.length - 1]?.opened_at)
    return new Map([...new Set(recent.list.map((s) => s.dataset))].map((code) => [code, daily(recent.list.filter((s) => s.dataset === code), Date.now(), length, since)]))
  }, [recent])
  const single = days?.get(one)
  return (
    <Loaded live={live}>
      {(ways) => {
        // An officer delivers what has no declared way, too: by a file or a call.
        const shown = datasets.filter((d) => officer || datasets.length === 1 || ways.some((w) => w.dataset === d.code))
        const rest = datasets.filter((d) => d.plain && !shown.includes(d)).length
        return (
          <>
            <Card size="small" title={t('报送方式', 'Ways of delivery')} styles={{ body: { padding: 0 } }}>
              {shown.length === 0 ? <None officer={officer} some={datasets.length > 0} /> : (
                <ul className="delivery" aria-label={t('各数据集的报送方式', 'Ways by dataset')}>
                  {shown.map((d) => <Dataset key={d.code} d={d} ways={ways.filter((w) => w.dataset === d.code)} days={one ? undefined : days?.get(d.code)} done={() => { live.reload(); done() }} />)}
                </ul>
              )}
              {rest > 0 && shown.length > 0 ? <p className="delivery-rest quiet small">{t(`另有 ${rest} 个数据集没有声明报送方式，仍可上传文件或调用接口；在上方选择数据集可见。`, `${rest} more datasets declare no way; files and calls are open to them. Choose one above to see it.`)}</p> : null}
            </Card>
            {single ? <DayChart d={single} /> : null}
          </>
        )
      }}
    </Loaded>
  )
}

function None({ officer, some }: { officer: boolean; some: boolean }) {
  const t = useT()
  if (officer) return <div style={{ padding: 20 }}><Nothing what={t('没有由本单位报送的数据集', 'No dataset is delivered by your organisation')} todo={t('数据集声明中的责任单位决定由谁报送；如有遗漏，请联系区大数据中心。', 'The owner in a dataset’s declaration delivers it; tell the data centre if one is missing.')} /></div>
  return <div style={{ padding: 20 }}><Nothing what={some ? t('没有数据集声明报送方式', 'No dataset declares a way') : t('还没有数据集', 'No dataset yet')} todo={some ? t('在数据集声明中加 ways 一节，用 mulu apply 装入；上传文件和调用接口不需要声明。', 'Add ways to a dataset’s manifest and apply it; files and calls need no declaration.') : t('用 mulu apply -f 目录 声明。', 'Declare some with mulu apply -f DIR.')} /></div>
}

function Dataset({ d, ways, days, done }: { d: Own; ways: Way[]; days: Days | undefined; done: () => void }) {
  const t = useT()
  const { session } = useSession()
  const delivers = useMay('officer', 'steward')
  const reports = useMay('officer') // that nothing changed is the department's to say
  const [nil, setNil] = useState(false)
  return (
    <li>
      <div className="delivery-head">
        <div>
          {session && mayOpen('/datasets', session.role) ? <Link to={`/datasets/${d.code}`}><b>{d.title}</b></Link> : <b>{d.title}</b>}{' '}
          <span className="quiet small">{[d.owner, d.cycle].filter(Boolean).join(' · ')}</span>
        </div>
        {days ? <DayBars d={days} /> : null}
        {delivers ? (
          <div className="row">
            {d.plain ? <Link to={`/submissions/upload?dataset=${encodeURIComponent(d.code)}`}>{t('上传文件', 'Upload')}</Link> : null}
            {d.plain ? <a href={templateURL(d.code)} download={`${d.code}.xlsx`} aria-label={t(`下载 ${d.title} 的模板`, `Template of ${d.title}`)}><DownloadOutlined aria-hidden /> {t('下载模板', 'Template')}</a> : null}
            {reports ? <Button size="small" onClick={() => setNil(true)} aria-label={t(`${d.title} 本期无变化`, `Nothing changed in ${d.title}`)}>{t('本期无变化', 'Nothing changed')}</Button> : null}
          </div>
        ) : null}
      </div>
      {ways.length === 0 ? <div className="quiet small">{d.plain ? t('没有声明定时的方式；可上传文件、调用接口，或报“本期无变化”。', 'No way is declared: upload a file, call the API, or report that nothing changed.') : t('这个数据集的记录格式只能经 Kafka 报送；没有变化时可报“本期无变化”。', 'Records of this format are delivered through Kafka only; that nothing changed can be reported here.')}</div> : ways.map((w) => <WayLine key={`${w.kind}/${w.name}`} w={w} done={done} />)}
      {nil ? <Nil d={d} close={() => setNil(false)} done={done} /> : null}
    </li>
  )
}

function WayLine({ w, done }: { w: Way; done: () => void }) {
  const t = useT()
  const { lang } = useLang()
  const { busy, act } = useAct()
  const runs = useMay('steward', 'operator', 'officer') && w.kind === 'table'
  const { modal } = App.useApp()
  const run = async (agree: boolean) => {
    await act(() => runWay(w, agree), t('已记下，数秒内开始', 'Noted; it begins within seconds'))
    done()
  }
  const pulling = w.running || w.asked
  const gone = withheld(w.last)
  const agree = () =>
    modal.confirm({
      title: t(`同意删除 ${count(gone)} 行？`, `Delete ${count(gone)} rows?`),
      content: t('源表比上次少了这么多行，超过了上限，所以没有删除。请先与报送单位核实；同意后立即重新取数并删除。', 'So many rows are gone from the source that nothing was deleted. Ask the department first; the table is then pulled again and the rows are deleted.'),
      okText: t('同意删除', 'Delete them'),
      okButtonProps: { danger: true },
      cancelText: t('取消', 'Cancel'),
      onOk: () => run(true),
    })
  const last = w.last
  return (
    <div className="way">
      <div>
        <Tag>{kindOfWay(w.kind, t)}</Tag>
        <span className="mono">{w.name}</span>
        <div className="quiet small wrap">{w.source}</div>
      </div>
      <div>
        <div className="quiet small">{t('计划', 'Schedule')}</div>
        {w.schedule || t('随时', 'any time')}
        {w.next ? <div className="quiet small">{t('下一次 ', 'next ')}{when(w.next).slice(5, 16)}</div> : null}
      </div>
      <div>
        <div className="quiet small">{t('最近一次', 'Last')}</div>
        {last ? (
          <>
            <Link to={`/submissions/${last.id}`} title={when(last.opened_at)} aria-label={t(`最近一次报送 ${last.id}`, `The last submission ${last.id}`)}>{ago(last.opened_at, Date.now(), lang)}</Link>
            {' '}<SubmissionState s={last} />
            {last.state === 'landed' ? <div className="quiet small">{t(`入库 ${count(last.good)}，问题数据 ${count(last.rejected)}`, `${count(last.good)} good, ${count(last.rejected)} rejected`)}</div> : null}
          </>
        ) : <span className="quiet">{t('还没有', 'none yet')}</span>}
      </div>
      <div>
        <Light w={w} />
        {w.failure ? <div className="broken-text small wrap">{w.failure}</div> : null}
        {gone > 0 && runs ? <div style={{ marginTop: 4 }}><Button size="small" danger disabled={w.paused || pulling} onClick={agree}>{t(`同意删除 ${count(gone)} 行`, `Agree to delete ${count(gone)} rows`)}</Button></div> : null}
      </div>
      <div className="way-act">
        {runs ? (
          <Tooltip title={w.paused ? t('数据集已暂停读取', 'The dataset is paused') : pulling ? t('正在取数，或已要求取数', 'It is being pulled, or will be at once') : ''}>
            <Button size="small" loading={busy || pulling} disabled={w.paused || pulling} onClick={() => void run(false)} aria-label={t(`立即取数 ${w.dataset} ${w.name}`, `Pull ${w.dataset} ${w.name} now`)}>{t('立即取数', 'Pull now')}</Button>
          </Tooltip>
        ) : null}
      </div>
    </div>
  )
}

// Nil reports that nothing changed in this period (零报告).
function Nil({ d, close, done }: { d: Own; close: () => void; done: () => void }) {
  const t = useT()
  const { busy, act } = useAct()
  const [period, setPeriod] = useState(() => periodOf(d.cycle, Date.now()))
  const [note, setNote] = useState('')
  const send = async () => {
    if (await act(() => reportNil({ dataset: d.code, period: period.trim(), note: note.trim() || undefined }), t('零报告已登记', 'The nil report is down'))) {
      close()
      done()
    }
  }
  return (
    <Modal open title={t('本期无变化（零报告）', 'Nothing changed (nil report)')} okText={t(`确认 ${period} 无变化`, `Nothing changed in ${period}`)} cancelText={t('取消', 'Cancel')} okButtonProps={{ loading: busy, disabled: !period.trim() }} onOk={() => void send()} onCancel={close}>
      <div className="stack">
        <Alert type="info" role="note" title={t(`“${d.title}”在 ${period} 没有新增、变更或删除`, `Nothing was added, changed or removed in “${d.title}” in ${period}`)} description={t('计为本期按时报送，不影响已有数据；其后又有变化，照常报送即可。', 'It counts as delivered on time and touches no row. What changes later is delivered as ever.')} />
        <label>
          {t('期次', 'Period')}{d.cycle ? <span className="quiet small">{t(`（更新周期：${d.cycle}）`, ` (cycle: ${d.cycle})`)}</span> : null}
          <Input value={period} maxLength={40} onChange={(e) => setPeriod(e.target.value)} />
        </label>
        <label>
          {t('说明（可不填）', 'Note (optional)')}
          <Input.TextArea rows={2} maxLength={500} value={note} onChange={(e) => setNote(e.target.value)} />
        </label>
      </div>
    </Modal>
  )
}
