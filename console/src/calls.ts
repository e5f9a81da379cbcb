import createClient, { type Middleware } from 'openapi-fetch'
import { fromAnswer, ProblemError } from './problem'
import type { paths } from './schema'
import type { Application, FailingAsk, FileAsk, IngestNotice, NilAsk, Reject, ReleaseAsk, ReplayAsk, ScorePartName, Submission, Verdict, Way, WithdrawalAsk } from './shapes'

// signedOut is called when the server says that the session is over.
let signedOut = () => {}
export const onSignedOut = (f: () => void) => {
  signedOut = f
}

const watch: Middleware = {
  onRequest({ request }) {
    // Any value will do: a page of another origin can not set this header.
    if (request.method !== 'GET') request.headers.set('X-Mulu', 'console')
    return request
  },
  onResponse({ response, schemaPath }) {
    if (response.status === 401 && schemaPath !== '/v1/session') signedOut()
  },
}

export const api = createClient<paths>({ baseUrl: window.location.origin, credentials: 'same-origin' })
api.use(watch)

// ok gives the body of a good answer and throws a ProblemError for any other.
export async function ok<D>(answer: Promise<{ data?: D; error?: unknown; response: Response }>): Promise<D> {
  const { data, error, response } = await answer
  if (!response.ok) throw new ProblemError(fromAnswer(response.status, error))
  return data as D
}

// An empty filter is left out of the address.
const given = (v: string): string | undefined => v || undefined

export const getSession = () => ok(api.GET('/v1/session'))
export const signIn = (account: string, password: string) => ok(api.POST('/v1/session', { body: { account, password } }))
export const signOut = () => ok(api.DELETE('/v1/session'))

export const getFlow = () => ok(api.GET('/v1/flow'))
export const getFlowDetail = (code: string) => ok(api.GET('/v1/flow/{code}', { params: { path: { code } } }))
export const pause = (code: string, reason: string) => ok(api.POST('/v1/ingest/datasets/{code}/pause', { params: { path: { code } }, body: { reason } }))
export const resume = (code: string, reason: string) => ok(api.POST('/v1/ingest/datasets/{code}/resume', { params: { path: { code } }, body: { reason } }))
export const getHolds = () => ok(api.GET('/v1/ingest/holds'))
export const release = (body: ReleaseAsk) => ok(api.POST('/v1/ingest/holds/release', { body }))
export const acceptTopic = (topic: string, reason: string) => ok(api.POST('/v1/ingest/topics/accept', { body: { topic, reason } }))
export const skipOffsets = (topic: string, partition: number, next: number, reason: string) => ok(api.POST('/v1/ingest/topics/skip', { body: { topic, partition, next, reason } }))
export const getIngestNotices = () => ok(api.GET('/v1/ingest/notices'))
export const seeIngestNotice = ({ dataset, kind, subject }: IngestNotice) => ok(api.POST('/v1/ingest/notices/seen', { body: { dataset, kind, subject } }))
export const getStatements = (q: { verdict: Verdict | ''; cursor: string; limit: number }) =>
  ok(api.GET('/v1/ingest/reconciliations', { params: { query: { verdict: q.verdict || undefined, cursor: given(q.cursor), limit: q.limit } } }))
export const getStatement = (id: string) => ok(api.GET('/v1/ingest/reconciliations/{id}', { params: { path: { id } } }))
export const reconcile = (body: { dataset?: string; all: boolean }) => ok(api.POST('/v1/ingest/reconciliations', { body }))
export const statementURL = (id: string, format: 'csv' | 'xlsx') => `/v1/ingest/reconciliations/${encodeURIComponent(id)}/file?format=${format}`

export const getWays = () => ok(api.GET('/v1/ways'))
export const runWay = ({ dataset, name }: Way, agree: boolean) =>
  ok(api.POST('/v1/ways/{dataset}/{kind}/{name}/run', { params: { path: { dataset, kind: 'table', name } }, body: { agree_deletions: agree } }))
