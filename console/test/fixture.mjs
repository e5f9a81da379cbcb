// A server of made-up answers for working on the console before, or without, a
// running mulu. It is for development only: nothing of it is built or shipped.
import { createServer } from 'node:http'
import { readFileSync, existsSync } from 'node:fs'
import { join, extname } from 'node:path'
import { randomBytes } from 'node:crypto'
import * as measured from './measured.mjs'
import * as ways from './ways.mjs'

const dist = new URL('../dist/', import.meta.url).pathname
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' }
const b64 = (s) => Buffer.from(s).toString('base64')
const t = (s) => new Date(Date.now() - s * 1000).toISOString()
const hex = (n, seed = 'a') => [...Array(n)].map((_, i) => ((i * 7 + seed.charCodeAt(0) * 3 + ((i * i) % 11)) % 16).toString(16)).join('')

const people = {
  steward: { account: 'steward', name: '陈治理（演示）', org: '12310107MBQ000032E', org_name: '区大数据中心', role: 'steward', sample: true },
  officer: { account: 'officer', name: '李专员（演示）', org: '11310107MBQ000518E', org_name: '曹杨新村街道', role: 'officer', sample: true },
  approver: { account: 'approver', name: '王审批（演示）', org: '11310107MBQ000024N', org_name: '区数据局', role: 'approver', sample: true },
  operator: { account: 'operator', name: '赵运维（演示）', org: '12310107MBQ000032E', org_name: '区大数据中心', role: 'operator', sample: true },
  auditor: { account: 'auditor', name: '孙审计（演示）', org: '11310107MBQ000016U', org_name: '区政府办公室', role: 'auditor', sample: true },
}
export const accounts = Object.keys(people).map((a) => [a, 'demo'])

