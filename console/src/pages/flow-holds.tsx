import { Alert, Button, Checkbox, InputNumber } from 'antd'
import { useState } from 'react'
import { getDataset, getHolds, release } from '../calls'
import { count, when } from '../format'
import { useLang, useT } from '../lang'
import { useLive } from '../live'
import { Ask } from '../parts/ask'
import { Notice } from '../parts/page'
import { className } from '../parts/tags'
import { useMay } from '../session'
import type { FlowDataset, Hold, ReleaseAsk } from '../shapes'

type Answer = ReleaseAsk['decision']

// Holds lists the partitions that wait for review; nothing while there are none.
export function Holds({ datasets }: { datasets: FlowDataset[] }) {
  const t = useT()
  const live = useLive(getHolds, 'holds', 5000)
  const [asked, ask] = useState<{ h: Hold; decision: Answer }>()
  const title = (h: Hold) => datasets.find((d) => d.code === h.dataset)?.title ?? h.dataset
  if (!live.data) return live.problem ? <Notice problem={live.problem} retry={live.reload} /> : null
  const list = live.data
  const of = (h: Hold) => ({ h, title: title(h), more: list.filter((o) => o.topic_id === h.topic_id).length - 1 })
  const done = () => {
    ask(undefined)
    live.reload()
  }
  return (
    <>
      {live.data.length ? (
        <Alert
          type="warning"
          showIcon
          role="region"
          aria-label={t('待审', 'Held for review')}
          title={t(`待审：${live.data.length} 个分区的记录不再符合数据集版本，已停下等待处理；其余分区照常`, `Held for review: ${live.data.length} partitions whose records no longer fit the version; the others go on`)}
          description={
            <ul className="holds-list">
              {live.data.map((h) => (
                <Item key={`${h.topic_id}/${h.partition}`} h={h} title={title(h)} ask={(decision) => ask({ h, decision })} />
              ))}
            </ul>
          }
        />
      ) : null}
      {asked?.decision === 'proceed' ? <Proceed {...of(asked.h)} close={() => ask(undefined)} done={done} /> : null}
      {asked?.decision === 'version' ? <Change {...of(asked.h)} close={() => ask(undefined)} done={done} /> : null}
    </>
  )
}

function Item({ h, title, ask }: { h: Hold; title: string; ask: (decision: Answer) => void }) {
  const t = useT()
  const { lang } = useLang()
  const decides = useMay('steward')
  const what = className(h.class, lang === 'zh')
  const field = h.field ? t(`字段“${h.field}”`, `field “${h.field}”`) : t('整条记录', 'the whole record')
  return (
    <li>
      <div>
        <b>{title}</b> {t(`分区 ${h.partition}`, `partition ${h.partition}`)} <span className="quiet small">{t(`自 ${when(h.at)} 起`, `since ${when(h.at)}`)}</span>
        <div>{t(`位置 ${h.first} 起的 ${count(h.records)} 条中有 ${count(h.failed)} 条不符合版本 ${h.version}：${field}，${what}`, `${count(h.failed)} of ${count(h.records)} records from position ${h.first} do not fit version ${h.version}: ${field}, ${what}`)}</div>
        {h.reason ? <div className="small">{t(`首条（位置 ${h.offset}）：`, `The first (position ${h.offset}): `) + h.reason}</div> : null}
      </div>
      {decides ? (
        <div className="row">
          <Button size="small" onClick={() => ask('proceed')}>{t('原样放行', 'Let in as is')}</Button>
          <Button size="small" type="primary" onClick={() => ask('version')}>{t('改用新版本', 'Use a new version')}</Button>
        </div>
      ) : null}
    </li>
  )
}

interface Asked {
  h: Hold
  title: string
  more: number // held partitions of the same topic besides this one
  close: () => void
  done: () => void
}

// useScope asks whether the topic's other held partitions are meant as well: a field
// that was renamed holds all of them.
function useScope(h: Hold, more: number) {
  const t = useT()
  const [all, setAll] = useState(true)
  const every = more > 0 && all
  return {
    scope: every ? { topic_id: h.topic_id } : { topic_id: h.topic_id, partition: h.partition },
    box: more > 0 ? <Checkbox checked={all} onChange={(e) => setAll(e.target.checked)}>{t(`同一主题另外 ${more} 个待审的分区一并处理`, `The ${more} other held partitions of this topic as well`)}</Checkbox> : null,
  }
}

const where = (h: Hold, title: string) => <p style={{ margin: 0 }}><b>{title}</b> · <span className="mono">{`${h.topic}/${h.partition}`}</span></p>

function Proceed({ h, title, more, close, done }: Asked) {
  const t = useT()
  const { scope, box } = useScope(h, more)
  return (
    <Ask
      title={t('原样放行', 'Let the records in as they are')} ok={t('放行', 'Release')} label={t('说明（必填）', 'Note (required)')} said={t('已放行，约一秒后接着读', 'Released: read on within a second or so')}
      run={(note) => release({ ...scope, decision: 'proceed', note })} close={close} done={done}
    >
      {where(h, title)}
      {box}
      <p className="quiet" style={{ margin: 0 }}>
        {t('此前发来的记录仍按原版本检查：读不了的记为问题数据，可在“问题数据”中更正重放；放行之后发来的若仍不符合，会再次待审。', 'What was sent until now is still judged by the same version: what can not be read becomes a reject, to be mended and replayed. What is sent later is held again if it does not fit.')}
      </p>
    </Ask>
  )
}

function Change({ h, title, more, close, done }: Asked) {
  const t = useT()
  const { scope, box } = useScope(h, more)
  const applied = useLive(() => getDataset(h.dataset), 'dataset ' + h.dataset).data?.version
  const [typed, type] = useState<number | null>(null)
  const newest = applied !== undefined && applied > h.version ? applied : null
  const version = typed ?? newest
  return (
    <Ask
      title={t('改用新版本', 'Use a new version')} ok={t('改用新版本', 'Use it')} label={t('说明（必填）', 'Note (required)')} said={t('已改用新版本，约一秒后接着读', 'The new version is in force: read on within a second or so')} ready={version !== null}
      run={(note) => release({ ...scope, decision: 'version', version: version ?? 0, note })} close={close} done={done}
    >
      {where(h, title)}
      {box}
      <p className="quiet" style={{ margin: 0 }}>
        {t(`自停下的位置 ${h.first} 起按新版本检查。新版本须先用 mulu apply 登记，且比当前的 ${h.version} 新。`, `From position ${h.first} on the new version judges. It must have been applied with mulu apply, and be newer than ${h.version}.`)}
      </p>
      {applied !== undefined && newest === null ? <Alert type="warning" showIcon title={t(`已登记的最新版本仍是 ${applied}：请先修改声明并执行 mulu apply`, `The newest version applied is still ${applied}: change the declaration and run mulu apply first`)} /> : null}
      <label>
        {t('版本号', 'Version')}
        <InputNumber style={{ display: 'block', width: 140 }} min={h.version + 1} max={4294967295} precision={0} value={version} onChange={type} />
      </label>
    </Ask>
  )
}
