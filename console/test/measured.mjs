// Made-up answers of quality for the fixture server: a score with every part, a cap, three
// kinds of responsibility; results of every status; departments that rose and fell.
const to = (n, d) => Math.round(n * 10 ** d) / 10 ** d
const at = (days) => new Date(Date.now() - days * 86400_000).toISOString()

// nodes counts the whole way up, as the server does: what does not apply is left out.
const count = (list) => {
  const of = list.filter((n) => n.applicable).reduce((a, n) => a + n.weight, 0)
  const sum = to(list.reduce((a, n) => a + (n.applicable ? to(n.weight * n.x, 9) : 0), 0), 9)
  return { of: to(of, 6), sum, x: of ? to(sum / of, 6) : null }
}
const node = (code, title, weight, a, b, below = []) => {
  const c = below.length ? count(below) : { of: 0, sum: 0, x: b ? to(a / b, 6) : null }
  const applicable = c.x !== null
  return {
    code, title, weight, a, b, ...c, applicable, below, product: applicable ? to(weight * c.x, 9) : 0, raw: null, gb: code.slice(0, 4), effective: 0, share: 0,
    note: applicable ? undefined : `没有以 ${code} 计分的规则，或规则尚未判过一个要素`,
    formula: !applicable ? 'B = 0，不适用' : below.length ? `X = Σ(权重×X) ÷ Σ权重 = ${c.sum.toFixed(9)} ÷ ${c.of.toFixed(6)} = ${c.x.toFixed(6)}` : `X = A ÷ B = ${a} ÷ ${b} = ${c.x.toFixed(6)}`,
  }
}
const spread = (list, share) => {
  const { of } = count(list)
  for (const n of list) {
    n.effective = n.applicable ? to(n.weight / of, 6) : 0
    n.share = to(share * n.effective, 6)
    spread(n.below, n.share)
  }
}

export const explain = (dataset, dims, part) => {
  const nodes = dims.map(([code, title, weight, , inds]) => node(code, title, weight, 0, 0, inds.map(([c, n, a, b]) => node(c, n, to(1 / inds.length, 6), a, b))))
  spread(nodes, 1)
  const { of, sum, x } = count(nodes)
  const gains = [['', '数据记录完整性', '020200', 41112, 0.0062], ['phone.not_null', '联系电话已填写', '020100', 1427, 0.0031], ['birth.match', '出生日期与身份号码一致', '040201', 7114, 0.00012]].map(([rule, title, indicator, mend, gain]) => ({ rule, title, indicator, mend, gain, total: x + gain, grade: '优' }))
  return { dataset, title: dataset, at: at(0), through: at(0), ruleset: 1, weights: 'default-1', part, rows: 892114, formula: '', sum, of, total: x, grade: '良', floors: [['优', 0.95], ['良', 0.85], ['中', 0.75], ['及格', 0.6]].map(([grade, from]) => ({ grade, from })), caps: ['脏数据出现率 5.20% 超过 5%：等级至多为良'], nodes, gains, digest: 'sha256:00', content: '{}' }
}

// parts completes a score with what its page shows beside the total.
export const parts = (s) => {
  const part = (by, rows) => ({ rows, total: s.total + by, grade: s.grade, x: Object.fromEntries(s.dimensions.filter((d) => d.applicable).map((d) => [d.code, Math.min(1, d.x + by)])) })
  return { ...s, caps: ['脏数据出现率 5.20% 超过 5%：等级至多为良'], overdue: 1, one_fault_once: false, period: { from: '2026-10-31T16:00:00Z', to: '2026-11-30T16:00:00Z' }, increment: part(0.008, 91200), stock: part(-0.011, s.rows - 91200), district: part(0.004, s.rows), otherwise: part(0.006, s.rows),
    rules: [['phone.not_null', '联系电话已填写', '020100', 900, 410, 117], ['birth.match', '出生日期与身份号码一致', '040201', 5200, 1200, 714]].map(([rule, title, indicator, district, city, historic]) => ({ rule, title, indicator, set: false, evaluated: s.rows, failed: district + city + historic, historic, city, district })) }
}

