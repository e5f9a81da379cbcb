import { Button, Checkbox, DatePicker, Form, Input, Select, Table } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import dayjs, { type Dayjs } from 'dayjs'
import { useEffect, useState } from 'react'
import { getScenarios, sendRequest } from '../calls'
import { useT } from '../lang'
import { useLive } from '../live'
import { useAct } from '../parts/act'
import { maskName } from '../parts/masks'
import { Loaded } from '../parts/page'
import { LevelTag } from '../parts/tags'
import type { Scenario, ScenarioItem } from '../shapes'

export function RequestForm({ scenario, done }: { scenario: string; done: () => void }) {
  const live = useLive(getScenarios, 'scenarios')
  return <Loaded live={live}>{(list) => <Fill list={list} first={scenario} done={done} />}</Loaded>
}

interface Values { purpose: string; receivers: string[]; until: Dayjs }

function Fill({ list, first, done }: { list: Scenario[]; first: string; done: () => void }) {
  const t = useT()
  const { busy, act } = useAct()
  const [code, setCode] = useState(first || list[0]?.code || '')
  const chosen = list.find((s) => s.code === code)
  // item name → mask; an item that is not in it is not asked for
  const [picks, setPicks] = useState<Record<string, string>>({})
  useEffect(() => {
    setPicks(Object.fromEntries((chosen?.items ?? []).map((i) => [i.name, i.mask])))
  }, [code]) // eslint-disable-line react-hooks/exhaustive-deps

  const columns: ColumnsType<ScenarioItem> = [
    {
      title: t('申请', 'Ask'), key: 'pick', width: 60,
      render: (_, i) => (
        <Checkbox
          aria-label={t(`申请 ${i.title}`, `Ask for ${i.title}`)}
          checked={i.name in picks}
          onChange={(e) => setPicks((old) => {
            const { [i.name]: _dropped, ...rest } = old
            return e.target.checked ? { ...rest, [i.name]: i.mask } : rest
          })}
        />
      ),
    },
    { title: t('数据项', 'Item'), key: 'title', render: (_, i) => <>{i.title}<div className="quiet small mono">{i.name}</div></> },
    { title: t('级别', 'Level'), key: 'level', render: (_, i) => <LevelTag level={i.level} /> },
    {
      title: t('展示方式', 'Shown as'), key: 'mask', width: 230,
      render: (_, i) => (
        <Select
          size="small"
          style={{ width: '100%' }}
          aria-label={t(`${i.title} 的展示方式`, `How ${i.title} is shown`)}
          disabled={!(i.name in picks)}
          value={picks[i.name] ?? i.mask}
          onChange={(mask) => setPicks((old) => ({ ...old, [i.name]: mask }))}
          options={(i.masks.length ? i.masks : [i.mask]).map((m) => ({ value: m, label: maskName(m, t) }))}
        />
      ),
    },
  ]
  const submit = async (v: Values) => {
    const items = Object.entries(picks).map(([name, mask]) => ({ name, mask }))
    const body = { scenario: code, purpose: v.purpose.trim(), receivers: v.receivers ?? [], until: v.until.format('YYYY-MM-DD'), items }
    if (await act(() => sendRequest(body), t('申请已提交，法定时限开始计算', 'Sent: the legal clock is running'))) done()
  }
  return (
    <Form layout="vertical" onFinish={(v: Values) => void submit(v)} initialValues={{ until: dayjs().add(1, 'year'), receivers: [] }}>
      <Form.Item label={t('应用场景', 'Scenario')} htmlFor="scenario">
        <Select id="scenario" value={code} onChange={setCode} options={list.map((s) => ({ value: s.code, label: `${s.code} ${s.title}` }))} />
        {chosen ? <div className="quiet small" style={{ marginTop: 4 }}>{chosen.purpose}{chosen.legal_basis ? ` · ${chosen.legal_basis}` : ''}</div> : null}
      </Form.Item>
      <Form.Item label={t('数据项（按最小必要勾选）', 'Items (only what is needed)')} required>
        <Table size="small" rowKey="name" columns={columns} dataSource={chosen?.items ?? []} pagination={false} bordered />
      </Form.Item>
      <Form.Item name="receivers" label={t('接收方', 'Receivers')} tooltip={t('接收数据的居村、条线或信息系统，逐个输入后回车', 'Who receives the data; press Enter after each')}>
        <Select mode="tags" open={false} suffixIcon={null} placeholder={t('输入后回车，可填多个', 'Type and press Enter')} />
      </Form.Item>
      <Form.Item name="purpose" label={t('用途说明', 'Purpose')} rules={[{ required: true, whitespace: true, message: t('请说明具体用途', 'Say what it is for') }]}>
        <Input.TextArea rows={3} maxLength={500} showCount placeholder={t('用于何项职责、如何使用', 'Which duty it serves and how it is used')} />
      </Form.Item>
      <Form.Item name="until" label={t('使用期限至', 'Needed until')} rules={[{ required: true, message: t('请选择期限', 'Choose a date') }]}>
        <DatePicker style={{ width: 220 }} minDate={dayjs()} allowClear={false} />
      </Form.Item>
      <Button type="primary" htmlType="submit" loading={busy} disabled={!chosen || Object.keys(picks).length === 0}>
        {t('提交申请', 'Send request')}
      </Button>
    </Form>
  )
}
