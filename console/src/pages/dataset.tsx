import { Card, Descriptions, Tabs, Tag } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { useMemo } from 'react'
import { Link, useParams, useSearchParams } from 'react-router'
import { getDataset } from '../calls'
import { count, digest, percent, points, when } from '../format'
import { useLang, useT } from '../lang'
import { useLive } from '../live'
import { Chart } from '../parts/chart'
import { Figures, Loaded, Nothing, Page } from '../parts/page'
import { Table } from '../parts/table'
import { Grade, LevelTag, libraryName, typeName } from '../parts/tags'
import { short } from '../parts/score'
import { piName, tableName } from '../parts/words'
import { mayOpen } from '../places'
import { Profiled } from './dataset-profile'
import { Batches, seesBatches } from './batches'
import { Explained, Parts } from './quality'
import { Results } from './results'
import { useSession } from '../session'
import type { Column, DatasetDetail, Dimension, Score } from '../shapes'

export function Dataset() {
  const t = useT()
  const { code = '' } = useParams()
  const { session } = useSession()
  const live = useLive(() => getDataset(code), code, 15_000)
  const d = live.data
  return (
    <Page
      title={d?.title ?? t('数据集', 'Dataset')}
      about={d ? <><span className="mono">{d.code}</span> · {d.owner_name} · {t(`第 ${d.version} 版`, `version ${d.version}`)}</> : undefined}
      tools={
        <>
          {session && d && mayOpen('/submissions', session.role) && (session.role !== 'officer' || d.owner === session.org) ? <Link to={`/submissions?dataset=${encodeURIComponent(code)}`}>{t('报送', 'Delivery')}</Link> : null}
          {session && mayOpen('/rejects', session.role) ? <Link to={`/rejects?dataset=${encodeURIComponent(code)}`}>{t('查看问题数据', 'Its rejects')}</Link> : null}
          <Link to="/datasets">{t('← 全部数据集', '← All datasets')}</Link>
        </>
      }
    >
      <Loaded live={live}>{(detail) => <Detail d={detail} />}</Loaded>
    </Page>
  )
}

function Detail({ d }: { d: DatasetDetail }) {
  const t = useT()
  const { session } = useSession()
  const [query, setQuery] = useSearchParams()
  return (
    <>
      <Figures
        items={[
          { name: t('质量得分', 'Score'), value: <>{points(d.total)} {d.grade ? <Grade grade={d.grade} /> : null}</> },
          { name: t('行数', 'Rows'), value: count(d.rows) },
          { name: t('数据级别', 'Level'), value: <LevelTag level={d.level} /> },
          { name: t('最近更新', 'Last update'), value: <span style={{ fontSize: 16 }}>{when(d.last_at)}</span> },
        ]}
      />
      <Tabs
        activeKey={query.get('tab') ?? 'quality'}
        onChange={(tab) => setQuery(tab === 'quality' ? {} : { tab }, { replace: true })}
        items={[
          { key: 'quality', label: t('质量', 'Quality'), children: <Quality d={d} /> },
          { key: 'schema', label: t('数据项', 'Items'), children: <Items columns={d.columns} /> },
          { key: 'rules', label: t('规则', 'Rules'), children: <Results d={d} /> },
          ...(session && (['steward', 'auditor'].includes(session.role) || (session.role === 'officer' && session.org === d.owner)) ? [{ key: 'profile', label: t('数据探查与建议', 'Profile'), children: <Profiled d={d} /> }] : []),
          { key: 'source', label: t('来源', 'Source'), children: <Source d={d} /> },
          ...(session && seesBatches.includes(session.role) ? [{ key: 'batches', label: t('批次', 'Batches'), children: <Batches code={d.code} /> }] : []),
        ]}
      />
    </>
  )
}