const result = (rule, title, kind, status, evaluated, failed, more = {}) => ({ rule, title, kind, indicator: '020100', set: false, blocking: false, status, evaluated, failed, observed: failed, expected: '', message: failed ? `${evaluated} 个中有 ${failed} 个不合格` : '', ...more })
const results = [
  result('id_no.gb11643', '公民身份号码校验码正确', 'gb11643', 'fail', 892114, 8211, { blocking: true, indicator: '030100' }),
  result('phone.not_null', '联系电话已填写', 'not_null', 'warn', 892114, 1427),
  result('volume', '行数在波动区间', 'volume', 'error', 0, 0, { set: true, observed: null, expected: '880,000 至 905,000', message: '历史不足 7 天' }),
  result('fresh', '每日更新', 'fresh', 'pass', 1, 0, { set: true, observed: '2026-11-28 10:01:52', expected: '36 小时之内', indicator: '050200' }),
  result('ref', '居委在区划表中', 'reference', 'skipped', 0, 0, { set: true, observed: null, message: '被引用的数据集没有数据' }),
]

const trend = (base, by) => [...Array(20)].map((_, i) => ({ at: at(20 - i), total: base + by * i + 0.004 * Math.sin(i) }))
const department = (org, name, final, change, deductions = []) => ({ org, name, datasets: 2, sum: final * 2.7, of: 2.7, total: final, deductions, final, grade: final >= 0.95 ? '优' : '良', formula: `Σ(得分×权重) ÷ Σ权重 = ${(final * 2.7).toFixed(6)} ÷ 2.700000 = ${final.toFixed(6)}`, previous: change === null ? null : final - change, change, trend: trend(final - 0.02, 0.001) })
const departments = [department('11310107MBQ000518E', '曹杨新村街道', 0.962, 0.013), department('11310107MBQ000067X', '区民政局', 0.871, -0.021, [{ reason: '独居老人走访逾期 2 个更新周期', points: 0.02 }]), department('11310107MBQ000059X', '公安普陀分局', 0.98, null)]
const period = { period: '2026-11', from: '2026-10-31T16:00:00Z', to: '2026-11-30T16:00:00Z', weights: 'default-1', formula: '单位得分 = Σ(数据集得分×权重) ÷ Σ权重' }

const look = (i) => ({ id: `L${i}`, at: at(i / 9), actor: i % 2 ? 'steward' : 'officer', org: '', org_name: '区大数据中心', role: i % 2 ? 'steward' : 'officer', dataset: 'resident', rule: 'phone.not_null', ruleset: 1, form: ['page', 'csv', 'xlsx'][i % 3], shown: i % 4 ? 'masked' : 'clear', reveal: i % 4 === 0, purpose: i % 4 ? '' : '核对更正', filter: i % 3 ? {} : { where: { f: 'street', op: 'eq', v: '310107005' } }, outcome: i === 2 ? 'denied' : 'delivered', reason: i === 2 ? '不是本单位的数据集' : '', rows: i === 2 ? 0 : 50, refused: 0, bytes: i % 3 ? 244_000 : 0, digest: i % 3 ? 'sha256:' + '0'.repeat(64) : '', data: '', request: 'r', closed_at: at(i / 9) })

// answer is undefined for what is not of quality.
export function answer(method, path, url, { sets, dims, detail }) {
  if (path === '/quality/departments') return [200, { ...period, departments }]
  const org = departments.find((d) => path === '/quality/departments/' + d.org)
  if (org) return [200, { ...period, score: org, x: { '010000': 0.98, '020000': 0.91, '030000': 0.97, '040000': 1, '050000': 0.9 }, datasets: [{ code: 'resident', title: '常住人口基本信息', class: '基础', total: org.total, grade: org.grade, overdue: 2, reads: 9, importance: 1.5, weight: 2.25, product: org.total * 2.25, formula: '1.5 × (1 + 0.5×lg(1+9)) = 2.250000', at: at(0) }] }]
  if (path === '/quality/looks') return [200, { items: [...Array(8)].map((_, i) => look(i)), next: '' }]
  if (/^\/quality\/looks\/\w+\/became$/.test(path)) return [200, { list: 'L1', dataset: 'resident', rule: 'phone.not_null', at: at(0), rows: 50, failing: 31, mended: 17, gone: 2 }]
  const [, code, rest] = path.match(/^\/datasets\/(\w+)\/(score|score\/explain|results)$/) ?? []
  const i = sets.findIndex((s) => s[0] === code)
  if (i < 0) return undefined
  if (rest === 'results') return [200, { dataset: code, ruleset: 1, data: '599bf70b', digest: 'sha256:129380d4bc29c86ef55d', at: at(0), results }]
  if (rest === 'score/explain') return [200, explain(code, dims, url.searchParams.get('part') ?? 'total')]
  return [200, detail(sets[i], i).score]
}
