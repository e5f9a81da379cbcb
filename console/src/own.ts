import { getDatasets, getEntries, getFlow } from './calls'
import { useLive, type Live } from './live'
import { useSession } from './session'

export interface Own { code: string; title: string; owner: string; cycle: string; plain: boolean }

// useOwn lists the datasets whose delivery concerns who is signed in: an officer those
// of the own organisation, others all. Plain ones, JSON in UTF-8, can be delivered beside
// their topic. The cycle (更新周期) stands in the catalogue,
// which the operator does not read.
export function useOwn(): Live<Own[]> {
  const { session } = useSession()
  const role = session?.role
  const ask = async (): Promise<Own[]> => {
    if (role === 'operator') return (await getFlow()).datasets.map((d) => ({ code: d.code, title: d.title, owner: d.owner_name, cycle: '', plain: d.format === 'json' }))
    const [datasets, { items }] = await Promise.all([getDatasets(), getEntries({ q: '', offset: 0, limit: 500 })])
    const cycles = new Map(items.map((e) => [e.dataset, e.update_cycle]))
    return datasets.filter((d) => role !== 'officer' || d.owner === session?.org).map((d) => ({ code: d.code, title: d.title, owner: d.owner_name, cycle: cycles.get(d.code) ?? '', plain: d.format === 'json' }))
  }
  return useLive(ask, `own ${role ?? ''} ${session?.org ?? ''}`)
}
