import type { Column } from '../shapes'
import type { RuleFault, RuleKind, RuleParam, RuleSpec } from '../calls-rules'

// How a rule is written in the editor. The server says what is wrong with one; here is
// only what the form offers.

// places says how many columns a kind is asked one by one, 0 for a list of any length,
// -1 for none at all.
export const places = (k: RuleKind): number => {
  if (k.most < 0) return -1
  if (k.most > 0) return k.most
  return 0
}

// fits says whether a column may stand at a place of a kind.
export const fits = (k: RuleKind, place: number, c: Column): boolean => {
  const types = k.types[Math.min(place, k.types.length - 1)]
  return !types || types.length === 0 || types.includes(c.type)
}

// freeID gives a rule an id that no other has: its first column and its kind, as the
// declarations name theirs.
export const freeID = (kind: string, columns: string[], taken: string[]): string => {
  const first = (columns[0] ? `${columns[0]}.` : '') + kind
  for (let n = 1; ; n++) {
    const id = n === 1 ? first : `${first}_${n}`
    if (!taken.includes(id)) return id
  }
}

// plainTitle says what a rule is about until somebody finds better words.
export const plainTitle = (k: RuleKind, columns: string[], all: Column[]): string =>
  columns.filter(Boolean).map((n) => all.find((c) => c.name === n)?.title ?? n).join('、') + (columns.some(Boolean) && /^[A-Za-z]/.test(k.title) ? ' ' : '') + k.title

// listOf and textOf read and write a parameter that is a list.
export const listOf = (text: string | undefined): string[] => (text ?? '').split(',').map((s) => s.trim()).filter(Boolean)
export const textOf = (list: string[]): string => list.flatMap((s) => s.split(/[,，]/)).map((s) => s.trim()).filter(Boolean).join(',')

// tidy leaves out what was not filled in.
export const tidy = (r: RuleSpec): RuleSpec => ({
  ...r,
  id: r.id.trim(),
  title: r.title?.trim() ?? '',
  columns: (r.columns ?? []).filter(Boolean),
  params: Object.fromEntries(Object.entries(r.params ?? {}).filter(([, v]) => v.trim() !== '')),
  when: r.when?.trim() ?? '',
})

// elsewhere says whether a parameter names columns of the other dataset of a kind.
export const elsewhere = (k: RuleKind, p: RuleParam): boolean => k.params.some((o) => o.type === 'dataset') && ['to', 'item', 'order_by'].includes(p.name)

// faultsOf are the faults of one rule; a fault of a list names a place in it.
export const faultsOf = (all: RuleFault[], set: boolean, at: number): RuleFault[] => all.filter((f) => f.set === set && f.at === at)

const fields = ['id', 'title', 'kind', 'columns', 'when', 'mostly', 'indicator', 'blocking']

// fieldOf is the field of the form that a fault belongs to, '' if it is of the whole rule.
export const fieldOf = (f: RuleFault): string => {
  if (f.field.startsWith('params.')) return f.field
  const name = f.field.replace(/[[.].*$/, '')
  return fields.includes(name) ? name : ''
}

// chinese is the first half of a text of two languages.
export const half = (text: string, zh: boolean): string => {
  const parts = text.split(' / ')
  return (parts.length < 2 ? text : zh ? parts.slice(0, -1).join(' / ') : parts[parts.length - 1]) ?? text
}
