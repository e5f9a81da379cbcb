import { api, ok } from './calls'
import type { components } from './schema'

// What the rule editor asks of the server, and what it is answered.
type All = components['schemas']

export type RuleKinds = All['RuleKinds']
export type RuleKind = All['RuleKind']
export type RuleParam = All['RuleParam']
export type RuleSpec = All['RuleSpec']
export type RuleDraft = All['RuleDraft']
export type RuleDraftRow = All['RuleDraftRow']
export type RuleFault = All['RuleFault']
export type RuleChange = All['RuleChange']
export type RulePreview = All['RulePreview']
export type RulePreviewAsk = All['RulePreviewAsk']
export type PreviewRow = All['PreviewRow']
export type Backtest = All['Backtest']
export type BacktestResult = All['BacktestResult']
export type BacktestRule = All['BacktestRule']

const one = (id: string) => ({ path: { id } })

export const getRuleKinds = () => ok(api.GET('/v1/quality/kinds'))
export const getDrafts = (dataset: string) => ok(api.GET('/v1/quality/drafts', { params: { query: { dataset: dataset || undefined, limit: 500 } } }))
export const addDraft = (body: All['RuleDraftAsk']) => ok(api.POST('/v1/quality/drafts', { body }))
export const getDraft = (id: string) => ok(api.GET('/v1/quality/drafts/{id}', { params: one(id) }))
export const saveDraft = (id: string, body: All['RuleDraftEdit']) => ok(api.PUT('/v1/quality/drafts/{id}', { params: one(id), body }))
export const dropDraft = (id: string, rev: number) => ok(api.DELETE('/v1/quality/drafts/{id}', { params: { ...one(id), query: { rev } } }))
export const previewDraft = (id: string, body: RulePreviewAsk) => ok(api.POST('/v1/quality/drafts/{id}/preview', { params: one(id), body }))
export const getBacktests = (id: string) => ok(api.GET('/v1/quality/drafts/{id}/backtest', { params: one(id) }))
export const startBacktest = (id: string, share: number) => ok(api.POST('/v1/quality/drafts/{id}/backtest', { params: one(id), body: share > 0 ? { share } : {} }))
export const rebaseDraft = (id: string, rev: number) => ok(api.POST('/v1/quality/drafts/{id}/rebase', { params: one(id), body: { rev } }))
export const activateDraft = (id: string, rev: number, reason: string) => ok(api.POST('/v1/quality/drafts/{id}/activate', { params: one(id), body: { rev, reason } }))

export type Profile = All['Profile']
export type ProfileColumn = All['ProfileColumn']
export type Suggestion = All['Suggestion']

const of = (code: string) => ({ path: { code } })
export const getProfile = (code: string) => ok(api.GET('/v1/datasets/{code}/profile', { params: of(code) }))
export const startProfile = (code: string) => ok(api.POST('/v1/datasets/{code}/profile', { params: of(code) }))
export const getSuggestions = (code: string) => ok(api.GET('/v1/datasets/{code}/suggestions', { params: of(code) }))
export const adoptSuggestion = (code: string, n: number, draft: string) => ok(api.POST('/v1/datasets/{code}/suggestions/{n}/adopt', { params: { path: { code, n } }, body: draft ? { draft } : {} }))
