import { Button, Checkbox, DatePicker, Form, Input, Select } from 'antd'
import type { ColumnsType } from 'antd/es/table'
import dayjs, { type Dayjs } from 'dayjs'
import { useEffect, useState } from 'react'
import { getAreas, getScenarios, submit } from '../calls'
import { useT } from '../lang'
import { useLive } from '../live'
import { useAct } from '../parts/act'
import { maskName } from '../parts/masks'
import { Loaded } from '../parts/page'
import { Table } from '../parts/table'
import { LevelTag } from '../parts/tags'
import { useSession } from '../session'
import type { Application, Scenario, ScenarioItem } from '../shapes'

export function RequestForm({ scenario, done }: { scenario: string; done: () => void }) {
  const live = useLive(getScenarios, 'scenarios')
  return <Loaded live={live}>{(list) => <Fill list={list} first={scenario} done={done} />}</Loaded>
}

interface Values {
  purpose: string
  receivers: string[]
  term: [Dayjs, Dayjs]
  formats: Application['formats']
  assessment?: string
}

const division = /^(\d{9}|\d{12})$/

function Fill({ list, first, done }: { list: Scenario[]; first: string; done: () => void }) {
  const t = useT()
  const { session } = useSession()
  const { busy, act } = useAct()
  const areas = useLive(() => getAreas(session?.org ?? ''), 'areas')
  const [code, setCode] = useState(first || list[0]?.code || '')
  const chosen = list.find((s) => s.code === code)
  const [picks, setPicks] = useState<string[]>([])
  useEffect(() => setPicks((chosen?.items ?? []).map((i) => i.name)), [code]) // eslint-disable-line react-hooks/exhaustive-deps
  const sensitive = chosen?.items.some((i) => i.sensitive && picks.includes(i.name)) ?? false

  const columns: ColumnsType<ScenarioItem> = [
    {
      title: t('申请', 'Ask'), key: 'pick', width: 60,
      render: (_, i) => (
        <Checkbox
          aria-label={t(`申请 ${i.title}`, `Ask for ${i.title}`)}
          checked={picks.includes(i.name)}
          onChange={(e) => setPicks((old) => (e.target.checked ? [...old, i.name] : old.filter((n) => n !== i.name)))}
        />
      ),
    },
    { title: t('数据项', 'Item'), key: 'title', render: (_, i) => <>{i.title}<div className="quiet small mono">{i.name}</div></> },
    { title: t('级别', 'Level'), key: 'level', render: (_, i) => <LevelTag level={i.level} /> },
    { title: t('信息系统所见', 'Seen by systems'), key: 'mask', render: (_, i) => maskName(i.mask, t) },
  ]
  const send = async (v: Values) => {
    const body: Application = {
      scenario: code,
      items: (chosen?.items ?? []).filter((i) => picks.includes(i.name)).map((i) => ({ name: i.name, mask: i.mask })),
      receivers: v.receivers,
      purpose: v.purpose.trim(),
      legal_basis: chosen?.legal_basis ? chosen.legal_basis.split('；') : undefined,
      from: v.term[0].format('YYYY-MM-DD'),
      until: v.term[1].format('YYYY-MM-DD'),
      formats: v.formats?.length ? v.formats : undefined, // none chosen: all of them
      assessment: v.assessment?.trim() || undefined,
    }
    if (await act(() => submit(body), t('申请已提交，法定时限开始计算', 'Sent: the legal clock is running'))) done()
  }
  const options = [...(areas.data ?? new Map<string, string>())].map(([value, name]) => ({ value, label: `${name} ${value}` }))
  return (
    <Form layout="vertical" onFinish={(v: Values) => void send(v)} initialValues={{ term: [dayjs(), dayjs().add(1, 'year').subtract(1, 'day')], receivers: [], formats: ['json'] }}>
      <Form.Item label={t('应用场景', 'Scenario')} htmlFor="scenario">
        <Select id="scenario" value={code} onChange={setCode} options={list.map((s) => ({ value: s.code, label: `${s.code} ${s.title}` }))} />
        {chosen ? <div className="quiet small" style={{ marginTop: 4 }}>{[chosen.purpose, chosen.legal_basis].filter(Boolean).join(' · ')}</div> : null}
      </Form.Item>
      <Form.Item label={t('数据项（按最小必要勾选）', 'Items (only what is needed)')} required>
        <Table rowKey="name" columns={columns} dataSource={chosen?.items ?? []} pagination={false} bordered />
      </Form.Item>
      <Form.Item
        name="receivers"
        label={t('接收方（每个接收方各得一份授权）', 'Receivers (each gets a grant of its own)')}
        rules={[
          { required: true, message: t('请至少选择一个接收方', 'Choose at least one receiver') },
          {
            validator: (_, v: string[]) => (v ?? []).every((c) => division.test(c)) ? Promise.resolve() : Promise.reject(new Error(t('区划代码应为 9 位（街镇）或 12 位（居村）数字', 'A division code has 9 digits (street) or 12 (community)'))),
          },
        ]}
      >
        <Select mode="tags" options={options} optionFilterProp="label" placeholder={t('选择街镇，或输入 12 位居村区划代码后回车', 'Choose a street, or type a 12-digit community code and press Enter')} />
      </Form.Item>
      <Form.Item name="purpose" label={t('用途说明', 'Purpose')} rules={[{ required: true, whitespace: true, message: t('请说明具体用途', 'Say what it is for') }]}>
        <Input.TextArea rows={3} maxLength={1000} placeholder={t('用于何项职责、如何使用', 'Which duty it serves and how it is used')} />
      </Form.Item>
      {sensitive ? (
        <Form.Item name="assessment" label={t('个人信息保护影响评估编号', 'Impact assessment')} rules={[{ required: true, whitespace: true, message: t('所选数据项含敏感个人信息，须先完成影响评估', 'The chosen items are sensitive: an impact assessment is needed') }]}>
          <Input maxLength={200} />
        </Form.Item>
      ) : null}
      <div className="row" style={{ alignItems: 'flex-start', gap: '0 24px' }}>
        <Form.Item name="term" label={t('使用期限', 'Term')} rules={[{ required: true, message: t('请选择期限', 'Choose a term') }]}>
          <DatePicker.RangePicker minDate={dayjs()} allowClear={false} />
        </Form.Item>
        <Form.Item name="formats" label={t('格式（不选即全部）', 'Formats (none is all)')}>
          <Checkbox.Group options={['json', 'ndjson', 'csv'].filter((f) => !chosen?.formats.length || chosen.formats.includes(f)).map((f) => ({ value: f, label: f.toUpperCase() }))} />
        </Form.Item>
      </div>
      <Button type="primary" htmlType="submit" loading={busy} disabled={!chosen || picks.length === 0}>
        {t('提交申请', 'Send request')}
      </Button>
    </Form>
  )
}
