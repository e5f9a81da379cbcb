import { Button, Card, Descriptions, Drawer, Tag } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import { useState } from 'react'
import { useNavigate } from 'react-router'
import { getScenarios } from '../calls'
import { useT } from '../lang'
import { useLive } from '../live'
import { Loaded, Nothing, Page } from '../parts/page'
import { maskName } from '../parts/masks'
import { Table } from '../parts/table'
import { Anchored, LevelTag, StateTag } from '../parts/tags'
import { useSession } from '../session'
import type { Scenario, ScenarioItem } from '../shapes'

export function Scenarios() {
  const t = useT()
  const go = useNavigate()
  const { session } = useSession()
  const live = useLive(getScenarios, 'scenarios', 15_000)
  const [open, setOpen] = useState<Scenario>()
  const ask = (s: Scenario) => go(`/requests?new=${encodeURIComponent(s.code)}`)
  const columns: ColumnsType<Scenario> = [
    { title: t('编号', 'Code'), dataIndex: 'code', render: (v: string) => <span className="mono">{v}</span> },
    { title: t('应用场景', 'Scenario'), key: 'title', render: (_, s) => <><b>{s.title}</b><div className="quiet small" style={{ maxWidth: 420 }}>{s.purpose}</div></> },
    { title: t('法定依据', 'Legal basis'), key: 'basis', render: (_, s) => <div style={{ maxWidth: 280 }}>{s.legal_basis || '–'}</div> },
    { title: t('数据项', 'Items'), key: 'items', className: 'num', render: (_, s) => s.items.length },
    { title: t('状态', 'State'), key: 'state', render: (_, s) => <StateTag state={s.state} /> },
    { title: t('链上序号', 'Chain index'), key: 'index', render: (_, s) => (s.refusal ? <Tag color="error">{t('链上拒绝：', 'Refused: ') + s.refusal}</Tag> : <Anchored index={s.pending ? null : s.index} />) },
    {
      title: t('操作', 'Actions'), key: 'act',
      render: (_, s) => (
        <div className="row" style={{ flexWrap: 'nowrap' }}>
          <Button size="small" data-open onClick={() => setOpen(s)}>{t('查看', 'View')}</Button>
          {session?.role === 'officer' ? <Button size="small" type="primary" onClick={() => ask(s)}>{t('申请共享', 'Request')}</Button> : null}
        </div>
      ),
    },
  ]
  return (
    <Page
      title={t('应用场景', 'Scenarios')}
      about={t('一场景一清单：场景规定可用的数据项、脱敏方式与用途；共享申请只能在场景之内提出。', 'A scenario fixes the items, masks and purpose; every request stays inside one.')}
    >
      <Loaded live={live}>
        {(list) => (
          <Card size="small" styles={{ body: { padding: 0 } }}>
            <Table rowKey="code" columns={columns} dataSource={list} pagination={false}
              locale={{ emptyText: <Nothing what={t('还没有备案的场景', 'No scenario is filed')} todo={t('场景以文件声明：mulu apply -f 目录。', 'Scenarios are declared in files: mulu apply -f DIR.')} /> }} />
          </Card>
        )}
      </Loaded>
      <Drawer open={open !== undefined} onClose={() => setOpen(undefined)} size={640} title={open?.title} extra={open && session?.role === 'officer' ? <Button type="primary" onClick={() => ask(open)}>{t('申请共享', 'Request')}</Button> : null}>
        {open ? <Detail s={open} /> : null}
      </Drawer>
    </Page>
  )
}

function Detail({ s }: { s: Scenario }) {
  const t = useT()
  const columns: ColumnsType<ScenarioItem> = [
    { title: t('数据项', 'Item'), key: 'title', render: (_, i) => <>{i.title}<div className="quiet small mono">{i.name}</div></> },
    { title: t('级别', 'Level'), key: 'level', render: (_, i) => <LevelTag level={i.level} /> },
    { title: t('信息系统所见', 'Seen by systems'), key: 'mask', render: (_, i) => maskName(i.mask, t) },
  ]
  return (
    <div className="stack">
      <Descriptions column={1} size="small" items={[
        { key: 'purpose', label: t('用途', 'Purpose'), children: s.purpose },
        { key: 'basis', label: t('法定依据', 'Legal basis'), children: s.legal_basis || '–' },
        { key: 'owner', label: t('牵头单位', 'Lead'), children: s.owner_name },
        { key: 'base', label: t('主数据集', 'Base dataset'), children: <span className="mono">{s.base}</span> },
        { key: 'modes', label: t('共享方式', 'Delivery'), children: s.modes.join('、') || '–' },
      ]} />
      <Table rowKey="name" columns={columns} dataSource={s.items} pagination={false} />
    </div>
  )
}
