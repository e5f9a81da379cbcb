import { Card, Tag, Typography } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { getStatus } from '../calls'
import { count, span, when } from '../format'
import { useLang, useT } from '../lang'
import { useLive } from '../live'
import { Figures, Loaded, Page } from '../parts/page'
import { Table } from '../parts/table'
import type { Component } from '../shapes'
import { Updated } from './flow'

export function System() {
  const t = useT()
  const { lang } = useLang()
  const live = useLive(getStatus, 'system', 5000)
  const columns: ColumnsType<Component> = [
    { title: t('组件', 'Part'), dataIndex: 'name' },
    { title: t('状态', 'State'), key: 'ok', render: (_, c) => (c.ok ? <Tag color="success">{t('正常', 'Working')}</Tag> : <Tag color="error">{t('异常', 'Failing')}</Tag>) },
    { title: t('说明', 'Detail'), dataIndex: 'detail', render: (v: string, c) => [v, c.version].filter(Boolean).join(' · ') || '–' },
  ]
  return (
    <Page
      title={t('系统状态', 'System')}
      about={t('各组件是否正常、目录链是否跟上；分区与积压见运行总览。', 'Whether every part works and the chain keeps up. Partitions and lag are on the overview.')}
      tools={<Updated at={live.at} />}
    >
      <Loaded live={live}>
        {({ status: s, head }) => (
          <>
            <Figures
              items={[
                { name: t('整体', 'The whole'), value: s.ready ? <span className="holds">{t('就绪', 'Ready')}</span> : <span className="broken">{t('未就绪', 'Not ready')}</span> },
                { name: t('已运行', 'Up for'), value: span(s.uptime_s, lang) },
                { name: t('程序版本', 'Version'), value: <span className="mono" style={{ fontSize: 16 }}>{s.version}</span> },
                { name: t('链上条目', 'Chain entries'), value: count(head.size) },
                { name: t('待上链', 'Awaiting the chain'), value: head.pending >= 500 ? '500+' : count(head.pending) },
              ]}
            />
            <Card title={t('组件', 'Parts')} size="small" styles={{ body: { padding: 0 } }}>
              <Table rowKey="name" columns={columns} dataSource={s.components} pagination={false} />
            </Card>
            <Card title={t('目录链最新检查点', 'Latest checkpoint of the chain')} size="small">
              <div className="stack">
                <span>{when(head.at)}</span>
                <Typography.Text copyable={{ text: head.checkpoint }}>{t('复制检查点', 'Copy the checkpoint')}</Typography.Text>
                <pre className="bytes mono" role="region" tabIndex={0} aria-label={t('检查点原文', 'Checkpoint')}>{head.checkpoint.trimEnd()}</pre>
              </div>
            </Card>
          </>
        )}
      </Loaded>
    </Page>
  )
}