const sets = [
  ['resident', '常住人口基本信息', '公安普陀分局', 'lib_population', 3, 892114, 0.962, '优'],
  ['elder_visit', '独居老人走访', '曹杨新村街道', 'lib_civil', 3, 18230, 0.914, '优'],
  ['disability', '残疾人证信息', '区残联', 'lib_civil', 4, 21077, 0.871, '良'],
  ['enterprise', '企业登记信息', '区市场监管局', 'lib_legal', 2, 143902, 0.948, '优'],
  ['housing', '房屋基本信息', '区房管局', 'lib_space', 2, 410233, 0.782, '中'],
  ['vaccination', '预防接种记录', '区卫健委', 'lib_population', 4, 1204551, null, null],
]
const ours = { remedy: '', skip_to: 0, version: 2, since: 41200, next_version: null, next_from: null, lag: 0, rate: 0, stopped: false, error: '', state: 'running' }
const stops = [
  { state: 'stopped', stopped: true, remedy: 'accept', position: -1, error: '主题 putuo.housing 已被重建(原标识 01，现为 02)，已停止读取以免混淆；确认是有意重建后，从新主题的开头读起 / topic was created again' },
  { state: 'stopped', stopped: true, remedy: 'skip', skip_to: 80000, position: -1, error: '位点 50000 至 79999 在读取之前已被消息系统清除，已停止读取；确认放弃后从 80000 接着读 / offsets were removed before they were read' },
]
const partitions = (code, rows, i) => [0, 1].map((partition) => ({ ...ours, partition, position: rows, high_watermark: rows, ...(i === 4 ? stops[partition] : {}), ...(i === 1 && partition === 1 ? { next_version: 3, next_from: rows + 900 } : {}) }))
const paused = { disability: { reason: '来源单位重新导出，暂停至下午', by: 'steward', at: t(5400) } }
let holds = [0, 1, 2].map((partition) => ({ dataset: 'enterprise', topic: 'putuo.enterprise', topic_id: hex(32, 'e'), partition, first: 143902, last: 144901, version: 1, records: 1000, failed: 934, class: partition ? 'absent' : 'type', field: partition ? 'legal_rep' : 'capital', reason: partition ? '必填字段“legal_rep”不再出现在记录中，可能已改名或停用' : '字段“注册资本”(capital)的值“伍佰万”不是小数', offset: 143902, at: t(1800), decision: '', to_version: 0, note: '', decided_by: '' }))
const told = [
  { dataset: 'enterprise', title: '企业登记信息', kind: 'held', subject: 'putuo.enterprise/0', detail: '位置 143902 起的 1000 条中有 934 条不符合版本 1：字段“capital”，类别 type；已停在这里等待处理', first_at: t(1800), last_at: t(1800), seen: false, seen_by: '' },
  { dataset: 'housing', title: '房屋基本信息', kind: 'stopped', subject: 'putuo.housing/0', detail: stops[0].error.split(' / ')[0], first_at: t(7200), last_at: t(3600), seen: false, seen_by: '' },
  { dataset: 'resident', title: '常住人口基本信息', kind: 'unknown_field', subject: 'nick', detail: '版本 2 没有登记字段“nick”，位置 41200 至 43899 的 2700 行带有它；原样保存在 _extra 中，登记新版本后即成为数据项', first_at: t(86400 * 3), last_at: t(600), seen: true, seen_by: 'officer' },
]
// What was asked of the server that changes something, for a test to look at.
export const asked = []
const flowRow = ([code, title, owner_name, library, , rows], i) => {
  const rejected = Math.floor(rows * 0.012 * (i + 1)) % 4000
  const control = i % 3
  return { code, title, owner_name, library, topic: `putuo.${code}`, rate: i === 5 ? 0 : 1200 / (i + 1) + (Date.now() / 1000) % 40, series: [...Array(40)].map((_, k) => Math.max(0, (1000 + 300 * Math.sin(k / 3 + i) + 60 * ((k * 7) % 5)) / (i + 1))), lag: i === 1 ? 1320 : 0, position: rows + rejected + control, offsets: rows + rejected + control, good: rows, rejected, replayed: i === 0 ? 12 : 0, withdrawn: i === 2 ? 480 : 0, control, balanced: true, last_at: t(i * 40 + 1), pause: paused[code] ?? null, partitions: partitions(code, rows, i),
    state: paused[code] ? 'paused' : ['running', 'running', 'running', 'held', 'stopped', 'idle'][i], p50_ms: i === 5 ? null : 612 + i * 100, p99_ms: i === 5 ? null : 1834 * (i + 1), p50_all_ms: 650, p99_all_ms: 2400, batch_rows_p50: 1160, batch_rows_last: 1201,
    rejects: i === 5 ? [] : [{ class: 'rule', rows: Math.ceil(rejected * 0.8) }, { class: 'type', rows: Math.ceil(rejected * 0.15) }, { class: 'decode', rows: Math.ceil(rejected * 0.05) }].slice(0, 3 - (i % 2)),
    lag_series: [...Array(30)].map((_, k) => (k < 4 ? null : Math.floor((900 + 800 * Math.sin(k / 4)) / (i + 1)))), latency_series: [...Array(30)].map((_, k) => (k % 12 > 9 ? null : 1500 + 500 * Math.sin(k / 5))) }
}
const hour = (f) => [...Array(360)].map((_, k) => f(k))
const flowHour = (code, i) => ({
  at: t(0), code, step_s: 10, ahead: i === 1 ? 214 : 0, undated: 0,
  rate: hour((k) => Math.max(0, (1000 + 300 * Math.sin(k / 30 + i) + 60 * ((k * 7) % 5)) / (i + 1))), rejected: hour((k) => ((k * 13) % 7) / (i + 1)),
  lag: hour((k) => (k < 40 ? null : Math.floor(900 + 800 * Math.sin(k / 18)))), p50_ms: hour((k) => (k % 90 > 80 ? null : 600 + (k * 37) % 90)), p99_ms: hour((k) => (k % 90 > 80 ? null : 1500 + 700 * Math.abs(Math.sin(k / 25)))),
  batches: [...Array(20)].map((_, k) => ({ partition: k % 4, first: 90000 - k * 1200, last: 91199 - k * 1200, good: 1188, rejected: 12, control: 0, rows: 1188, bytes: 402_113, version: 1, at: t(k * 3), wait_ms: 1200 + k * 20 })),
})
// The officer's street delivers two of them.
const ownerOf = (code) => (['elder_visit', 'disability'].includes(code) ? people.officer.org : '')
const datasetRow = ([code, title, owner_name, library, level, rows, total, grade], i) => ({ code, title, owner_name, library, format: 'json', level, rows, total, grade, last_at: t(i * 40), version: 1 + (i % 2), sample: true, owner: ownerOf(code) })
const dims = [
  ['010000', '规范性', 0.2, 0.985, [['010101', '数据类型约束规范性', 8921140, 8921140], ['010102', '数据格式约束规范性', 8800120, 8921140], ['010500', '权威参考数据', 1783900, 1784228]]],
  ['020000', '完整性', 0.2, 0.958, [['020100', '数据元素完整性', 5130044, 5352684], ['020200', '数据记录完整性', 851002, 892114]]],
  ['030000', '准确性', 0.25, 0.971, [['030100', '数据内容正确性', 880214, 892114], ['030400', '数据唯一性', 891902, 892114], ['030500', '脏数据出现率', 881400, 892114]]],
  ['040000', '一致性', 0.15, 0.992, [['040201', '表内等值一致性', 885000, 892114], ['040100', '相同数据一致性', 0, 0]]],
  ['050000', '时效性', 0.1, 0.9, [['050200', '基于时间点的及时性', 18, 20]]],
  ['060000', '可访问性', 0.1, null, [['060100', '可访问', 0, 0]]],
]
const detail = (s, i) => ({
  ...datasetRow(s, i), system: 'SYS-' + s[0], topic: 'putuo.' + s[0], catalog: `310107/3005/00000${i + 1}`, format: 'json',
  columns: [['name', '姓名', 'string', 3, '姓名', false], ['id_no', '公民身份号码', 'string', 4, '身份证件号', true], ['birth', '出生日期', 'date', 3, '', false], ['street', '所属街镇', 'string', 2, '', false], ['updated', '更新时间', 'datetime', 1, '', false]].map(([name, title, type, level, pi, key]) => ({ name, title, type, length: type === 'string' ? 50 : 0, scale: 0, required: true, key, codes: name === 'street' ? 'GB/T 2260' : '', level, pi })),
  rules: [['id_no.gb11643', '公民身份号码校验码正确', true, '030100'], ['birth.match', '出生日期与身份号码一致', false, '040201']].map(([id, title, blocking, indicator]) => ({ id, title, blocking, indicator, evaluated: 10, failed: 1 })),
  score: s[6] === null ? null : measured.parts({ dataset: s[0], total: s[6], grade: s[7], rows: s[5], through: t(60), at: t(30), ruleset: 1, weights: 'default-2026', digest: 'sha256:' + hex(64), state: 'anchored', index: 812, command: 'q', dimensions: dims.map(([code, title, weight, x, inds]) => ({ code, title, weight, x, applicable: x !== null, indicators: inds.map(([c, n, a, b]) => ({ code: c, title: n, a, b, x: b ? a / b : null, applicable: b > 0 })) })) }),
  trend: s[6] === null ? [] : [...Array(14)].map((_, k) => ({ at: t((14 - k) * 3600), total: s[6] - 0.03 + k * 0.0022 + (k % 3) * 0.002 })),
})
const rejects = [...Array(57)].map((_, i) => ({ dataset: sets[i % 5][0], topic: 'putuo.' + sets[i % 5][0], topic_id: hex(32, 'topic'), row: 0, time: t(i * 90 + 5), state: i % 9 === 4 ? 'draft' : 'open', mend: i % 9 === 4 ? { closed: false, edited: true, value: b64('{"name":"张三（测试）"}'), version: 1, class: 'rule', rule: 'birth.date', field: 'birth', reason: '出生日期仍早于 1900 年', actor: 'steward', why: '核对后更正', at: t(i * 80) } : null, partition: 0, offset: 10422 + i * 37, class: ['rule', 'decode', 'rule', 'type'][i % 4], rule: i % 4 === 0 ? 'id_no.gb11643' : i % 4 === 2 ? 'birth.date' : '', field: i % 4 === 1 ? '' : ['id_no', '', 'birth', 'age'][i % 4], reason: ['公民身份号码校验码不符，请核对第 18 位', '不是合法的 JSON：第 41 字节处应为逗号，请检查导出程序', '出生日期早于 1900 年，请核对', '应为整数，实为文本“七十”，请填写数字'][i % 4], key: b64('k' + i), value: i % 4 === 1 ? Buffer.from([0x7b, 0xd5, 0xc5, 0xc8, 0xfd, 0x22]).toString('base64') : b64('{"name":"张三（测试）","id_no":"310107194501011230","birth":"1845-01-01"}'), at: t(i * 90), masked: false }))
const summary = [{ class: 'rule', rule: 'id_no.gb11643', rule_title: '公民身份号码校验码正确', count: 8211 }, { class: 'rule', rule: 'birth.date', rule_title: '出生日期合理', count: 1204 }, { class: 'type', rule: '', rule_title: '', count: 611 }, { class: 'decode', rule: '', rule_title: '', count: 92 }]
const entries = sets.map((s, i) => ({ code: `310107/3005/00000${i + 1}`, title: s[1], provider_name: s[2], dataset: s[0], version: 1, state: i === 5 ? 'proposed' : 'published', share_type: '有条件共享', update_cycle: i === 1 ? '每周' : i === 2 ? '每月' : '每日', level: s[4], index: i === 5 ? null : 12 + i, updated_at: t(86400 * i), digest: 'sha256:' + hex(64), summary: '演示区虚构数据，用于展示' + s[1] + '的归集与共享。', pending: '', refusal: '', sample: true, provider: '' }))
const chainRows = [...Array(63)].map((_, i) => ({ index: 1283 - i, id: hex(32), kind: ['batch.anchor', 'receipt.anchor', 'quality.anchor', 'grant.activate'][i % 4], actor: i % 4 === 3 ? '王审批（演示）' : 'mulu', org_name: '区大数据中心', role: '', at: t(i * 11), text: ['常住人口基本信息：第 880000–892113 条批次凭证上链', '共享日志汇总：12 条', '常住人口基本信息：质量得分 96.2（优）', '授权 G310107-2026-000042 生效'][i % 4], object: '', key: 'k' + i }))
const scenarios = [['SC-2', '独居老人关爱走访', '街镇依职责对辖区独居老人开展探访关爱', '《老年人权益保障法》及本市条例'], ['SC-5', '残疾人补贴主动发现', '比对补贴享受情况，主动告知未申请的残疾人', '《上海市实施〈残疾人保障法〉办法》']].map(([code, title, purpose, legal_basis], i) => ({ code, title, purpose, legal_basis, modes: ['接口查询', '文件下载'], state: 'filed', index: 30 + i, pending: '', refusal: '', formats: ['json', 'csv'], datasets: [], rows_per_day: 5000, unconditional: false, owner: '', version: 1, base: i ? 'disability' : 'elder_visit', owner_name: '区民政局', items: [['name', '姓名', 3, ['', 'name'], 'name'], ['id_no', '公民身份号码', 4, ['id_no', 'token'], 'token'], ['phone', '联系电话', 3, ['', 'phone'], 'phone'], ['address', '居住地址', 3, ['', 'address'], 'address'], ['visit.live_alone', '是否独居', 3, ['yes_no'], 'yes_no']].map(([name, title, level, masks, mask]) => ({ name, title, level, masks, mask, pi: '', sensitive: level === 4 })) }))
const picks = scenarios[0].items.map(({ name, title, level, mask }) => ({ name, title, level, mask }))
let requests = [['R-2026-0007', 'requested', null], ['R-2026-0006', 'approved', null], ['R-2026-0003', 'refused', '数据项超出用途所需']].map(([id, state, reason], i) => ({ id, scenario: 'SC-2', scenario_title: '独居老人关爱走访', requester_name: '曹杨新村街道', purpose: '每周探访高龄独居老人，核对联系方式', items: picks, receivers: ['310107005'], status: '', actor: 'li', legal_basis: [], from: t(0), decided_by: '', decided_at: null, basis: '', grants: [], state, at: t(86400 * (i + 1)), clock: i === 0 ? { article: '《政务数据共享条例》第二十一条：十个工作日内答复', weekends: false, due: t(-86400 * 9), left: 8, overdue: false } : null, reason: reason ?? '', grant: i === 1 ? 'G310107-2026-000042' : '', index: i === 0 ? null : 101 + i, until: t(-86400 * 365), may_decide: i === 0 }))
let grants = [['G310107-2026-000042', 'active', 214], ['G310107-2026-000031', 'terminated', 18]].map(([id, state, reads], i) => ({ id, scenario: 'SC-2', scenario_title: '独居老人关爱走访', receiver_name: '曹杨新村街道', items: picks, state, from: t(86400 * 40), until: t(-86400 * 325), index: 140 + i, reads, may_revoke: i === 0, may_suspend: i === 0, may_resume: false, requester_name: '曹杨新村街道', receiver: '310107005', formats: ['json'], rows_per_day: 5000, status: '', pending: '', refusal: '' }))
const notices = [...Array(3)].map((_, i) => ({ id: `N310107-2026-00000${i + 1}`, grant: grants[0].id, org: '11310107MBQ000518E', org_name: '曹杨新村街道', withdrawal: `W-01020304-0-${i}`, dataset: 'resident', dataset_title: '实有人口', batch: `putuo.resident/0/${i * 4096}-${i * 4096 + 4095}`, reason: '来源单位误发测试数据', reads: 2, rows: 1820, receipts: ['RC-10044', 'RC-10041'], first_read_at: t(900), last_read_at: t(600), at: t(i * 500), seen_at: i ? t(i * 400) : null, seen_by: i ? 'caoyang' : '' }))
const receipts = [...Array(44)].map((_, i) => ({ id: 'RC-' + (10044 - i), grant: grants[0].id, scenario_title: '独居老人关爱走访', receiver_name: '曹杨新村街道', actor: 'key-cy', mode: i % 3 ? '接口查询' : '文件下载', opened_at: t(i * 300), closed_at: t(i * 300 - 2), rows: i % 3 ? 1 : 1820, digest: 'sha256:' + hex(64, String(i)), state: i === 9 ? 'interrupted' : 'delivered', org_name: '曹杨新村街道', format: 'json', reason: i === 9 ? '进程中断，启动时关闭' : '', anchored: i >= 2, scenario: 'SC-2', index: i < 2 ? null : 1200 - i }))

