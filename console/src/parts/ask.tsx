import { Input, Modal } from 'antd'
import { useState, type ReactNode } from 'react'
import { useT } from '../lang'
import { useAct } from './act'

interface Props {
  title: string
  ok: string // what the button says
  label: string // what is to be written
  max?: number // characters
  danger?: boolean
  ready?: boolean // all else is filled in
  run: (reason: string) => Promise<unknown>
  said: string // after it went well
  close: () => void
  done: () => void
  children: ReactNode // what it does, in plain words
}

// Ask stands before a decision: what it does, and the reason, which must be given.
export function Ask({ title, ok, label, max = 500, danger, ready = true, run, said, close, done, children }: Props) {
  const t = useT()
  const { busy, act } = useAct()
  const [reason, setReason] = useState('')
  const send = async () => {
    if (await act(() => run(reason.trim()), said)) done()
  }
  return (
    <Modal open title={title} okText={ok} cancelText={t('取消', 'Cancel')} okButtonProps={{ danger: danger ?? false, loading: busy, disabled: !ready || !reason.trim() }} onOk={() => void send()} onCancel={close}>
      <div className="stack">
        {children}
        <label>
          {label}
          <Input.TextArea rows={3} maxLength={max} value={reason} onChange={(e) => setReason(e.target.value)} />
        </label>
      </div>
    </Modal>
  )
}
