// The answers the pages read, named once.
export interface Session { account: string; name: string; org: string; org_name: string; role: 'steward' | 'officer' | 'approver' | 'operator' | 'auditor'; sample: boolean; csrf?: string }
export interface FlowDataset {
  code: string; title: string; owner_name: string; topic: string; library: string
  rate: number; series: number[]; lag: number; position: number
  offsets: number; good: number; rejected: number; control: number; balanced: boolean
  last_at: string | null
}
export interface Flow { at: string; datasets: FlowDataset[] }
export interface DatasetRow { code: string; title: string; owner_name: string; library: string; level: number; rows: number; total: number | null; grade: string | null; last_at: string | null; version: number }
export interface Indicator { code: string; title: string; a: number; b: number; x: number | null; applicable: boolean }
export interface Dimension { code: string; title: string; weight: number; x: number | null; applicable: boolean; indicators: Indicator[] }
export interface Score { dataset: string; total: number; grade: string; rows: number; through: string; at: string; ruleset: number; weights: string; digest: string; dimensions: Dimension[] }
export interface Column { name: string; title: string; type: string; length: number; scale: number; required: boolean; key: boolean; codes: string; level: number; pi: string }
export interface Rule { id: string; title: string; blocking: boolean; indicator: string; evaluated: number; failed: number }
export interface DatasetDetail extends DatasetRow { system: string; topic: string; catalog: string; format: string; columns: Column[]; rules: Rule[]; score: Score | null; trend: { at: string; total: number }[] }
export interface Reject { dataset: string; topic: string; partition: number; offset: number; class: string; rule: string; field: string; reason: string; key: string; value: string; at: string }
export interface RejectSummary { class: string; rule: string; rule_title: string; count: number }
export interface Entry { code: string; title: string; provider_name: string; dataset: string; version: number; state: string; share_type: string; update_cycle: string; level: number; index: number | null; updated_at: string; digest: string; summary: string }
export interface Head { origin: string; size: number; root: string; at: string; pending: number }
export interface ChainEntry { index: number; id: string; kind: string; actor: string; org_name: string; role: string; at: string; text: string; refused: string; digest: string }
export interface Pending { id: string; kind: string; at: string; attempts: number; error: string; text: string }
export interface ScenarioItem { name: string; title: string; level: number; masks: string[]; mask: string }
export interface Scenario { code: string; title: string; purpose: string; legal_basis: string; modes: string[]; items: ScenarioItem[]; state: string; index: number | null; base: string; owner_name: string }
export interface ItemPick { name: string; title?: string; level?: number; mask: string }
export interface Clock { article: string; due: string; left: number; overdue: boolean }
export interface Request { id: string; scenario: string; scenario_title: string; requester_name: string; purpose: string; items: ItemPick[]; receivers: string[]; state: string; at: string; clock: Clock | null; reason: string; grant: string; index: number | null; until: string; may_decide: boolean }
export interface Grant { id: string; scenario: string; scenario_title: string; receiver_name: string; items: ItemPick[]; state: string; from: string; until: string; index: number | null; reads: number; may_revoke: boolean }
export interface Receipt { id: string; grant: string; scenario_title: string; receiver_name: string; actor: string; mode: string; opened_at: string; closed_at: string | null; rows: number; digest: string; state: string; index: number | null }
export interface Paged<D> { items: D[]; total: number }
