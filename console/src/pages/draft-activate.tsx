import { Alert, Button, Modal, Typography } from 'antd'
import { useState } from 'react'
import { activateDraft, type RuleDraft } from '../calls-rules'
import { useT } from '../lang'
import { Ask } from '../parts/ask'
import { useMay } from '../session'

interface Props { d: RuleDraft; title: string; reload: () => void; trial: (() => void) | undefined } // trial: the way to the tab of trials, if one is not there

// Activation says what still stands between the draft and its being in force, and puts it
// in force, with a reason.
export function Activation({ d, title, reload, trial }: Props) {
  const t = useT()
  const steward = useMay('steward')
  const [asking, ask] = useState(false)
  const [declared, setDeclared] = useState('')
  const missing = lacks(d)
  const words: Record<typeof missing, [string, string]> = {
    '': [`已对现有内容试跑，可以启用为第 ${d.newest + 1} 版`, `Tried as it is: it can be put in force as version ${d.newest + 1}`],
    faults: [`有 ${d.faults.length} 处问题，请先改正`, `${d.faults.length} faults stand in the way`],
    same: ['还没有改动', 'Nothing is changed yet'],
    base: ['现行版本已变，请先变基', 'Another version is in force: rebase first'],
    trial: ['现有内容还没有历史试跑，试跑后才能启用', 'Not tried over history as it is: it must be before it is put in force'],
  }
  if (d.state !== 'open') {
    return d.state === 'active'
      ? <><Alert type="success" role="status" showIcon data-active title={t(`已由 ${d.activated_by} 启用为第 ${d.version} 版`, `Put in force as version ${d.version} by ${d.activated_by}`)} description={t('理由：', 'Reason: ') + d.reason} />{declared ? <Declaration text={declared} version={d.version} close={() => setDeclared('')} /> : null}</>
      : <Alert type="info" role="status" showIcon title={t('正在启用', 'Being put in force')} />
  }
  return (
    <div className="foot" data-activation>
      <span className={missing === '' ? 'holds' : undefined}>{t(...words[missing])}</span>
      <div className="row">
        {missing === 'trial' && trial ? <Button onClick={trial}>{t('去试跑', 'To the trial')}</Button> : null}
        {steward ? <Button type="primary" disabled={missing !== ''} onClick={() => ask(true)}>{t('启用', 'Put in force')}</Button> : <span className="quiet small">{t('由数据治理员启用', 'A steward puts it in force')}</span>}
      </div>
      {asking ? (
        <Ask
          title={t(`启用为“${title}”第 ${d.newest + 1} 版`, `Put in force as version ${d.newest + 1} of ${title}`)} ok={t('启用', 'Put in force')} label={t('理由（必填）', 'Reason (required)')} said={t('已启用，历史随后重判', 'In force; history is judged again')}
          run={async (reason) => {
            try {
              setDeclared((await activateDraft(d.id, d.rev, reason)).declaration)
            } catch (err) {
              reload() // a conflict shows with its way out
              throw err
            }
          }}
          close={() => ask(false)} done={() => { ask(false); reload() }}
        >
          <p style={{ margin: 0 }}>{t('新版本从各分区当前位置起对新到的数据生效，已入库的行随后按新规则重判。', 'The new version holds for what arrives from here on; rows already stored are judged again.')}</p>
          <p className="quiet" style={{ margin: 0 }}>{t(`改动 ${d.diff.length} 处：`, `${d.diff.length} changes: `)}{d.diff.map((c) => c.title || c.rule).join('、')}</p>
        </Ask>
      ) : null}
    </div>
  )
}

const lacks = (d: RuleDraft): '' | 'faults' | 'same' | 'base' | 'trial' => {
  if (d.faults.length) return 'faults'
  if (!d.diff.length) return 'same'
  if (d.newest !== d.base) return 'base'
  return d.backtest ? '' : 'trial'
}

// Declaration is what is in force now, to be put back into the file it came from.
function Declaration({ text, version, close }: { text: string; version: number; close: () => void }) {
  const t = useT()
  return (
    <Modal open width={760} title={t(`第 ${version} 版的声明`, `The declaration of version ${version}`)} footer={<Button type="primary" onClick={close}>{t('关闭', 'Close')}</Button>} onCancel={close}>
      <div className="stack">
        <p style={{ margin: 0 }}>{t('请放回声明文件，以后装入声明时不会退回旧规则。', 'Put it back into the declaration file, so that the next apply keeps these rules.')} <Typography.Text copyable={{ text }}>{t('复制', 'Copy')}</Typography.Text></p>
        <pre className="bytes" tabIndex={0}>{text}</pre>
      </div>
    </Modal>
  )
}
