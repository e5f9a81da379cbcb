import { Button } from 'antd'
import { useState } from 'react'
import { getBecame } from '../calls'
import { count, when } from '../format'
import { useT } from '../lang'
import { asProblem } from '../problem'
import type { Became as Answer } from '../shapes'
import { colors } from '../theme'
import { Split } from './bars'
import { Notice } from './page'

// Became says on demand what became of the rows of a look or an export.
export function Became({ id }: { id: string }) {
  const t = useT()
  const [busy, setBusy] = useState(false)
  const [answer, set] = useState<Answer>()
  const [problem, setProblem] = useState<ReturnType<typeof asProblem>>()
  const ask = async () => {
    setBusy(true)
    setProblem(undefined)
    try {
      set(await getBecame(id))
    } catch (err) {
      setProblem(asProblem(err))
    } finally {
      setBusy(false)
    }
  }
  if (problem) return <Notice problem={problem} retry={() => void ask()} />
  if (!answer) return <Button size="small" loading={busy} onClick={() => void ask()} aria-label={t(`${id} 的去向`, `What became of ${id}`)}>{t('去向', 'Became')}</Button>
  return (
    <div data-became style={{ minWidth: 220 }}>
      <Split
        label={t('去向', 'What became of them')}
        list={[
          { name: t('仍不合格', 'still failing'), n: answer.failing, colour: colors.error },
          { name: t('已更正', 'mended'), n: answer.mended, colour: '#2a9d57' },
          { name: t('已不在', 'gone'), n: answer.gone, colour: '#8a94a1' },
        ]}
      />
      <div className="quiet small">{t(`当时 ${count(answer.rows)} 行；截至 ${when(answer.at)}`, `${count(answer.rows)} rows then; as of ${when(answer.at)}`)}</div>
    </div>
  )
}