export interface SubmissionQuery { dataset: string; way: Way['kind'] | ''; state: Submission['state'] | ''; before: string; limit: number }
export const getSubmissions = (q: SubmissionQuery) =>
  ok(api.GET('/v1/submissions', { params: { query: { dataset: given(q.dataset), way: q.way || undefined, state: q.state || undefined, before: given(q.before), limit: q.limit } } }))
// getLanded gives what has landed of late, newest first; whole says that there is no
// more before it. The API gives 500 at a time.
export const getLanded = async (dataset: string, pages: number, since: string) => {
  const list: Submission[] = []
  for (let n = 0; n < pages; n++) {
    const part = await getSubmissions({ dataset, way: '', state: 'landed', before: list[list.length - 1]?.opened_at ?? '', limit: 500 })
    list.push(...part)
    if (part.length < 500 || (part[part.length - 1]?.opened_at ?? '') < since) return { list, whole: true }
  }
  return { list, whole: false }
}
export const getSubmission = (id: string) => ok(api.GET('/v1/submissions/{id}', { params: { path: { id } } }))
export const getPreview = (id: string) => ok(api.GET('/v1/submissions/{id}/preview', { params: { path: { id } } }))
export const previewFile = (id: string, body: FileAsk) => ok(api.POST('/v1/submissions/{id}/preview', { params: { path: { id } }, body }))
// sendFile sends a file as it was last judged.
export const sendFile = (id: string) => ok(api.POST('/v1/submissions/{id}/send', { params: { path: { id } }, body: {} }))
export const discardFile = (id: string) => ok(api.POST('/v1/submissions/{id}/discard', { params: { path: { id } } }))
export const reportNil = (body: NilAsk) => ok(api.POST('/v1/submissions/nil', { body }))
export const markedURL = (id: string) => `/v1/submissions/${encodeURIComponent(id)}/marked`
export const templateURL = (code: string) => `/v1/datasets/${encodeURIComponent(code)}/template`

export const getDatasets = () => ok(api.GET('/v1/datasets'))
export const getDataset = (code: string) => ok(api.GET('/v1/datasets/{code}', { params: { path: { code } } }))

export const getScore = (code: string) => ok(api.GET('/v1/datasets/{code}/score', { params: { path: { code } } }))
export const explainScore = (code: string, part: ScorePartName) => ok(api.GET('/v1/datasets/{code}/score/explain', { params: { path: { code }, query: { part } } }))
export const getResults = (code: string) => ok(api.GET('/v1/datasets/{code}/results', { params: { path: { code } } }))
export const runRules = (code: string) => ok(api.POST('/v1/datasets/{code}/results', { params: { path: { code } } }))
// getFailing looks at rows: every call is put down in the list of looks (查看记录).
export interface FailingQuery { dataset: string; rule: string; ask: FailingAsk; cursor: string; refused: string; limit: number }
export const getFailing = ({ dataset, rule, ask, cursor, refused, limit }: FailingQuery) =>
  ok(api.GET('/v1/datasets/{code}/rules/{rule}/rows', { params: { path: { code: dataset, rule }, query: { ...ask, where: ask.where && JSON.stringify(ask.where), cursor: given(cursor), refused_cursor: given(refused), limit } } }))
export const failingExportURL = (dataset: string, rule: string, format: 'csv' | 'xlsx') => `/v1/datasets/${encodeURIComponent(dataset)}/rules/${encodeURIComponent(rule)}/rows/export?format=${format}`
export const getLooks = (q: { dataset: string; rule: string; actor: string; cursor: string; limit: number }) =>
  ok(api.GET('/v1/quality/looks', { params: { query: { dataset: given(q.dataset), rule: given(q.rule), actor: given(q.actor), cursor: given(q.cursor), limit: q.limit } } }))
export const getBecame = (id: string) => ok(api.GET('/v1/quality/looks/{id}/became', { params: { path: { id } } }))
export const getDepartments = (period: string) => ok(api.GET('/v1/quality/departments', { params: { query: { period: given(period) } } }))
export const getDepartment = (org: string, period: string) => ok(api.GET('/v1/quality/departments/{org}', { params: { path: { org }, query: { period: given(period) } } }))

