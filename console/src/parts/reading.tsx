import { Tag, Tooltip } from 'antd'
import { useT } from '../lang'
import type { FlowDataset } from '../shapes'
import { series } from '../theme'
import { StateTag } from './tags'

// lines are the colours of rate, lag and latency, in rows and in charts.
export const lines = { rate: series[0], lag: series[1], latency: series[2], slow: series[3], rejected: series[4] }

// Reading says how a dataset is read, and why if a person is needed or a step fails.
export function Reading({ d }: { d: FlowDataset }) {
  const t = useT()
  const because = d.partitions.filter((p) => p.error)
  const why = [...(d.pause ? [`${d.pause.reason}（${d.pause.by}）`] : []), ...because.map((p) => `${t('分区', 'partition')} ${p.partition}：${p.error}`)].join('\n')
  const retrying = (d.state === 'running' || d.state === 'idle') && because.length > 0
  const tag = retrying ? <Tag color="warning">{t('重试中', 'Retrying')}</Tag> : <StateTag state={d.state} />
  if (!why) return tag
  return (
    <Tooltip title={why}>
      <span tabIndex={0}>{tag}</span>
    </Tooltip>
  )
}