const side = (records, rejected, lost = 0) => ({ offsets: records + 2, records: records - lost, control: 2, bytes: records * 330, good: records - rejected - lost, rejected, rows: records - rejected - lost, digest: '', content: '' })
const ledgerLine = (s, i) => ({ dataset: s[0], title: s[1], owner: s[0], owner_name: s[2], topic: 'putuo.' + s[0], topic_id: hex(32), partition: 0, from: 0, to: s[5] + 1, waiting: i === 1 ? 1320 : 0, verdict: i === 4 ? 'uneven' : 'even', batches: 9, source: side(s[5], 3000 + i), landed: side(s[5], 3000 + i, i === 4 ? 2 : 0), notes: [], differing: i === 4 ? [{ first: 100000, last: 199999, version: 1, verdict: 'uneven', source: { ...side(100000, 30), digest: 'sha256:' + hex(64), content: 'city64:' + hex(32) }, landed: { ...side(100000, 30, 2), digest: 'sha256:' + hex(64), content: 'city64:' + hex(32, 'b') }, note: '', differences: [{ kind: 'row_missing', title: '缺行', offset: 100422, last: 100422, row: 0, fields: [], note: '' }, { kind: 'row_altered', title: '行内容不同', offset: 101007, last: 101007, row: 0, fields: ['name', 'street'], note: '' }], more: 0 }] : [], more: 0 })
const lines = sets.map(ledgerLine)
const sum = (l) => ({ code: l.dataset, title: l.title, verdict: l.verdict, lines: 1, batches: l.batches, waiting: l.waiting, source: l.source, landed: l.landed })
const statements = ['DZ20261125T020000-000000', 'DZ20261125T010000-000000'].map((id, i) => ({ id, actor: i ? '' : 'steward', all: i === 0, started: t(3600 * i + 30), finished: t(3600 * i), verdict: i ? 'even' : 'uneven', rest: false, digest: 'sha256:' + hex(64), partial: false, datasets: lines.map(sum), owners: lines.map((l) => ({ ...sum(l), title: l.owner_name })), lines: i ? lines.filter((l) => l.verdict === 'even') : lines }))