export interface RejectQuery { dataset: string; class: string; rule: string; field: string; state: Reject['state'] | ''; text: string; from: string; to: string; cursor: string; limit: number }
export const getRejects = (q: RejectQuery) =>
  ok(api.GET('/v1/rejects', { params: { query: { dataset: given(q.dataset), class: given(q.class), rule: given(q.rule), field: given(q.field), state: q.state || undefined, text: given(q.text), from: given(q.from), to: given(q.to), cursor: given(q.cursor), limit: q.limit } } }))
export const getRejectSummary = (dataset: string) => ok(api.GET('/v1/rejects/summary', { params: { query: { dataset: given(dataset) } } }))
export const replay = (body: ReplayAsk) => ok(api.POST('/v1/rejects/replay', { body }))
export const getBatches = (code: string, cursor: string) => ok(api.GET('/v1/datasets/{code}/batches', { params: { path: { code }, query: { cursor: given(cursor), limit: 20 } } }))
export const withdraw = (body: WithdrawalAsk) => ok(api.POST('/v1/withdrawals', { body }))
export const getNotices = () => ok(api.GET('/v1/share/notices', { params: { query: { limit: 200 } } }))
export const seeNotice = (id: string) => ok(api.POST('/v1/share/notices/{id}/seen', { params: { path: { id } } }))

export const getEntries = (q: { q: string; offset: number; limit: number }) =>
  ok(api.GET('/v1/catalog/entries', { params: { query: { q: given(q.q), offset: q.offset, limit: q.limit } } }))
export const getEntry = (code: string) => ok(api.GET('/v1/catalog/entry', { params: { query: { code } } }))
export const getOrgs = () => ok(api.GET('/v1/orgs'))

export const getStatus = async () => {
  const [status, head] = await Promise.all([ok(api.GET('/v1/system/status')), ok(api.GET('/v1/ledger/head'))])
  return { status, head }
}
export const getChain = async () => {
  const [head, waiting] = await Promise.all([ok(api.GET('/v1/ledger/head')), ok(api.GET('/v1/ledger/pending', { params: { query: { limit: 50 } } }))])
  return { head, ...waiting }
}
export const getRecent = (offset: number, limit: number) => ok(api.GET('/v1/ledger/recent', { params: { query: { offset, limit } } }))
export const proofURL = (id: string) => `/v1/ledger/proof?id=${encodeURIComponent(id)}`

export const getScenarios = () => ok(api.GET('/v1/share/scenarios'))
export const getRequests = () => ok(api.GET('/v1/share/requests'))
export const submit = (body: Application) => ok(api.POST('/v1/share/requests', { body }))
export const decide = (id: string, body: { agree: boolean; reason?: string; basis?: string }) =>
  ok(api.POST('/v1/share/requests/{id}/decision', { params: { path: { id } }, body }))
export const getGrants = () => ok(api.GET('/v1/share/grants'))
export type Step = 'revoke' | 'suspend' | 'resume'
export const step = (what: Step, id: string, reason: string) => {
  const init = { params: { path: { id } }, body: { reason } }
  switch (what) {
    case 'revoke':
      return ok(api.POST('/v1/share/grants/{id}/revoke', init))
    case 'suspend':
      return ok(api.POST('/v1/share/grants/{id}/suspend', init))
    case 'resume':
      return ok(api.POST('/v1/share/grants/{id}/resume', init))
  }
}
export const getReceipts = (q: { grant: string; cursor: string; limit: number }) =>
  ok(api.GET('/v1/share/receipts', { params: { query: { grant: given(q.grant), cursor: given(q.cursor), limit: q.limit } } }))

// getAreas gives the streets inside an organisation's own division by division code:
// who may receive what it applies for.
export const getAreas = async (org: string) => {
  const list = await getOrgs()
  const own = list.find((o) => o.code === org)?.division ?? ''
  return new Map(list.filter((o) => o.kind === 'street' && o.division.startsWith(own)).map((o) => [o.division, o.short || o.name] as const))
}
