import { Alert, Button, Card, Progress, Select } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { useEffect, useMemo, useRef, useState } from 'react'
import { getBacktests, startBacktest, type Backtest, type BacktestResult, type BacktestRule, type RuleDraft } from '../calls-rules'
import { count, digest, percent, when } from '../format'
import { useT } from '../lang'
import { useLive } from '../live'
import { useAct } from '../parts/act'
import { Chart } from '../parts/chart'
import { Copied } from '../parts/copied'
import { Figures, Loaded, Nothing } from '../parts/page'
import { Change, Force } from '../parts/rule-words'
import { Table } from '../parts/table'
import { useMay } from '../session'

// Trials are the draft tried over history beside the rules in force.
export function Trials({ d, reload }: { d: RuleDraft; reload: () => void }) {
  const t = useT()
  const may = useMay('steward', 'officer') && d.state === 'open'
  const { busy, act } = useAct()
  const [share, setShare] = useState(0)
  const [chosen, choose] = useState('')
  const [fast, setFast] = useState(false)
  const live = useLive(() => getBacktests(d.id), `${d.id} ${d.digest}`, fast ? 700 : 0)
  const running = live.data?.some((b) => b.state === 'running') ?? false
  const was = useRef(false)
  useEffect(() => {
    setFast(running)
    if (was.current && !running) reload() // it may be put in force now
    was.current = running
  }, [running]) // eslint-disable-line react-hooks/exhaustive-deps
  const start = async () => {
    const done = await act(async () => { choose((await startBacktest(d.id, share)).id) }, t('试跑已开始', 'The trial has begun'))
    was.current = done // however short it was
    if (done) live.reload()
    else reload()
  }
  const stands = d.faults.length > 0 ? t('请先改正规则中的问题', 'Mend the faults first') : d.newest !== d.base ? t('请先变基', 'Rebase first') : ''
  return (
    <Card size="small">
      <div className="stack">
        <div className="row">
          {may ? (
            <>
              <Select aria-label={t('判断哪些行', 'Which rows')} value={share} onChange={setShare} options={[{ value: 0, label: t('全部现有的行', 'Every row there is') }, ...[0.1, 0.01].map((s) => ({ value: s, label: t(`抽样 ${s * 100}%`, `a sample of ${s * 100}%`) }))]} />
              <Button type="primary" loading={busy} disabled={running || stands !== ''} onClick={() => void start()}>{t('开始试跑', 'Begin')}</Button>
              {stands ? <span className="quiet">{stands}</span> : null}
            </>
          ) : null}
          {live.data && live.data.length > 1 ? (
            <Select
              aria-label={t('哪次试跑', 'Which trial')} style={{ marginInlineStart: 'auto', minWidth: 320 }} value={chosen || live.data[0]?.id} onChange={choose}
              options={live.data.map((b) => ({ value: b.id, label: `${when(b.began)} · ${b.share ? t(`抽样 ${b.share * 100}%`, `${b.share * 100}%`) : t('全部', 'all')} · ${b.current ? t('现有内容', 'as it is') : t('内容其后改过', 'changed since')}` }))}
            />
          ) : null}
        </div>
        <Loaded live={live}>{(list) => {
          const b = list.find((x) => x.id === chosen) ?? list[0]
          return b ? <One b={b} /> : <Nothing what={t('还没有试跑', 'No trial yet')} todo={t('试跑在历史数据上比较草稿与现行规则，不改变任何数据。', 'A trial compares the draft with the rules in force over history, and changes nothing.')} />
        }}</Loaded>
      </div>
    </Card>
  )
}

function One({ b }: { b: Backtest }) {
  const t = useT()
  if (b.state === 'running') {
    const done = b.total > 0 ? Math.min(1, b.rows / b.total) : 0
    return (
      <div data-trial="running">
        <Progress percent={Number((done * 100).toFixed(1))} status="active" aria-label={t('试跑进度', 'Progress')} />
        <span className="quiet">{t(`已判断 ${count(b.rows)} / ${count(b.total)} 行`, `${count(b.rows)} of ${count(b.total)} rows judged`)}</span>
      </div>
    )
  }
  if (b.state === 'failed' || !b.result) return <Alert type="error" showIcon title={t('试跑没有完成', 'The trial did not finish')} description={b.error} />
  return <Result b={b} r={b.result} />
}

function Result({ b, r }: { b: Backtest; r: BacktestResult }) {
  const t = useT()
  return (
    <div className="stack" data-trial="done">
      {b.current ? null : <Alert type="warning" role="status" showIcon title={t('草稿在这次试跑之后改过，结果不是现有内容的', 'The draft has changed since: this is not how it is now')} />}
      <Figures
        items={[
          { name: t('判断', 'Judged'), value: count(r.rows), unit: t(b.share ? `行（抽样 ${b.share * 100}%）` : '行', b.share ? `rows (${b.share * 100}%)` : 'rows') },
          { name: t('草稿的强规则会挡下', 'Strong rules would reject'), value: <span className={r.rejected ? 'broken' : undefined}>{count(r.rejected)}</span>, unit: t('行', 'rows') },
          { name: t('其中现行规则不挡', 'Of them let in now'), value: <span className={r.new_rejected ? 'broken' : undefined}>{count(r.new_rejected)}</span>, unit: t('行', 'rows') },
          { name: t('比较的现行版本', 'Beside version'), value: r.base },
        ]}
      />
      <ByRule list={r.rules} />
      {r.sets.length ? <p className="quiet small" style={{ margin: 0 }}>{t('试跑不判断数据集规则：', 'Set rules are not tried: ')}<span className="mono">{r.sets.join('  ')}</span></p> : null}
      <ByDay r={r} />
      <p className="quiet small" style={{ margin: 0 }}>
        {b.asked_by} · {when(b.began)} – {when(b.ended)} · {t('按 ', 'as of ')}{r.as_of.slice(0, 10)} · {t('结果摘要 ', 'digest ')}<Copied text={r.digest} />
        {r.data ? <> · {t('数据版本 ', 'data ')}<span className="mono" title={r.data}>{digest(r.data)}</span></> : <> · {t('试跑期间数据有变', 'rows arrived during the trial')}</>}
      </p>
    </div>
  )
}