const page = (list, url) => {
  const size = Number(url.searchParams.get('limit') ?? 20)
  const from = Number(url.searchParams.get('cursor') || url.searchParams.get('offset') || 0)
  return { items: list.slice(from, from + size), total: list.length, next: from + size < list.length ? String(from + size) : '' }
}

function answer(req, url, who, body) {
  const path = url.pathname.slice('/v1'.length)
  const mine = (p) => ({ ...p, may_decide: p.may_decide && who.role === 'approver' })
  switch (`${req.method} ${path}`) {
    case 'GET /session': return [200, who]
    case 'GET /flow': return [200, { at: t(0), sample: true, held_bytes: 12e6, budget_bytes: 268435456, datasets: sets.map(flowRow) }]
    case 'GET /ingest/holds': return [200, holds.map((h) => ({ ...h, reason: who.role === 'steward' ? h.reason : '' }))]
    case 'POST /ingest/holds/release': holds = holds.filter((h) => h.topic_id !== body.topic_id || body.partition !== undefined && h.partition !== body.partition); return [204]
    case 'GET /ingest/notices': return [200, told]
    case 'POST /ingest/notices/seen': Object.assign(told.find((n) => n.kind === body.kind && n.subject === body.subject), { seen: true, seen_by: who.account }); return [204]
    case 'POST /ingest/topics/accept':
    case 'POST /ingest/topics/skip': stops[path.endsWith('skip') ? body.partition : 0] = {}; return [204]
    case 'GET /datasets': return [200, sets.map(datasetRow)]
    case 'GET /ingest/reconciliations': return [200, { items: statements, next: '', last: t(5), open: [{ dataset: 'housing', partition: 0, first: 100000, last: 199999, statement: statements[0].id, since: t(30) }] }]
    case 'GET /rejects': return [200, page(rejects.filter((r) => (!url.searchParams.get('dataset') || r.dataset === url.searchParams.get('dataset')) && (!url.searchParams.get('class') || r.class === url.searchParams.get('class'))), url)]
    case 'GET /rejects/summary': return [200, summary]
    case 'GET /withdrawals': return [200, []]
    case 'GET /share/notices': return [200, notices.map((n) => ({ ...n, may_see: !n.seen_at && who.role === 'officer' }))]
    case 'GET /catalog/entries': return [200, { items: entries.filter((e) => (e.title + e.code).includes(url.searchParams.get('q') ?? '')), total: entries.length }]
    case 'GET /catalog/entry': {
      const entry = entries.find((e) => e.code === url.searchParams.get('code'))
      const i = entries.indexOf(entry)
      return [200, { entry, items: detail(sets[i], i).columns, duty: '实有人口管理（ga-hjgl）', system: '实有人口系统（ga-syrk）', share_condition: '按应用场景授权的数据项和行范围使用', no_share_basis: '', open_type: '非开放' }]
    }
    case 'GET /system/status': return [200, { version: 'dev', started_at: t(4000), uptime_s: 4000, sample: true, ready: true, components: ['主题库', '目录链', '归集'].map((name) => ({ name, ok: true, version: '', detail: '正常' })) }]
    case 'GET /orgs': return [200, [['310107005', '曹杨新村街道'], ['310107014', '长风新村街道'], ['310107102', '长征镇']].map(([division, name]) => ({ code: '', name, short: name, kind: 'street', division }))]
    case 'GET /ledger/head': return [200, { origin: 'mulu/putuo-demo', key: 'mulu/putuo-demo+1a2b3c4d+AX0pLbE3uQ', size: 1284, root: 'sha256:' + hex(64), at: t(1), checkpoint: '', pending: 1 }]
    case 'GET /ledger/pending': return [200, { pending: [{ id: hex(32), kind: 'receipt.anchor', subject: 'r', actor: 'mulu', at: t(2), state: 'pending', attempts: 1, error: '', message: '', text: '共享日志存证：2 条' }], refused: [] }]
    case 'GET /ledger/recent': return [200, page(chainRows, url)]
    case 'GET /share/scenarios': return [200, scenarios]
    case 'GET /share/requests': return [200, requests.map(mine)]
    case 'POST /share/requests': requests = [{ ...requests[0], ...body, id: 'R-2026-0008', items: picks, scenario_title: scenarios.find((s) => s.code === body.scenario).title, at: t(0) }, ...requests]; return [201, requests[0]]
    case 'GET /share/grants': return [200, grants.map((g) => ({ ...g, may_revoke: g.may_revoke && who.role === 'approver', may_suspend: g.may_suspend && who.role === 'approver' }))]
    case 'GET /share/receipts': return [200, page(receipts, url)]
  }
  const delivered = ways.answer(req.method, path, url, who, body, (code, w) => ownerOf(code) === w.org)
  if (delivered) return delivered
  const quality = measured.answer(req.method, path, url, { sets, dims, detail })
  if (quality) return quality
  const pausing = path.match(/^\/ingest\/datasets\/(\w+)\/(pause|resume)$/)
  if (pausing) {
    if (pausing[2] === 'pause') paused[pausing[1]] = { reason: body.reason, by: who.account, at: t(0) }
    else delete paused[pausing[1]]
    return [204]
  }
  const flow = path.match(/^\/flow\/(\w+)$/)
  if (flow) {
    const i = sets.findIndex((s) => s[0] === flow[1])
    return i < 0 ? [404, { title: '没有这个数据集' }] : [200, flowHour(sets[i][0], i)]
  }
  const statement = statements.find((s) => path === '/ingest/reconciliations/' + s.id)
  if (statement) return [200, { state: 'done', statement }]
  if (path === '/quality/drafts') return [200, ['visit', 'resident'].map((dataset, i) => ({ id: `RD0000000000${i}-made00`, dataset: i ? dataset : 'elder_visit', base: 1, rev: 3, state: i ? 'active' : 'open', title: i ? '' : '第四季度规则调整', author: 'steward', created: t(86_400), changed: t(3600), version: i ? 2 : 0 }))]
  if (/^\/datasets\/\w+\/batches$/.test(path)) return [200, { items: [], next: '' }]
  const one = path.match(/^\/datasets\/(\w+)$/)
  if (one) {
    const i = sets.findIndex((s) => s[0] === one[1])
    return i < 0 ? [404, { title: '没有这个数据集', mend: '请返回列表选择。' }] : [200, detail(sets[i], i)]
  }
  return [404, { title: '没有找到', status: 404 }]
}

