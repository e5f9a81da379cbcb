import { Button, Card, Segmented, Tag } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { useState } from 'react'
import { Link } from 'react-router'
import { explainScore, getScore } from '../calls'
import { count, day, digest, lastDay, percent, points, when } from '../format'
import { useT } from '../lang'
import { useLive } from '../live'
import { Meter, Split } from '../parts/bars'
import { Loaded } from '../parts/page'
import { gained, lost, partLines, partMeans, partName, recompute, short, type PartLine } from '../parts/score'
import { Table } from '../parts/table'
import { Grade } from '../parts/tags'
import { mayOpen } from '../places'
import { useSession } from '../session'
import { series } from '../theme'
import type { DatasetDetail, Score, ScoreExplanation, ScoreGain, ScoreNode, ScorePartName, ScoreRule } from '../shapes'
import { failingPath, useSeesRows } from './results'

// Parts puts the score of everything beside those of what came in this period, of what
// was there before and of what the district answers for, dimension by dimension.
export function Parts({ s }: { s: Score }) {
  const t = useT()
  const columns: ColumnsType<PartLine> = [
    { title: t('得分', 'Score'), key: 'part', render: (_, l) => <><b>{partName(l.part, t)}</b><div className="quiet small">{l.part === 'increment' && s.period ? t(`${day(s.period.from)} 至 ${lastDay(s.period.to)} 入库的行`, `${day(s.period.from)} to ${lastDay(s.period.to)}`) : partMeans(l.part, s, t)}</div></> },
    { title: t('总分', 'Total'), key: 'total', className: 'num', render: (_, l) => <span data-part={l.part}><b style={{ fontSize: l.part === 'total' ? 20 : 15 }}>{points(l.total)}</b> <Grade grade={l.grade} /></span> },
    { title: t('行数', 'Rows'), key: 'rows', className: 'num', render: (_, l) => count(l.rows) },
    ...s.dimensions.map((d) => ({
      title: short(d.title), key: d.code,
      render: (_: unknown, l: PartLine) => { const x = l.x[d.code]; return x === undefined ? <span className="quiet">{t('不适用', 'n/a')}</span> : <Meter x={x}>{points(x)}</Meter> },
    })),
  ]
  return (
    <>
      <Table rowKey="part" columns={columns} dataSource={partLines(s)} pagination={false} />
      {s.caps?.length ? <div className="row" style={{ padding: '8px 12px' }}><Tag color="warning">{t('封顶', 'Capped')}</Tag>{s.caps.map((c) => <span key={c} className="broken">{c}</span>)}</div> : null}
    </>
  )
}

// Answers is who answers for what is at fault: inherited, handed down by the city, the
// district's own.
export function Answers({ rules }: { rules: ScoreRule[] }) {
  const t = useT()
  const sum = (of: (r: ScoreRule) => number) => rules.reduce((n, r) => n + of(r), 0)
  const list = [
    { name: t('区级', 'District'), n: sum((r) => r.district), colour: series[0] ?? '', title: t('责任在本区', 'The district answers for it') },
    { name: t('市级转办', 'City'), n: sum((r) => r.city), colour: series[1] ?? '', title: t('条目为市级或规则由市级负责整改', 'The city has to mend it') },
    { name: t('历史存量', 'Inherited'), n: sum((r) => r.historic), colour: series[3] ?? '', title: t('基准日之前入库的行', 'Rows from before the baseline day') },
  ]
  if (!sum((r) => r.failed)) return <span className="holds">✓ {t('没有不合格的要素', 'Nothing is at fault')}</span>
  return <Split list={list} label={t('不合格要素的责任归属', 'Who answers for the faults')} />
}