function ByRule({ list }: { list: BacktestRule[] }) {
  const t = useT()
  const [all, setAll] = useState(false)
  const moved = list.filter((r) => r.change !== 'same' || r.new > 0 || r.mended > 0)
  const shown = all || !moved.length ? list : moved
  const part = (n: number, of: number) => <>{count(n)}<div className="quiet small">{of ? percent(n / of) : '–'}</div></>
  const columns: ColumnsType<BacktestRule> = [
    { title: t('规则', 'Rule'), key: 'title', render: (_, r) => <><Force blocking={r.blocking} />{r.title}<div className="quiet small mono">{r.rule}</div></> },
    { title: t('改动', 'Change'), key: 'change', render: (_, r) => <Change change={r.change} /> },
    { title: t('判断', 'Judged'), key: 'evaluated', className: 'num', render: (_, r) => count(r.evaluated) },
    { title: t('不合格', 'Failed'), key: 'failed', className: 'num', render: (_, r) => part(r.failed, r.evaluated) },
    { title: t('现行不合格', 'Failed now'), key: 'now', className: 'num', render: (_, r) => part(r.failed_now, r.evaluated_now) },
    { title: t('新增', 'New'), key: 'new', className: 'num', render: (_, r) => <span className={r.new ? 'broken' : undefined}>{count(r.new)}</span> },
    { title: t('不再', 'Mended'), key: 'mended', className: 'num', render: (_, r) => <span className={r.mended ? 'holds' : undefined}>{count(r.mended)}</span> },
    { title: t('仍不合格', 'Same'), key: 'same', className: 'num', render: (_, r) => count(r.same) },
    { title: t('会挡下', 'Would reject'), key: 'rejected', className: 'num', render: (_, r) => (r.blocking ? <span className={r.rejected ? 'broken' : undefined}>{count(r.rejected)}</span> : '–') },
  ]
  return (
    <div>
      <div className="row" style={{ marginBottom: 6 }}>
        <b>{t('逐条规则', 'Rule by rule')}</b>
        {moved.length && moved.length < list.length ? <Button size="small" type="link" onClick={() => setAll(!all)}>{all ? t('只看有变化的', 'Changed ones alone') : t(`显示全部 ${list.length} 条`, `All ${list.length}`)}</Button> : null}
      </div>
      <Table rowKey="rule" columns={columns} dataSource={shown} pagination={false} bordered />
    </div>
  )
}

// ByDay draws one rule by the day its rows came in: the draft beside what is in force.
function ByDay({ r }: { r: BacktestResult }) {
  const t = useT()
  const first = r.rules.find((x) => x.change === 'added' || x.change === 'changed') ?? [...r.rules].sort((a, b) => b.failed - a.failed)[0]
  const [rule, setRule] = useState(first?.rule ?? '')
  const name = r.rules.find((x) => x.rule === rule)?.title ?? rule
  const option = useMemo(() => {
    const line = { axisLine: { lineStyle: { color: '#c5ced8' } }, axisLabel: { color: '#566170', hideOverlap: true } }
    return {
      grid: { left: 56, right: 18, top: 34, bottom: 28 }, legend: { top: 0, textStyle: { color: '#566170' } }, tooltip: { trigger: 'axis' },
      xAxis: { type: 'category', data: r.days.map((x) => x.day), ...line },
      yAxis: { type: 'value', minInterval: 1, axisLabel: { color: '#566170' }, splitLine: { lineStyle: { color: '#e9edf1' } } },
      series: [
        { type: 'bar', name: t('草稿', 'Draft'), barMaxWidth: 26, data: r.days.map((x) => x.failed[rule] ?? 0) },
        { type: 'bar', name: t('现行', 'In force'), barMaxWidth: 26, itemStyle: { color: '#9db3cb' }, data: r.days.map((x) => x.failed_now[rule] ?? 0) },
        { type: 'line', name: t('会挡下（全部强规则）', 'Would reject (all strong rules)'), showSymbol: r.days.length < 40, lineStyle: { width: 2 }, itemStyle: { color: '#b3261e' }, data: r.days.map((x) => x.rejected) },
      ],
    }
  }, [r, rule, t])
  if (!r.days.length) return null
  return (
    <div>
      <div className="row">
        <b>{t('按入库日的不合格行', 'Failing rows by day of arrival')}</b>
        <Select aria-label={t('看哪条规则', 'Which rule')} size="small" style={{ minWidth: 260 }} showSearch optionFilterProp="label" value={rule} onChange={setRule} options={r.rules.map((x) => ({ value: x.rule, label: `${x.title} ${x.rule}` }))} />
      </div>
      <Chart option={option} height={240} label={t(`${name}：${r.days.length} 天，草稿不合格 ${count(r.days.reduce((a, x) => a + (x.failed[rule] ?? 0), 0))} 行，现行 ${count(r.days.reduce((a, x) => a + (x.failed_now[rule] ?? 0), 0))} 行`, `${name} by day`)} />
    </div>
  )
}
