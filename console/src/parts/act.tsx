import { App } from 'antd'
import { useState } from 'react'
import { useT } from '../lang'
import { asProblem } from '../problem'

// useAct runs one change after another and says how each went, with the mend hint
// of a refusal.
export function useAct(): { busy: boolean; act: (what: () => Promise<unknown>, done: string) => Promise<boolean> } {
  const t = useT()
  const { message, modal } = App.useApp()
  const [busy, setBusy] = useState(false)
  const act = async (what: () => Promise<unknown>, done: string) => {
    setBusy(true)
    try {
      await what()
      void message.success(done)
      return true
    } catch (err) {
      const p = asProblem(err)
      modal.error({ title: p.title, content: p.mend, okText: t('知道了', 'OK') })
      return false
    } finally {
      setBusy(false)
    }
  }
  return { busy, act }
}
