import type { FileColumn } from '../shapes'

// Which heading of a file goes to which column of the dataset, while a person edits it.
// "" is a heading that is left out.
export type Mapping = Record<string, string>

// mappingOf is the mapping that a preview was judged by.
export const mappingOf = (columns: FileColumn[]): Mapping => Object.fromEntries(columns.map((c) => [c.heading, c.column]))

// choose gives a heading another column. A column takes one heading: who had it lets it go.
export function choose(m: Mapping, heading: string, column: string): Mapping {
  const out: Mapping = {}
  for (const [h, c] of Object.entries(m)) out[h] = h === heading ? column : column !== '' && c === column ? '' : c
  return out
}

// missing are the columns that must be there and have no heading.
export const missing = (required: string[], m: Mapping): string[] => {
  const has = new Set(Object.values(m))
  return required.filter((c) => !has.has(c))
}

// changed says whether two mappings differ, so that the file must be looked at again.
export const changed = (a: Mapping, b: Mapping): boolean => {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)])
  return [...keys].some((k) => (a[k] ?? '') !== (b[k] ?? ''))
}