function Quality({ d }: { d: DatasetDetail }) {
  const t = useT()
  const s = d.score
  if (!s) {
    return (
      <Card>
        <Nothing what={t('还没有评分', 'Not scored yet')} todo={t('第一批数据入库后约一分钟内自动评分。', 'The first score follows within a minute of the first batch.')} />
      </Card>
    )
  }
  return (
    <div className="stack">
      <Card size="small" styles={{ body: { padding: 0 } }}>
        <Parts s={s} />
      </Card>
      <div className="columns">
        <Card title={t('六个维度', 'Six dimensions')} size="small">
          <Radar score={s} />
        </Card>
        <Card title={t('得分走势', 'Score over time')} size="small">
          <Trend d={d} />
        </Card>
      </div>
      <Card size="small">
        <Weakest dimensions={s.dimensions} />
      </Card>
      <Explained d={d} s={s} />
      <p className="quiet small">
        {t('评分摘要 ', 'digest ')}<span className="mono" title={s.digest}>{digest(s.digest)}</span> · {s.index !== null ? <>{t('链上序号 ', 'chain index ')}<span className="mono">#{count(s.index)}</span></> : s.state === 'refused' ? t('链上拒绝', 'refused by the chain') : t('待上链', 'awaiting the chain')}
      </p>
    </div>
  )
}

// Radar leaves a dimension that does not apply out of the figure: it is neither 0 nor 100.
function Radar({ score }: { score: Score }) {
  const t = useT()
  const option = useMemo(() => {
    const shown = score.dimensions.filter((d) => d.applicable)
    return {
      radar: {
        indicator: shown.map((d) => ({ name: `${short(d.title)} ${points(d.x)}`, max: 100 })),
        radius: '66%', splitNumber: 4, axisName: { color: '#1d2733', fontSize: 12.5 }, splitArea: { show: false },
        splitLine: { lineStyle: { color: '#dde3ea' } }, axisLine: { lineStyle: { color: '#dde3ea' } },
      },
      series: [{
        type: 'radar', symbolSize: 5, areaStyle: { opacity: 0.16 }, lineStyle: { width: 2 },
        data: [{ value: shown.map((d) => Number(((d.x ?? 0) * 100).toFixed(1))), name: t('得分', 'Score') }],
      }],
    }
  }, [score, t])
  const words = score.dimensions.map((d) => `${d.title} ${d.applicable ? points(d.x) : t('不适用', 'not applicable')}`).join('，')
  const left = score.dimensions.filter((d) => !d.applicable)
  return (
    <>
      <Chart option={option} height={280} label={words} />
      {left.length ? <p className="quiet small" style={{ margin: 0 }}>{t('不适用：', 'Not applicable: ') + left.map((d) => d.title).join('、')}</p> : null}
    </>
  )
}

function Trend({ d }: { d: DatasetDetail }) {
  const t = useT()
  const option = useMemo(() => {
    const values = d.trend.map((p) => p.total * 100)
    const low = Math.min(100, ...values)
    return {
      grid: { left: 44, right: 18, top: 18, bottom: 28 },
      tooltip: { trigger: 'axis', formatter: (ps: { dataIndex: number }[]) => {
        const p = d.trend[ps[0]?.dataIndex ?? 0]
        return p ? `${when(p.at)}\n${points(p.total)}` : ''
      } },
      xAxis: { type: 'category', data: d.trend.map((p) => when(p.at).slice(5, 16)), axisLine: { lineStyle: { color: '#c5ced8' } }, axisLabel: { color: '#566170', hideOverlap: true } },
      yAxis: { type: 'value', min: Math.max(0, Math.floor((low - 2) / 5) * 5), max: 100, axisLabel: { color: '#566170' }, splitLine: { lineStyle: { color: '#e9edf1' } } },
      series: [{ type: 'line', data: values.map((v) => Number(v.toFixed(2))), showSymbol: values.length < 20, lineStyle: { width: 2 }, areaStyle: { opacity: 0.08 } }],
    }
  }, [d.trend])
  if (d.trend.length < 2) return <Nothing what={t('评分两次后显示走势', 'Shown after the second score')} />
  return <Chart option={option} height={280} label={t(`得分走势，最近 ${points(d.total)}`, `Score over time, latest ${points(d.total)}`)} />
}

// Weakest names the indicators that cost the most points, worst first.
function Weakest({ dimensions }: { dimensions: Dimension[] }) {
  const t = useT()
  const low = dimensions
    .flatMap((d) => d.indicators)
    .filter((i) => i.applicable && i.x !== null && i.x < 1)
    .sort((a, b) => (a.x ?? 0) - (b.x ?? 0))
    .slice(0, 3)
  if (!low.length) return <span className="holds">✓ {t('各项适用指标均为满分', 'Every indicator that applies is full')}</span>
  return (
    <div className="row">
      <b>{t('最低的指标', 'Lowest indicators')}</b>
      {low.map((i) => (
        <span key={i.code}>
          {i.title} <span className="quiet small mono">{i.code}</span> <b className={(i.x ?? 0) < 0.9 ? 'broken' : undefined}>{percent(i.x)}</b>
        </span>
      ))}
    </div>
  )
}

function Items({ columns }: { columns: Column[] }) {
  const t = useT()
  const list: ColumnsType<Column> = [
    { title: t('数据项', 'Item'), key: 'title', render: (_, c) => <>{c.title} {c.key ? <Tag color="processing">{t('主键', 'key')}</Tag> : null}</> },
    { title: t('字段名', 'Field'), dataIndex: 'name', render: (v: string) => <span className="mono">{v}</span> },
    { title: t('类型', 'Type'), key: 'type', render: (_, c) => typeName(c.type, t) + (c.length ? ` (${c.length})` : c.scale ? ` (${c.scale})` : '') },
    { title: t('必填', 'Required'), key: 'required', render: (_, c) => (c.required ? t('是', 'Yes') : t('否', 'No')) },
    { title: t('值域', 'Code table'), dataIndex: 'codes', render: (v: string) => tableName(v, t) },
    { title: t('级别', 'Level'), key: 'level', render: (_, c) => <LevelTag level={c.level} /> },
    { title: t('个人信息', 'Personal information'), dataIndex: 'pi', render: (v: string) => piName(v, t) },
  ]
  return (
    <Card size="small" styles={{ body: { padding: 0 } }}>
      <Table rowKey="name" columns={list} dataSource={columns} pagination={false} />
    </Card>
  )
}

function Source({ d }: { d: DatasetDetail }) {
  const t = useT()
  const { lang } = useLang()
  return (
    <Card size="small">
      <Descriptions
        column={{ xs: 1, sm: 1, md: 2 }}
        items={[
          { key: 'owner', label: t('责任单位', 'Owner'), children: d.owner_name },
          { key: 'system', label: t('来源系统', 'Source system'), children: d.system || '–' },
          { key: 'topic', label: t('主题', 'Topic'), children: <span className="mono">{d.topic}</span> },
          { key: 'format', label: t('格式', 'Format'), children: d.format },
          { key: 'library', label: t('主题库', 'Library'), children: <>{libraryName(d.library, lang === 'zh')} <span className="quiet small mono">{d.library}</span></> },
          { key: 'catalog', label: t('目录代码', 'Catalogue code'), children: <Link to={`/entries?code=${encodeURIComponent(d.catalog)}`} className="mono">{d.catalog}</Link> },
        ]}
      />
    </Card>
  )
}

