import type { components } from './schema'

// The answers the pages read, by name; src/schema.d.ts is generated from the
// contract, ../api/openapi.yaml.
type All = components['schemas']

export type Session = All['Session']
export type Flow = All['Flow']
export type FlowDataset = All['FlowDataset']
export type DatasetRow = All['DatasetRow']
export type DatasetDetail = All['DatasetDetail']
export type Column = All['Column']
export type Rule = All['Rule']
export type Score = All['Score']
export type Dimension = All['Dimension']
export type Reject = All['Reject']
export type RejectSummary = All['RejectSummary']
export type Entry = All['Entry']
export type ChainEntry = All['ChainEntry']
export type PendingItem = All['PendingItem']
export type Scenario = All['Scenario']
export type ScenarioItem = All['ScenarioItem']
export type Application = All['Application']
export type ShareRequest = All['ShareRequest']
export type Clock = All['Clock']
export type Grant = All['Grant']
export type Receipt = All['Receipt']
export type Org = All['Org']
