import { DownloadOutlined } from '@ant-design/icons'
import { Alert, App, Button, Card, Select, Spin, Tag } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { useEffect, useMemo, useState } from 'react'
import { Link, Navigate, useNavigate, useParams } from 'react-router'
import { discardFile, getDataset, getPreview, getSubmission, markedURL, previewFile, sendFile } from '../calls'
import { count } from '../format'
import { useLang, useT } from '../lang'
import { useLive } from '../live'
import { useAct } from '../parts/act'
import { ClassBar } from '../parts/class-bar'
import { asked, readBy } from '../parts/deliver'
import { changed, choose, mappingOf, missing, type Mapping } from '../parts/mapping'
import { Figures, Loaded, Notice, Page } from '../parts/page'
import { Steps } from '../parts/steps'
import { Table } from '../parts/table'
import { className } from '../parts/tags'
import { asProblem, type Problem } from '../problem'
import type { Column, FileAsk, FileFault, FilePreview, Submission } from '../shapes'
import { cancel, start, useUpload } from '../upload'

// Preview is the second step of delivering a file: what is in it, what is wrong with
// it, and the word that it is to be sent. It can be left and come back to.
export function Preview() {
  const t = useT()
  const { id = '' } = useParams()
  const live = useLive(() => getSubmission(id), id)
  const upload = useUpload()
  const now = upload?.preview?.id === id ? upload.preview : undefined
  return (
    <Page
      title={t('文件预检', 'The file before it is sent')}
      about={live.data ? <><b>{live.data.source}</b> · <span className="mono">{id}</span></> : undefined}
      tools={<Link to="/submissions">{t('← 报送记录', '← Submissions')}</Link>}
    >
      <Steps at={1} />
      <Loaded live={live}>
        {(s) => {
          if (asked(s)) return <Judged key={id} s={s} first={now} />
          if (now?.earlier) return <Again s={s} refusal={now.refusal} />
          return <Navigate to={`/submissions/${id}`} replace />
        }}
      </Loaded>
    </Page>
  )
}

// Again stands for a file that was delivered before, to the byte.
function Again({ s, refusal }: { s: Submission; refusal: string }) {
  const t = useT()
  const navigate = useNavigate()
  const upload = useUpload()
  const again = () => {
    if (upload) start(upload.dataset, upload.file, true)
    void navigate('/submissions/upload')
  }
  return (
    <Card size="small">
      <div className="stack">
        <Alert type="warning" showIcon role="note" title={t('这份文件报送过，内容一字不差', 'This very content was delivered before')} description={refusal} />
        <div className="row">
          <Link to={`/submissions/${s.id}`}>{t('查看那一次的回执', 'Its receipt')}</Link>
          <Button onClick={again}>{t('仍要报送', 'Deliver it once more')}</Button>
          <Button type="primary" onClick={() => { cancel(); void navigate('/submissions/upload') }}>{t('换一个文件', 'Another file')}</Button>
        </div>
      </div>
    </Card>
  )
}

