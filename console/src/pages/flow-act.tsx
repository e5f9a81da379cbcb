import { Alert, Button, InputNumber } from 'antd'
import { useState } from 'react'
import { acceptTopic, pause, resume, skipOffsets } from '../calls'
import { count, when } from '../format'
import { useT } from '../lang'
import { Ask } from '../parts/ask'
import { useMay } from '../session'
import type { FlowDataset, FlowPartition } from '../shapes'

// Pausing says who has paused a dataset and why; it offers to pause or resume it to
// whoever may.
export function Pausing({ d, reload }: { d: FlowDataset; reload: () => void }) {
  const t = useT()
  const may = useMay('steward', 'operator')
  const [asking, ask] = useState(false)
  const words = d.pause
    ? { ok: t('继续读取', 'Resume'), said: t('已继续，约一秒后接着读', 'Resumed: read on within a second or so'), about: t('从停下的位置接着读，期间发来的记录一条不少。', 'It is read on from where it stands; nothing that was sent meanwhile is left out.') }
    : { ok: t('暂停读取', 'Pause'), said: t('已暂停，约一秒后停下', 'Paused: it stops within a second or so'), about: t('已读入的一批会做完，之后不再读取，直到有人继续。消息系统只保留一段时间的记录：暂停过久，未读的会被清除。', 'The batch at work is finished, then nothing is read until somebody resumes it. The broker keeps records for a time only: what is not read by then is gone.') }
  const button = may ? <Button size="small" onClick={() => ask(true)}>{words.ok}</Button> : undefined
  return (
    <>
      {d.pause ? (
        <Alert type="warning" showIcon title={t('已暂停读取：', 'Paused: ') + d.pause.reason} description={`${d.pause.by} · ${when(d.pause.at)}`} action={button} />
      ) : button ? (
        <div className="row">{button}</div>
      ) : null}
      {asking ? (
        <Ask
          title={`${words.ok} · ${d.title}`} ok={words.ok} label={t('理由（必填）', 'Reason (required)')} said={words.said}
          run={(reason) => (d.pause ? resume : pause)(d.code, reason)} close={() => ask(false)} done={() => { ask(false); reload() }}
        >
          <p className="quiet" style={{ margin: 0 }}>{words.about}</p>
        </Ask>
      ) : null}
    </>
  )
}

// Stopped says why a partition is not read, and offers what puts it right to whoever may.
export function Stopped({ d, p, reload }: { d: FlowDataset; p: FlowPartition; reload: () => void }) {
  const t = useT()
  const may = useMay('operator')
  const [asking, ask] = useState(false)
  const Question = p.remedy === 'accept' ? Accept : Skip
  const todo =
    p.remedy === '' ? (
      <span className="small">{t('没有现成的处理：请运维人员查看消息系统的数据', 'There is no ready answer: look into the broker’s data')}</span>
    ) : may ? (
      <Button size="small" danger onClick={() => ask(true)}>{p.remedy === 'accept' ? t('确认重建', 'Accept the new topic') : t('放弃位置', 'Skip offsets')}</Button>
    ) : (
      <span className="small">{t('由运维人员处理', 'An operator settles it')}</span>
    )
  return (
    <>
      <Alert type="error" showIcon title={t(`分区 ${p.partition} 已停止读取`, `Partition ${p.partition} is stopped`)} description={<><p style={{ margin: '0 0 6px' }}>{p.error}</p>{todo}</>} />
      {asking ? <Question d={d} p={p} close={() => ask(false)} done={() => { ask(false); reload() }} /> : null}
    </>
  )
}

interface Asked {
  d: FlowDataset
  p: FlowPartition
  close: () => void
  done: () => void
}

const why = (d: FlowDataset, p: FlowPartition) => (
  <>
    <p style={{ margin: 0 }}><b>{d.title}</b> · <span className="mono">{`${d.topic}/${p.partition}`}</span></p>
    <p className="quiet" style={{ margin: 0 }}>{p.error}</p>
  </>
)

function Accept({ d, p, close, done }: Asked) {
  const t = useT()
  return (
    <Ask
      title={t('确认主题是有意重建的', 'The topic was created again on purpose')} ok={t('确认重建', 'Accept')} danger label={t('理由（必填）', 'Reason (required)')} said={t('已确认，从新主题的开头读起', 'Accepted: the new topic is read from its start')}
      run={(reason) => acceptTopic(d.topic, reason)} close={close} done={done}
    >
      {why(d, p)}
      <Alert type="warning" showIcon title={t('旧主题中尚未读取的记录不再读取，各分区一律如此；已入库的保留。新主题从开头读起，来源重发的旧记录会再次归集。', 'What was not yet read of the old topic, in every partition, will never be; what is stored stays. The new topic is read from its start, records sent again included.')} />
    </Ask>
  )
}

function Skip({ d, p, close, done }: Asked) {
  const t = useT()
  const [next, setNext] = useState<number | null>(p.skip_to || null)
  return (
    <Ask
      title={t('放弃已清除的位置', 'Skip offsets that are gone')} ok={t('放弃位置', 'Skip')} danger label={t('理由（必填）', 'Reason (required)')} said={t('已放弃，约一秒后接着读', 'Skipped: read on within a second or so')} ready={next !== null}
      run={(reason) => skipOffsets(d.topic, p.partition, next ?? 0, reason)} close={close} done={done}
    >
      {why(d, p)}
      <label>
        {t('从这个位置接着读', 'Read on from')}
        <InputNumber style={{ display: 'block', width: 200 }} min={1} precision={0} value={next} onChange={setNext} />
      </label>
      <Alert
        type="warning" showIcon
        title={next === null
          ? t('请先在消息系统中查明仍在的第一个位置', 'Find out first which offset is the first still there')
          : t(`位置 ${count(next)} 之前尚未读取的记录将计入丢失，不能再读；请来源单位补发`, `What was not read before position ${count(next)} counts as lost and can not be read again; ask the department to send it anew`)}
      />
    </Ask>
  )
}
