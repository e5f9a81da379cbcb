import { fromAnswer, ProblemError } from '../problem'

export interface Fetched { name: string; bytes: number; look: string; rows: number; digest: string }

const kept = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

// fetchFile asks for a file, says how far it has come (total 0: not known yet, it is
// being made), and hands it to the browser to save.
export async function fetchFile(url: string, body: unknown, on: (done: number, total: number) => void, signal: AbortSignal): Promise<Fetched> {
  const answer = await fetch(url, { method: 'POST', credentials: 'same-origin', headers: { 'Content-Type': 'application/json', 'X-Mulu': 'console' }, body: JSON.stringify(body), signal })
  if (!answer.ok) throw new ProblemError(fromAnswer(answer.status, kept(await answer.text())))
  const head = answer.headers
  const total = Number(head.get('Content-Length') ?? 0)
  const parts: Uint8Array<ArrayBuffer>[] = []
  let done = 0
  const reader = answer.body?.getReader()
  for (;;) {
    const next = await reader?.read()
    if (!next || next.done) break
    parts.push(next.value as Uint8Array<ArrayBuffer>)
    done += next.value.length
    on(done, total)
  }
  if (total && done !== total) throw new TypeError('the file is not whole')
  const name = head.get('Content-Disposition')?.match(/filename="([^"]+)"/)?.[1] ?? 'rows.zip'
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob(parts, { type: head.get('Content-Type') ?? '' }))
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
  return { name, bytes: done, look: head.get('X-Mulu-Look') ?? '', rows: Number(head.get('X-Mulu-Rows') ?? 0), digest: head.get('X-Mulu-Digest') ?? '' }
}