// Explained is 怎么算出来的 and 提分: both come with one answer.
export function Explained({ d, s }: { d: DatasetDetail; s: Score }) {
  const t = useT()
  const [part, setPart] = useState<ScorePartName>('total')
  const live = useLive(() => explainScore(d.code, part), `explain ${d.code} ${part} ${s.digest}`)
  // The score of a dataset's page leaves its rules out.
  const whole = useLive(async () => {
    const [e, score] = await Promise.all([explainScore(d.code, 'total'), getScore(d.code)])
    return { e, rules: score.rules ?? [] }
  }, `gains ${d.code} ${s.digest}`)
  return (
    <>
      <div className="columns wide-left">
        <Card size="small" title={t('提分：先改哪里得分升得最多', 'Gains: what lifts the score most')}>
          <Loaded live={whole}>{({ e, rules }) => <Gains d={d} s={s} rules={rules} list={e.gains} total={e.total} />}</Loaded>
        </Card>
        <Card size="small" title={t('责任归属：不合格的要素归谁', 'Responsibility for what is at fault')}>
          <Loaded live={whole}>{({ rules }) => <><Answers rules={rules} /><Worst d={d} rules={rules} /></>}</Loaded>
        </Card>
      </div>
      <Card
        size="small" id="explain" data-explain styles={{ body: { padding: 0 } }}
        title={t('怎么算出来的', 'How it was counted')}
        extra={<Segmented size="small" aria-label={t('哪一部分', 'Part')} value={part} onChange={(v) => setPart(v)} options={partLines(s).map((l) => ({ value: l.part, label: partName(l.part, t) }))} />}
      >
        <Loaded live={live}>{(e) => <Steps e={e} s={s} />}</Loaded>
      </Card>
    </>
  )
}

// Worst lists the rules by what they leave at fault, each with who answers.
function Worst({ d, rules }: { d: DatasetDetail; rules: ScoreRule[] }) {
  const t = useT()
  const sees = useSeesRows(d.owner)
  const list = rules.filter((r) => r.failed > 0).sort((a, b) => b.failed - a.failed).slice(0, 6)
  const columns: ColumnsType<ScoreRule> = [
    { title: t('规则', 'Rule'), key: 'rule', className: 'wrap', render: (_, r) => (sees ? <Link to={failingPath(d.code, r.rule)}>{r.title}</Link> : r.title) },
    { title: t('区级', 'District'), dataIndex: 'district', className: 'num', render: count },
    { title: t('市级', 'City'), dataIndex: 'city', className: 'num', render: count },
    { title: t('存量', 'Inherited'), dataIndex: 'historic', className: 'num', render: count },
  ]
  if (!list.length) return null
  return <Table rowKey="rule" columns={columns} dataSource={list} pagination={false} />
}

const dirty = '030500' // 脏数据出现率: what was not stored
const records = '020200' // 数据记录完整性 counts the rows of the rules of 020100

function Gains({ d, s, rules, list, total }: { d: DatasetDetail; s: Score; rules: ScoreRule[]; list: ScoreGain[]; total: number }) {
  const t = useT()
  const sees = useSeesRows(d.owner)
  const { session } = useSession()
  const [all, setAll] = useState(false)
  if (!list.length) return <span className="holds">✓ {t('没有可提分之处', 'Nothing left to gain')}</span>
  const most = Math.max(...list.map((g) => g.gain))
  const to = (g: ScoreGain): string => {
    if (g.rule) return sees ? failingPath(d.code, g.rule) : ''
    if (g.indicator === dirty) return session && mayOpen('/rejects', session.role) ? `/rejects?dataset=${encodeURIComponent(d.code)}` : ''
    const of = g.indicator === records ? '020100' : g.indicator
    return rules.some((r) => r.indicator === of) ? `?tab=rules&indicator=${of}` : ''
  }
  const few = 8
  return (
    <>
      <ul className="gains">
        {list.slice(0, all ? undefined : few).map((g) => (
          <li className="gain" key={`${g.indicator} ${g.rule}`} data-gain={g.rule || g.indicator}>
            <span>
              {to(g) ? <Link to={to(g)}>{g.title}</Link> : g.title}{' '}
              <span className="quiet small">{g.rule ? '' : t('整个指标', 'whole indicator')} <span className="mono">{g.indicator}</span></span>
            </span>
            <span className="gain-bar" aria-hidden="true"><i className={g.rule ? undefined : 'whole'} style={{ width: `${Math.max(1, (g.gain / most) * 100)}%` }} /></span>
            <b>{gained(g.gain)}</b>
            <span className="gain-rest quiet small">{t(`改 ${count(g.mend)} 处 → ${points(g.total)}`, `mend ${count(g.mend)} → ${points(g.total)}`)}{g.grade && g.grade !== s.grade ? <> <Grade grade={g.grade} /></> : null}</span>
          </li>
        ))}
      </ul>
      <p className="quiet small" style={{ margin: '6px 0 0' }}>
        {t(`现为 ${points(total)} 分；各项分别计算，不能相加。`, `Now ${points(total)}; each is counted alone, they do not add up.`)}{' '}
        {list.length > few ? <Button type="link" size="small" onClick={() => setAll(!all)}>{all ? t('收起', 'Fewer') : t(`全部 ${list.length} 项`, `All ${list.length}`)}</Button> : null}
      </p>
    </>
  )
}