export async function start(port = 0) {
  const sessions = new Map()
  const server = createServer(async (req, res) => {
    const url = new URL(req.url, 'http://localhost')
    const sid = /sid=(\w+)/.exec(req.headers.cookie ?? '')?.[1]
    const send = (status, body, headers = {}) => {
      res.writeHead(status, { 'Content-Type': status >= 400 ? 'application/problem+json' : 'application/json', ...headers })
      res.end(body === undefined ? '' : JSON.stringify(body))
    }
    if (url.pathname.startsWith('/v1/')) {
      let text = ''
      let size = 0
      const raw = url.pathname === '/v1/submissions/files'
      for await (const part of req) {
        size += part.length
        if (!raw) text += part
      }
      const body = text ? JSON.parse(text) : undefined
      if (req.method === 'POST' && url.pathname === '/v1/session') {
        const who = people[body.account]
        if (!who || body.password !== 'demo') return send(401, { title: '账号或密码不正确', status: 401 })
        const id = randomBytes(8).toString('hex')
        sessions.set(id, who)
        return send(200, who, { 'Set-Cookie': `sid=${id}; HttpOnly; SameSite=Strict; Path=/` })
      }
      const who = sessions.get(sid)
      if (!who) return send(401, { title: '请先登录', status: 401 })
      if (req.method === 'DELETE' && url.pathname === '/v1/session') {
        sessions.delete(sid)
        return send(204)
      }
      if (req.method === 'POST') asked.push({ path: url.pathname, body, query: url.search })
      if (raw) {
        await new Promise((r) => setTimeout(r, /大文件/.test(url.searchParams.get('name')) ? 6000 : 700)) // every row is looked at
        return send(...ways.upload(url, who, size))
      }
      if (/\/(template|marked)$/.test(url.pathname)) {
        res.writeHead(200, { 'Content-Type': 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', 'Content-Disposition': 'attachment; filename="made-up.xlsx"' })
        return res.end('made up')
      }
      return send(...answer(req, url, who, body))
    }
    const file = join(dist, url.pathname)
    if (url.pathname !== '/' && existsSync(file) && extname(file)) {
      res.writeHead(200, { 'Content-Type': types[extname(file)] ?? 'application/octet-stream' })
      return res.end(readFileSync(file))
    }
    const nonce = randomBytes(16).toString('base64')
    res.writeHead(200, {
      'Content-Type': types['.html'], 'Cache-Control': 'no-store',
      'Content-Security-Policy': `default-src 'none'; script-src 'self'; style-src 'self' 'nonce-${nonce}'; connect-src 'self'; font-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'`,
    })
    res.end(readFileSync(join(dist, 'index.html'), 'utf8').replaceAll('__CSP_NONCE__', nonce))
  })
  await new Promise((r) => server.listen(port, '127.0.0.1', r))
  return { url: `http://127.0.0.1:${server.address().port}`, stop: () => new Promise((r) => { server.close(r); server.closeAllConnections() }) }
}

// Three roles see every page and every form; the others see fewer of the same.
export const walk = accounts.filter(([a]) => ['officer', 'approver', 'operator'].includes(a))

if (process.argv[1] === new URL(import.meta.url).pathname) console.log('fixture server', (await start(8790)).url)
