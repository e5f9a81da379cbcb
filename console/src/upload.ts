import { useSyncExternalStore } from 'react'
import { fromAnswer, type Problem } from './problem'
import type { FilePreview } from './shapes'

// The upload under way belongs to the window and not to a page: who leaves the page
// and comes back finds it going on. One at a time.
export interface Upload {
  dataset: string
  name: string
  size: number
  sent: number // bytes
  state: 'sending' | 'checking' | 'done' | 'failed' // checking: all bytes are there, the answer is awaited
  problem?: Problem
  preview?: FilePreview
  file: File // kept for sending it once more
}

let now: Upload | undefined
let request: XMLHttpRequest | undefined
const watchers = new Set<() => void>()

const put = (next: Upload | undefined) => {
  now = next
  for (const w of watchers) w()
}

const watch = (w: () => void) => {
  watchers.add(w)
  return () => void watchers.delete(w)
}

export const useUpload = (): Upload | undefined => useSyncExternalStore(watch, () => now)

// The browser asks before it closes a window that still sends.
const stay = (e: BeforeUnloadEvent) => {
  e.preventDefault()
  e.returnValue = '' // Chromium 88 asks only for this
}

const body = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

// start sends a file. XMLHttpRequest and not fetch: only it says how far it has come.
// With force it is taken though the same content was delivered before.
export function start(dataset: string, file: File, force = false): void {
  cancel()
  const x = new XMLHttpRequest()
  request = x
  const end = (next: Pick<Upload, 'state' | 'problem' | 'preview'>) => {
    if (request !== x) return
    request = undefined
    window.removeEventListener('beforeunload', stay)
    if (now) put({ ...now, ...next })
  }
  x.upload.onprogress = (e) => {
    if (request === x && now) put({ ...now, sent: Math.min(e.loaded, now.size) })
  }
  x.upload.onload = () => {
    if (request === x && now) put({ ...now, sent: now.size, state: 'checking' })
  }
  x.onload = () => {
    const answer = body(x.responseText)
    if (x.status >= 200 && x.status < 300 && answer) end({ state: 'done', preview: answer as FilePreview })
    else end({ state: 'failed', problem: fromAnswer(x.status, answer) })
  }
  x.onerror = () =>
    end({ state: 'failed', problem: { status: 0, title: '上传中断，文件没有收下 The upload broke off; nothing was taken', mend: '请确认网络可达后重新上传。' } })
  x.open('POST', `/v1/submissions/files?dataset=${encodeURIComponent(dataset)}&name=${encodeURIComponent(file.name)}${force ? '&force=true' : ''}`)
  x.setRequestHeader('X-Mulu', 'console')
  x.setRequestHeader('Content-Type', 'application/octet-stream')
  window.addEventListener('beforeunload', stay)
  put({ file, dataset, name: file.name, size: file.size, sent: 0, state: 'sending' })
  x.send(file)
}

// cancel stops what is under way and forgets what was.
export function cancel(): void {
  const x = request
  request = undefined
  x?.abort()
  window.removeEventListener('beforeunload', stay)
  put(undefined)
}
