import { fromAnswer, ProblemError } from './problem'
import type * as S from './shapes'

async function call<D>(method: string, path: string, body?: unknown): Promise<D> {
  const res = await fetch('/api/v1' + path, { method, headers: body ? { 'Content-Type': 'application/json' } : {}, body: body ? JSON.stringify(body) : undefined })
  const text = await res.text()
  const data = text ? JSON.parse(text) : undefined
  if (!res.ok) throw new ProblemError(fromAnswer(res.status, data))
  return data as D
}
const q = (o: Record<string, string | number>) => '?' + new URLSearchParams(Object.entries(o).filter(([, v]) => v !== '').map(([k, v]) => [k, String(v)])).toString()

export const getSession = () => call<S.Session>('GET', '/session')
export const postSession = (account: string, password: string) => call<S.Session>('POST', '/session', { account, password })
export const deleteSession = () => call<void>('DELETE', '/session')
export const getFlow = () => call<S.Flow>('GET', '/flow')
export const getDatasets = () => call<S.DatasetRow[]>('GET', '/datasets')
export const getDataset = (code: string) => call<S.DatasetDetail>('GET', '/datasets/' + code)
export const getRejects = (o: { dataset: string; class: string; page: number; size: number }) => call<S.Paged<S.Reject>>('GET', '/rejects' + q(o))
export const getRejectSummary = (dataset: string) => call<S.RejectSummary[]>('GET', '/rejects/summary' + q({ dataset }))
export const getEntries = () => call<S.Entry[]>('GET', '/entries')
export const getChain = () => call<{ head: S.Head; pending: S.Pending[] }>('GET', '/chain')
export const getChainEntries = (page: number, size: number) => call<S.Paged<S.ChainEntry>>('GET', '/chain/entries' + q({ page, size }))
export const proofURL = (e: S.ChainEntry) => `/api/v1/chain/proofs/${e.index}`
export const getScenarios = () => call<S.Scenario[]>('GET', '/scenarios')
export const getRequests = () => call<S.Request[]>('GET', '/requests')
export const sendRequest = (body: object) => call<unknown>('POST', '/requests', body)
export const decide = (id: string, agree: boolean, reason: string) => call<unknown>('POST', `/requests/${id}/decision`, { agree, reason })
export const getGrants = () => call<S.Grant[]>('GET', '/grants')
export const revoke = (id: string, reason: string) => call<unknown>('POST', `/grants/${id}/revoke`, { reason })
export const getReceipts = (o: { grant: string; page: number; size: number }) => call<S.Paged<S.Receipt>>('GET', '/receipts' + q(o))
