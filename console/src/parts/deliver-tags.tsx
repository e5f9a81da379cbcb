import { Progress, Tag, Tooltip } from 'antd'
import { count, span } from '../format'
import { useLang, useT } from '../lang'
import type { Submission, Way } from '../shapes'
import { asked, health, progress, type Health } from './deliver'

const states: Record<Submission['state'], [string, string, string]> = {
  open: ['发送中', 'Sending', 'processing'],
  sent: ['待入库', 'To be read', 'processing'],
  landed: ['入库完成', 'Landed', 'success'],
  refused: ['未接收', 'Refused', 'error'],
}

export const submissionStates = Object.keys(states) as Submission['state'][]

export const stateWord = (state: Submission['state']): [string, string] => [states[state][0], states[state][1]]

export function SubmissionState({ s }: { s: Submission }) {
  const t = useT()
  if (asked(s)) return <Tag color="warning">{t('待确认', 'To be confirmed')}</Tag>
  const [zh, en, tone] = states[s.state]
  return <Tag color={tone}>{t(zh, en)}</Tag>
}

// Advance is the bar of a submission that is still on its way.
export function Advance({ s }: { s: Submission }) {
  const t = useT()
  const percent = progress(s)
  const words = s.total > 0 ? t(`${count(s.rows)} / ${count(s.total)} 行`, `${count(s.rows)} of ${count(s.total)} rows`) : t(`已发送 ${count(s.rows)} 行`, `${count(s.rows)} rows sent`)
  return (
    <div className="advance">
      {percent === undefined ? null : <Progress size="small" percent={percent} showInfo={false} status="active" aria-label={t(`报送 ${s.id} 的进度`, `Progress of ${s.id}`)} />}
      <span className="quiet small">{words}</span>
    </div>
  )
}

const lights: Record<Health, [string, string]> = {
  failed: ['未成', 'Failing'],
  late: ['逾期', 'Late'],
  asks: ['待同意删除', 'Deletions to be agreed'],
  ok: ['按时', 'On time'],
  paused: ['暂停', 'Paused'],
  idle: ['尚无报送', 'Nothing yet'],
}

// Light says how a way stands, by a word beside the colour, and how late it is.
export function Light({ w }: { w: Way }) {
  const t = useT()
  const { lang } = useLang()
  const h = health(w)
  const [zh, en] = lights[h]
  const late = (w.behind ?? 0) > 0 && h !== 'paused' ? t(`，逾期 ${span(w.behind ?? 0, lang)}`, `, ${span(w.behind ?? 0, lang)} late`) : ''
  const words = h === 'late' ? t(`逾期 ${span(w.behind ?? 0, lang)}`, `${span(w.behind ?? 0, lang)} late`) : t(zh, en) + late
  const light = (
    <span className={`light light-${h}`} {...(h === 'paused' ? { tabIndex: 0 } : {})}>
      <i aria-hidden="true" />
      {words}
    </span>
  )
  return h === 'paused' ? <Tooltip title={t('数据集已暂停读取；继续后接着取', 'Reading of the dataset is paused')}>{light}</Tooltip> : light
}