// useJudge keeps the preview and how it was asked for.
function useJudge(s: Submission, first: FilePreview | undefined) {
  const [state, set] = useState<{ p: FilePreview | undefined; ask: FileAsk; busy: boolean; problem: Problem | undefined }>({ p: first, ask: first ? {} : readBy(s), busy: !first, problem: undefined })
  const judge = (ask: FileAsk) => look(ask, () => previewFile(s.id, ask))
  const look = async (ask: FileAsk, how: () => Promise<FilePreview>) => {
    set((old) => ({ ...old, busy: true, problem: undefined }))
    try {
      const p = await how()
      set({ p, ask, busy: false, problem: undefined })
    } catch (err) {
      set((old) => ({ ...old, busy: false, problem: asProblem(err) }))
    }
  }
  useEffect(() => {
    if (first) cancel() // taken over: who comes back later is to see what was asked last
    // What was last found is kept; without it, every row is looked at again.
    else void look(state.ask, () => getPreview(s.id).catch(() => previewFile(s.id, state.ask)))
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [])
  return { ...state, judge }
}

function Judged({ s, first }: { s: Submission; first: FilePreview | undefined }) {
  const t = useT()
  const { p, ask, busy, problem, judge } = useJudge(s, first)
  const dataset = useLive(() => getDataset(s.dataset), `dataset ${s.dataset}`)
  if (!p) {
    if (problem) return <><Notice problem={problem} retry={() => void judge(ask)} /><Foot s={s} /></>
    return <Card><div className="row" role="status"><Spin /> {t('正在逐行预检……可以离开，回来时再看。', 'Every row is being checked… You may leave and come back.')}</div></Card>
  }
  return (
    <>
      {problem ? <Notice problem={problem} /> : null}
      <Loaded live={dataset}>{(d) => <Shown key={JSON.stringify([ask, p.rows, p.good])} s={s} p={p} ask={ask} busy={busy} judge={judge} columns={d.columns} title={d.title} />}</Loaded>
    </>
  )
}

interface ShownProps { s: Submission; p: FilePreview; ask: FileAsk; busy: boolean; judge: (ask: FileAsk) => Promise<void>; columns: Column[]; title: string }

function Shown({ s, p, ask, busy, judge, columns, title }: ShownProps) {
  const t = useT()
  const [map, setMap] = useState<Mapping>(() => mappingOf(p.columns))
  const edited = changed(map, mappingOf(p.columns))
  const required = useMemo(() => columns.filter((c) => c.required || c.key).map((c) => c.name), [columns])
  const lacks = edited ? missing(required, map) : p.missing
  const name = (column: string) => columns.find((c) => c.name === column)?.title ?? column
  return (
    <>
      {p.refusal && !p.missing.length ? <Alert type="error" showIcon role="note" title={t('这份文件现在不能报送', 'This file can not be sent as it is')} description={p.refusal} /> : null}
      {lacks.length ? <Alert type="error" showIcon role="note" title={t(`必填的数据项没有对应的列：${lacks.map(name).join('、')}`, `Required columns without a heading: ${lacks.join(', ')}`)} description={t('请在下面的对应关系中为它们选择列；文件里确实没有时，请补齐后重新上传。', 'Choose a heading for each below; if the file has none, add it and upload again.')} /> : null}
      <Figures
        items={[
          { name: t('数据集', 'Dataset'), value: <span style={{ fontSize: 16 }}>{title}</span> },
          { name: t('行数', 'Rows'), value: count(p.rows) },
          { name: t('可以入库', 'Would enter'), value: <span className="holds">{count(p.good)}</span> },
          { name: t('有问题的行', 'Rows with faults'), value: <span className={p.bad ? 'broken' : undefined}>{count(p.bad)}</span> },
          { name: t('问题处数', 'Faults'), value: count(p.fault_count) },
          ...(p.soft ? [{ name: t('入库但有弱项', 'Enter, with soft faults'), value: count(p.soft) }] : []),
        ]}
      />
      {p.rows > 0 ? <Split good={p.good} bad={p.bad} /> : null}
      <Reading p={p} ask={ask} busy={busy} judge={judge} />
      <Card
        size="small"
        title={t('表头与数据项的对应', 'Headings and columns')}
        styles={{ body: { padding: 0 } }}
        extra={
          edited ? (
            <span className="row">
              <Button size="small" onClick={() => setMap(mappingOf(p.columns))}>{t('还原', 'Undo')}</Button>
              <Button size="small" type="primary" loading={busy} onClick={() => void judge({ ...ask, map })}>{t('按新的对应重新预检', 'Check again')}</Button>
            </span>
          ) : <span className="quiet small">{t(`${p.columns.filter((c) => c.column).length} 列对应，${p.columns.filter((c) => !c.column).length} 列不导入`, `${p.columns.filter((c) => c.column).length} matched, ${p.columns.filter((c) => !c.column).length} left out`)}</span>
        }
      >
        <Match p={p} columns={columns} map={map} set={setMap} lacks={lacks} />
      </Card>
      {p.fault_count > 0 ? <Faults s={s} p={p} name={name} /> : null}
      <Foot s={s} p={p} edited={edited} busy={busy} />
    </>
  )
}

// Split is the good and the bad of the rows as one bar.
function Split({ good, bad }: { good: number; bad: number }) {
  const t = useT()
  const all = Math.max(1, good + bad)
  const words = t(`可以入库 ${count(good)} 行，有问题 ${count(bad)} 行`, `${count(good)} rows would enter, ${count(bad)} have faults`)
  return (
    <div className="split" role="img" aria-label={words} title={words}>
      <span className="split-good" style={{ width: `${(100 * good) / all}%` }} />
      {bad > 0 ? <span className="split-bad" style={{ width: `${Math.max(1, (100 * bad) / all)}%` }} /> : null}
    </div>
  )
}

const encodings = ['utf-8', 'gb18030', 'utf-16le', 'utf-16be']

// Reading says how the file was read; another sheet, heading row or encoding has other
// headings, so what was matched by hand is let go.
function Reading({ p, ask, busy, judge }: { p: FilePreview; ask: FileAsk; busy: boolean; judge: (ask: FileAsk) => Promise<void> }) {
  const t = useT()
  const { map: _, ...reading } = ask
  if (p.format !== 'xlsx' && p.format !== 'csv') return null
  const known = p.encoding.toLowerCase()
  return (
    <Card size="small">
      <div className="row">
        {p.format === 'xlsx' ? (
          <label className="row">
            {t('工作表', 'Sheet')}
            <Select aria-label={t('工作表', 'Sheet')} style={{ minWidth: 180 }} disabled={busy} value={p.sheet} onChange={(sheet: string) => void judge({ sheet })} options={p.sheets.map((s) => ({ value: s.name, label: s.name + (s.rows ? t(`（${count(s.rows)} 行）`, ` (${count(s.rows)} rows)`) : '') + (s.hidden ? t('（隐藏）', ' (hidden)') : '') }))} />
          </label>
        ) : (
          <label className="row">
            {t('编码', 'Encoding')}
            <Select aria-label={t('编码', 'Encoding')} style={{ minWidth: 180 }} disabled={busy} value={known} onChange={(encoding: string) => void judge({ ...reading, encoding })} options={[...new Set([...encodings, known])].map((e) => ({ value: e, label: e === 'gb18030' ? t('GB 18030（含 GBK）', 'GB 18030 (GBK)') : e.toUpperCase() }))} />
          </label>
        )}
        <label className="row">
          {t('表头', 'Headings')}
          <Select aria-label={t('表头所在行', 'Heading row')} style={{ width: 116 }} disabled={busy} value={p.header} onChange={(header: number) => void judge({ ...reading, header })} options={[...new Set([...Array(20)].map((_, i) => i + 1).concat(p.header))].map((n) => ({ value: n, label: t(`第 ${n} 行`, `row ${n}`) }))} />
        </label>
        {busy ? <span role="status" className="row"><Spin size="small" />{t('正在重新预检……', 'Checking…')}</span> : <span className="quiet small">{t('不对时在这里改，改后自动重新预检。', 'Change it here if it was read wrongly.')}</span>}
      </div>
      {p.notes.length ? <ul className="plain quiet small" style={{ marginTop: 8 }} aria-label={t('请留意', 'To note')}>{p.notes.map((n) => <li key={n}>{n}</li>)}</ul> : null}
    </Card>
  )
}

const by: Record<string, [string, string, string]> = {
  map: ['按指定', 'As told', 'processing'],
  name: ['按名称', 'By name', 'success'],
  title: ['按中文名', 'By title', 'success'],
  none: ['未对应', 'Not matched', 'default'],
}

function Match({ p, columns, map, set, lacks }: { p: FilePreview; columns: Column[]; map: Mapping; set: (m: Mapping) => void; lacks: string[] }) {
  const t = useT()
  const options = [
    { value: '', label: t('不导入', 'Left out') },
    ...columns.map((c) => ({ value: c.name, label: `${c.title} ${c.name}${c.key ? t(' · 主键', ' · key') : c.required ? t(' · 必填', ' · required') : ''}` })),
  ]
  type Line = FilePreview['columns'][number] & { lacking?: string }
  const lines: Line[] = [...p.columns, ...lacks.map((c) => ({ heading: '', column: c, by: 'none' as const, samples: [], lacking: c }))]
  const table: ColumnsType<Line> = [
    { title: t('文件中的表头', 'Heading in the file'), key: 'heading', render: (_, c) => (c.lacking ? <span className="broken">{t('缺少', 'missing')}</span> : <span className="wrap">{c.heading}</span>) },
    { title: t('样例', 'Samples'), key: 'samples', responsive: ['md'], render: (_, c) => <span className="quiet small wrap">{c.samples.join('，') || '–'}</span> },
    {
      title: t('数据项', 'Column'), key: 'column',
      render: (_, c) => {
        if (c.lacking) {
          const col = columns.find((x) => x.name === c.lacking)
          return <span className="broken">{col?.title ?? c.lacking} <span className="mono">{c.lacking}</span> · {col?.key ? t('主键', 'key') : t('必填', 'required')}</span>
        }
        return <Select aria-label={t(`${c.heading} 对应的数据项`, `Column for ${c.heading}`)} style={{ width: 'min(280px, 50vw)' }} popupMatchSelectWidth={false} showSearch={{ optionFilterProp: 'label' }} value={map[c.heading] ?? ''} onChange={(v: string) => set(choose(map, c.heading, v))} options={options} />
      },
    },
    {
      title: t('对应依据', 'Matched'), key: 'by',
      render: (_, c) => {
        if (c.lacking) return <Tag color="error">{t('没有对应', 'No heading')}</Tag>
        if ((map[c.heading] ?? '') !== c.column) return <Tag color="warning">{t('已改，待预检', 'Edited')}</Tag>
        const [zh, en, tone] = by[c.by] ?? ['', c.by, 'default']
        return <Tag color={tone}>{t(zh, en)}</Tag>
      },
    },
  ]
  return <Table rowKey={(c) => (c.lacking ? `- ${c.lacking}` : c.heading)} columns={table} dataSource={lines} pagination={lines.length > 50 ? { pageSize: 50 } : false} />
}

// Faults are by class, with what Excel did explained, and one by one.
function Faults({ s, p, name }: { s: Submission; p: FilePreview; name: (column: string) => string }) {
  const t = useT()
  const { lang } = useLang()
  const excel = p.by_class.filter((c) => c.class.startsWith('excel.'))
  const sheets = new Set(p.faults.map((f) => f.sheet)).size > 1
  const columns: ColumnsType<FileFault> = [
    { title: t('单元格', 'Cell'), key: 'cell', render: (_, f) => <span className="mono">{sheets && f.sheet ? `${f.sheet}!` : ''}{f.cell || t(`第 ${f.row} 行`, `row ${f.row}`)}</span> },
    { title: t('列', 'Column'), key: 'column', render: (_, f) => <>{f.heading || '–'}{f.field ? <div className="quiet small">{name(f.field)} <span className="mono">{f.field}</span></div> : null}</> },
    { title: t('类别', 'Class'), key: 'class', render: (_, f) => <>{className(f.class, lang === 'zh')}{f.rule ? <div className="quiet small mono">{f.rule}</div> : null}</> },
    { title: t('原因与整改', 'Reason and mend'), key: 'reason', render: (_, f) => <div style={{ minWidth: 240, maxWidth: 460, whiteSpace: 'normal' }}>{f.reason}</div> },
  ]
  return (
    <>
      <Card size="small" title={t('问题分类', 'Faults by class')} extra={<a href={markedURL(s.id)} download><DownloadOutlined aria-hidden /> {t('下载标注文件', 'Marked workbook')}</a>}>
        <ClassBar list={p.by_class.map((c) => ({ class: c.class, rows: c.count }))} to={() => ''} named={8} />
        {p.by_rule.length ? (
          <ul className="plain small" style={{ marginTop: 10 }} aria-label={t('按规则', 'By rule')}>
            {p.by_rule.map((r) => <li key={r.rule}>{r.title || r.rule} <Tag color={r.blocking ? 'error' : 'default'}>{r.blocking ? t('强', 'blocking') : t('弱', 'soft')}</Tag>{t(`${count(r.count)} 行`, `${count(r.count)} rows`)}</li>)}
          </ul>
        ) : null}
        {excel.length ? <Alert style={{ marginTop: 12 }} type="warning" showIcon role="note" title={t('Excel 改动了数据，丢掉的数字找不回来，系统不会猜', 'Excel changed the data; digits that are gone are not guessed')} description={<Mend classes={excel.map((c) => c.class)} />} /> : null}
      </Card>
      <Card size="small" title={p.fault_count > p.faults.length ? t(`前 ${count(p.faults.length)} 处，共 ${count(p.fault_count)} 处`, `The first ${count(p.faults.length)} of ${count(p.fault_count)}`) : t(`全部 ${count(p.fault_count)} 处`, `All ${count(p.fault_count)}`)} styles={{ body: { padding: 0 } }} extra={p.fault_count > p.faults.length ? <span className="quiet small">{t('其余见标注文件', 'the rest stands in the marked workbook')}</span> : undefined}>
        <Table rowKey={(f) => `${f.sheet} ${f.row} ${f.cell} ${f.class} ${f.rule}`} columns={columns} dataSource={p.faults} pagination={p.faults.length > 10 ? { pageSize: 10, showSizeChanger: false, size: 'small' } : false} />
      </Card>
    </>
  )
}

// mends say for what Excel did how it comes out right: format the column as text
// before the values go in, since afterwards it is too late.
const mends: Record<string, [string, string]> = {
  'excel.rounded': ['超过 15 位的编号（身份证号、信用代码等）被舍入，末几位变成 0。', 'Numbers of more than 15 digits are rounded: the last become 0.'],
  'excel.scientific': ['长编号显示并存成了 3.10107E+17 这样的科学计数法。', 'Long numbers became 3.10107E+17.'],
  'excel.zeros': ['以 0 开头的编号丢了前面的 0。', 'Leading zeros of codes are gone.'],
  'excel.date': ['日期成了 45292 这样的序号，或编号成了日期。', 'Dates became serial numbers, or codes became dates.'],
  'excel.merged': ['合并单元格只有左上角有值，其余为空：请取消合并并逐行填写。', 'Only the first of merged cells has a value: unmerge and fill each row.'],
  'excel.error': ['单元格是 #N/A、#REF! 等错误值：请改正公式，或粘贴为值。', 'Cells hold #N/A, #REF! and the like: mend the formula or paste values.'],
  'excel.formula': ['公式没有存下计算结果：请在 Excel 或 WPS 中打开、保存一次，或粘贴为值。', 'Formulas without a stored result: open and save once, or paste values.'],
  'excel.number': ['编号列存成了数字，没有校验位可以证明它未被改动。', 'Codes are stored as numbers, and no check digit proves them unchanged.'],
}
const asText = ['excel.rounded', 'excel.scientific', 'excel.zeros', 'excel.date', 'excel.number']

function Mend({ classes }: { classes: string[] }) {
  const t = useT()
  return (
    <>
      <ul className="plain">
        {classes.map((c) => mends[c]).filter((m) => m !== undefined).map((m) => <li key={m[1]}>{t(m[0], m[1])}</li>)}
      </ul>
      {classes.some((c) => asText.includes(c)) ? <b>{t('改为文本后重导：先把整列设为“文本”格式，再从源系统重新导出或重新填写；已经变了的数字，只改格式是找不回来的。', 'Set the column to Text first, then export or fill in again: changing the format of a number that has changed does not bring it back.')}</b> : null}
    </>
  )
}

// Foot is what is done with the file, in reach wherever one has scrolled.
function Foot({ s, p, edited = false, busy = false }: { s: Submission; p?: FilePreview; edited?: boolean; busy?: boolean }) {
  const t = useT()
  const navigate = useNavigate()
  const { modal } = App.useApp()
  const { busy: acting, act } = useAct()
  const send = async () => {
    if (await act(() => sendFile(s.id), t('已开始报送', 'It is being sent'))) {
      cancel()
      void navigate(`/submissions/${s.id}`, { replace: true })
    }
  }
  const discard = () =>
    modal.confirm({
      title: t('放弃这份文件？', 'Discard this file?'),
      content: t('没有报送任何一行；改好后可以重新上传。', 'No row was sent; upload it again when it is mended.'),
      okText: t('放弃', 'Discard'),
      okButtonProps: { danger: true },
      cancelText: t('取消', 'Cancel'),
      onOk: async () => {
        if (await act(() => discardFile(s.id), t('已放弃', 'Discarded'))) {
          cancel()
          void navigate('/submissions', { replace: true })
        }
      },
    })
  const words = !p ? '' : edited
    ? t('对应关系已改，请先重新预检。', 'The matching was edited: check again first.')
    : !p.sendable ? t('改正后才能报送。', 'It can be sent once it is mended.')
      : p.bad ? t(`将报送 ${count(p.rows)} 行，其中 ${count(p.bad)} 行会成为问题数据：不入库，可更正后重放，或下载标注文件改好再报送。`, `${count(p.rows)} rows will be sent; ${count(p.bad)} of them become rejects, to be mended and replayed, or delivered again from the marked workbook.`)
        : t(`将报送 ${count(p.rows)} 行，没有发现问题。`, `${count(p.rows)} rows will be sent; no fault was found.`)
  return (
    <div className="foot">
      <span role="status">{words}</span>
      <span className="row">
        <Button danger disabled={acting || busy} onClick={discard}>{t('放弃', 'Discard')}</Button>
        {p ? <Button type="primary" loading={acting} disabled={!p.sendable || edited || busy} onClick={() => void send()}>{t(`报送 ${count(p.rows)} 行`, `Send ${count(p.rows)} rows`)}</Button> : null}
      </span>
    </div>
  )
}
