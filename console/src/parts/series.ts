import { when } from '../format'

// Series of the API are evenly spaced, oldest first, the last point ending at `at`.

// runs splits a series at what is not known.
export const runs = (values: (number | null)[]): { from: number; values: number[] }[] => {
  const out: { from: number; values: number[] }[] = []
  let open: { from: number; values: number[] } | undefined
  values.forEach((v, i) => {
    if (v === null) {
      open = undefined
      return
    }
    if (!open) out.push((open = { from: i, values: [] }))
    open.values.push(v)
  })
  return out
}

// moments names each of n points by its time of day, HH:mm:ss.
export const moments = (at: string, step: number, n: number): string[] => {
  const end = Date.parse(at)
  return [...Array(n)].map((_, i) => when(new Date(end - (n - 1 - i) * step * 1000).toISOString()).slice(11))
}

// shares turns counts into widths in percent that add up to 100. What is there at all
// keeps a width that can be seen.
export const shares = (counts: number[], least = 3): number[] => {
  const total = counts.reduce((a, b) => a + b, 0)
  if (total <= 0) return counts.map(() => 0)
  const raw = counts.map((n) => (n > 0 ? Math.max(least, (n / total) * 100) : 0))
  const sum = raw.reduce((a, b) => a + b, 0)
  return raw.map((w) => (w / sum) * 100)
}