interface Step extends Omit<ScoreNode, 'below'> { children?: Step[] }

const steps = (nodes: ScoreNode[]): Step[] => nodes.map(({ below, ...n }) => (below.length ? { ...n, children: steps(below) } : n))
const open = (nodes: ScoreNode[]): string[] => nodes.flatMap((n) => [n.code, ...open(n.below)])
const fixed = (n: number, digits: number) => n.toFixed(digits)

function Steps({ e, s }: { e: ScoreExplanation; s: Score }) {
  const t = useT()
  const own = recompute(e.nodes)
  const agrees = own.total === e.total
  const na = <span className="quiet">{t('不适用', 'n/a')}</span>
  const columns: ColumnsType<Step> = [
    { title: t('维度与指标', 'Dimension and indicator'), key: 'title', width: '26%', render: (_, n) => <span title={[n.element, n.gb_weak ? t('GB/T 36344 代码只有一处二手来源', 'the GB/T 36344 code is from one secondary source') : ''].filter(Boolean).join('；') || undefined}>{n.children ? <b>{short(n.title)}</b> : n.title} <span className="quiet small mono">{n.code}{n.gb ? ` · GB ${n.gb}` : ''}</span></span> },
    { title: t('权重', 'Weight'), key: 'weight', className: 'num', render: (_, n) => fixed(n.weight, 6) },
    { title: t('有效权重', 'Effective'), key: 'effective', className: 'num', render: (_, n) => (n.applicable ? <span className={n.effective !== n.weight ? 'strong' : undefined}>{fixed(n.effective, 6)}</span> : na) },
    { title: t('算式', 'Formula'), key: 'formula', width: '34%', render: (_, n) => (n.applicable ? <span className="formula">{n.formula}</span> : <span className="quiet small wrap">{n.note || t('各下级指标都不适用', 'nothing below applies')}</span>) },
    { title: t('权重 × X', 'Weight × X'), key: 'product', className: 'num', render: (_, n) => (n.applicable ? <span className="formula">{fixed(n.product, 9)}</span> : na) },
    { title: t('得分', 'Points'), key: 'x', render: (_, n) => (n.applicable && n.x !== null ? <Meter x={n.x}>{points(n.x)}</Meter> : na) },
    { title: t('使总分少', 'Costs'), key: 'lost', className: 'num', render: (_, n) => (lost(n) > 0.0000005 ? <span className="broken">{gained(-lost(n))}</span> : '0') },
  ]
  const terms = e.nodes.filter((n) => n.applicable)
  return (
    <div className="stack">
      <div className="stack" style={{ padding: '12px 16px 0' }}>
        <div className="terms" data-formula={e.total}>
          <b className="formula">P =</b>
          <span className="sign">(</span>
          {terms.map((n, i) => (
            <span key={n.code} style={{ display: 'contents' }}>
              {i ? <span className="sign">+</span> : null}
              <span className="term"><small>{short(n.title)}</small><span className="formula">{n.weight} × {fixed(n.x ?? 0, 6)}</span></span>
            </span>
          ))}
          <span className="sign">) ÷</span>
          <span className="term"><small>{t('适用维度的权重之和', 'Weights that apply')}</small><span className="formula">{fixed(e.of, 6)}</span></span>
        </div>
        <div className="terms">
          <span className="formula">= {fixed(e.sum, 9)} ÷ {fixed(e.of, 6)} = <b>{fixed(e.total, 6)}</b> → <b>{points(e.total)}</b> {t('分', 'points')}</span>
          <Grade grade={e.grade} />
          {e.floors.map((f) => <span key={f.grade} className="quiet small">{f.grade} ≥ {points(f.from)}</span>)}
          {agrees ? <span className="holds">✓ {t('已按下面的 A、B 与权重重新算过，一致', 'Counted again from A, B and weights below: the same')}</span> : <span className="broken">{t(`按下面的数字重算为 ${fixed(own.total, 6)}，与总分不符，请告知运维`, `Counted again it is ${fixed(own.total, 6)}: tell operations`)}</span>}
        </div>
        {e.caps.length ? <div className="row"><Tag color="warning">{t('封顶', 'Capped')}</Tag>{e.caps.map((c) => <span key={c} className="broken">{c}</span>)}</div> : null}
        {s.otherwise ? (
          <div className="small">
            {t('一处脏数据：', 'A dirty cell: ')}
            {(s.one_fault_once ? [[s.total, t('只扣一次（本方案）', 'counted once (this scheme)')], [s.otherwise.total, t('每条规则各扣', 'by every rule')]] as const : [[s.total, t('每条规则各扣（本方案）', 'by every rule (this scheme)')], [s.otherwise.total, t('只扣一次', 'counted once')]] as const).map(([n, what], i) => (
              <span key={what}>{i ? '；' : ''}{what} <b>{points(n)}</b></span>
            ))}
            {s.total === s.otherwise.total ? <span className="quiet">{t('，两种计法相同', ', the same both ways')}</span> : null}
          </div>
        ) : null}
        {s.overdue ? <span className="broken small">{t(`已有 ${s.overdue} 个更新周期没有更新`, `${s.overdue} update cycles without an update`)}</span> : null}
      </div>
      <Table rowKey="code" columns={columns} dataSource={steps(e.nodes)} pagination={false} scroll={{ x: 1060 }} className="steps-table" expandable={{ defaultExpandedRowKeys: open(e.nodes) }} />
      <p className="quiet small" style={{ margin: 0, padding: '0 16px 12px' }}>
        {t('有效权重：同级中不适用的去掉后按比例放大；X 取六位、权重 × X 取九位小数。悬停指标名可看要素是什么。', 'Effective: what does not apply is left out and the rest scaled; X to six places, weight × X to nine.')}{' '}
        {t('统计至 ', 'Through ')}{when(e.through)} · {t('规则集第 ', 'rule set ')}{e.ruleset}{t(' 版', '')} · {t('权重方案 ', 'weights ')}{e.weights} · {count(e.rows)} {t('行', 'rows')} · {t('评分摘要 ', 'digest ')}<span className="mono" title={e.digest}>{digest(e.digest)}</span>{' '}
        <a href={`data:application/json;charset=utf-8,${encodeURIComponent(e.content)}`} download={`score-${e.dataset}.json`}>{t('下载规范 JSON（其 SHA-256 即摘要）', 'Canonical JSON, whose SHA-256 is the digest')}</a>
        {' '}{t('· 总分精确到 ', '· exactly ')}{percent(e.total, 4)}
      </p>
    </div>
  )
}
