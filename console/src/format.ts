import type { Lang } from './lang'

// Numbers as people read them. Every function gives '–' for what is not there.
export const none = '–'

const absent = (n: number | null | undefined): n is null | undefined => n === null || n === undefined || Number.isNaN(n)

export const count = (n: number | null | undefined): string => (absent(n) ? none : n.toLocaleString('en-US', { maximumFractionDigits: 0 }))

// rate takes rows per second.
export const rate = (n: number | null | undefined): string => {
  if (absent(n)) return none
  return n.toLocaleString('en-US', { maximumFractionDigits: n < 10 ? 1 : 0 })
}

// wait takes milliseconds and says how long in two or three digits and a unit.
export const wait = (ms: number | null | undefined, lang: Lang): string => {
  if (absent(ms)) return none
  const units: [number, number, string, string][] = [
    [1000, 1, ' 毫秒', ' ms'], [120_000, 1000, ' 秒', ' s'], [7_200_000, 60_000, ' 分', ' min'], [172_800_000, 3_600_000, ' 小时', ' h'], [Infinity, 86_400_000, ' 天', ' d'],
  ]
  const [, size, zh, en] = units.find(([below]) => ms < below) ?? units[0]!
  const n = ms / size
  return n.toFixed(size > 1 && n < 10 ? 1 : 0) + (lang === 'zh' ? zh : en)
}

// percent takes a share in [0,1]. It never rounds up to 100 what is less.
export const percent = (x: number | null | undefined, digits = 2): string => {
  if (absent(x)) return none
  const unit = 10 ** digits
  let v = Math.round(x * 100 * unit) / unit
  if (v >= 100 && x < 1) v = 100 - 1 / unit
  return v.toFixed(digits) + '%'
}

// points takes a share in [0,1] and gives a score out of 100.
export const points = (x: number | null | undefined): string => {
  if (absent(x)) return none
  return percent(x, 1).slice(0, -1)
}

export const bytes = (n: number | null | undefined): string => {
  if (absent(n)) return none
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  let i = 0
  let v = n
  while (v >= 1024 && i < units.length - 1) {
    v /= 1024
    i++
  }
  return `${v.toFixed(i === 0 || v >= 100 ? 0 : 1)} ${units[i]}`
}

// when gives a moment in the district's own time (UTC+8, whatever the browser's
// zone), as YYYY-MM-DD HH:mm:ss. The zero time of the server is "never".
export const when = (iso: string | null | undefined): string => {
  if (!iso || iso.startsWith('0001-')) return none
  const t = Date.parse(iso)
  if (Number.isNaN(t)) return none
  return new Date(t + 8 * 3600_000).toISOString().slice(0, 19).replace('T', ' ')
}

export const day = (iso: string | null | undefined): string => {
  const s = when(iso)
  return s === none ? s : s.slice(0, 10)
}

// lastDay gives the last whole day before an end that is itself left out.
export const lastDay = (iso: string): string => day(new Date(Date.parse(iso) - 1).toISOString())

// ago says how long since, in the words of the language.
export const ago = (iso: string | null | undefined, now: number, lang: Lang): string => {
  if (!iso || iso.startsWith('0001-')) return none
  const t = Date.parse(iso)
  if (Number.isNaN(t)) return none
  const s = Math.max(0, Math.round((now - t) / 1000))
  const zh = lang === 'zh'
  if (s < 5) return zh ? '刚刚' : 'just now'
  if (s < 60) return zh ? `${s} 秒前` : `${s} s ago`
  if (s < 3600) return zh ? `${Math.floor(s / 60)} 分钟前` : `${Math.floor(s / 60)} min ago`
  if (s < 86400) return zh ? `${Math.floor(s / 3600)} 小时前` : `${Math.floor(s / 3600)} h ago`
  return zh ? `${Math.floor(s / 86400)} 天前` : `${Math.floor(s / 86400)} d ago`
}

// digest shortens "sha256:ab…" for a table; the whole stands in its title.
export const digest = (d: string | null | undefined): string => {
  if (!d) return none
  const i = d.indexOf(':') + 1
  const body = d.slice(i)
  return body.length <= 16 ? d : d.slice(0, i) + body.slice(0, 12) + '…'
}

// original decodes base64 to text for reading, or says that it is not text:
// rejected rows are kept byte for byte and need not be valid UTF-8.
export const original = (b64: string): { text: string; binary: boolean; size: number } => {
  const raw = atob(b64)
  const data = Uint8Array.from(raw, (c) => c.charCodeAt(0))
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(data), binary: false, size: data.length }
  } catch {
    return { text: hex(data), binary: true, size: data.length }
  }
}

// hex gives 16 bytes a line, as `xxd` does.
export const hex = (data: Uint8Array): string => {
  const lines: string[] = []
  for (let i = 0; i < data.length; i += 16) {
    const part = Array.from(data.subarray(i, i + 16))
    const codes = part.map((b) => b.toString(16).padStart(2, '0')).join(' ')
    const chars = part.map((b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : '.')).join('')
    lines.push(`${i.toString(16).padStart(6, '0')}  ${codes.padEnd(47)}  ${chars}`)
  }
  return lines.join('\n')
}

// span says how long, from seconds, in its two largest units.
export const span = (seconds: number, lang: Lang): string => {
  const parts: [number, string, string][] = [[86400, ' 天', ' d'], [3600, ' 小时', ' h'], [60, ' 分', ' min'], [1, ' 秒', ' s']]
  let left = Math.max(0, Math.floor(seconds))
  const out: string[] = []
  for (const [size, zh, en] of parts) {
    const n = Math.floor(left / size)
    left -= n * size
    if (n > 0 && out.length < 2) out.push(n + (lang === 'zh' ? zh : en))
  }
  return out.join(' ') || (lang === 'zh' ? '0 秒' : '0 s')
}
