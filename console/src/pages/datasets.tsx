import { Card, Input } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { useState } from 'react'
import { Link } from 'react-router'
import { getDatasets } from '../calls'
import { count, points, when } from '../format'
import { useLang, useT } from '../lang'
import { useLive } from '../live'
import { Loaded, Nothing, Page } from '../parts/page'
import { Table } from '../parts/table'
import { Grade, LevelTag, libraryName } from '../parts/tags'
import type { DatasetRow } from '../shapes'
import { Updated } from './flow'

export function Datasets() {
  const t = useT()
  const { lang } = useLang()
  const live = useLive(getDatasets, 'datasets', 10_000)
  const [word, setWord] = useState('')
  const columns: ColumnsType<DatasetRow> = [
    {
      title: t('数据集', 'Dataset'), key: 'title', fixed: 'left', sorter: (a, b) => a.title.localeCompare(b.title, 'zh-CN'),
      render: (_, d) => (
        <>
          <Link to={`/datasets/${d.code}`} data-open>
            {d.title}
          </Link>
          <div className="quiet small mono">{d.code}</div>
        </>
      ),
    },
    { title: t('责任单位', 'Owner'), dataIndex: 'owner_name' },
    { title: t('质量得分', 'Score'), key: 'score', className: 'num', sorter: (a, b) => (a.total ?? -1) - (b.total ?? -1), render: (_, d) => <b>{points(d.total)}</b> },
    { title: t('等级', 'Grade'), key: 'grade', render: (_, d) => <Grade grade={d.grade} /> },
    { title: t('行数', 'Rows'), key: 'rows', className: 'num', sorter: (a, b) => a.rows - b.rows, render: (_, d) => count(d.rows) },
    { title: t('数据级别', 'Level'), key: 'level', sorter: (a, b) => a.level - b.level, render: (_, d) => <LevelTag level={d.level} /> },
    { title: t('主题库', 'Library'), key: 'library', render: (_, d) => <><span>{libraryName(d.library, lang === 'zh')}</span><div className="quiet small mono">{d.library}</div></> },
    { title: t('最近更新', 'Last update'), key: 'last', render: (_, d) => when(d.last_at) },
  ]
  return (
    <Page
      title={t('数据集', 'Datasets')}
      about={t('按《公共数据质量评价要求》(DB31/T 1523-2024) 六个维度评分，满分 100。', 'Scored out of 100 in the six dimensions of DB31/T 1523-2024.')}
      tools={
        <>
          <Updated at={live.at} />
          <Input.Search allowClear aria-label={t('按名称或单位筛选', 'Filter by name or owner')} placeholder={t('名称或单位', 'Name or owner')} onChange={(e) => setWord(e.target.value.trim())} style={{ width: 220 }} />
        </>
      }
    >
      <Loaded live={live}>
        {(list) => (
          <Card size="small" styles={{ body: { padding: 0 } }}>
            <Table
              rowKey="code"
              columns={columns}
              dataSource={list.filter((d) => !word || (d.title + d.code + d.owner_name).includes(word))}
              pagination={list.length > 50 ? { pageSize: 50 } : false}
              locale={{
                emptyText: word ? (
                  <Nothing what={t('没有符合条件的数据集', 'No dataset matches')} />
                ) : (
                  <Nothing what={t('还没有数据集', 'No dataset yet')} todo={t('用 mulu apply -f 目录 声明。', 'Declare some with mulu apply -f DIR.')} />
                ),
              }}
            />
          </Card>
        )}
      </Loaded>
    </Page>
  )
}
