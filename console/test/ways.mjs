// Made-up deliveries for the fixture server: ways, submissions that move with the clock,
// and files with every kind of damage. Development only, like fixture.mjs.
const t = (s) => new Date(Date.now() - s * 1000).toISOString()
const hex = (n, seed) => [...Array(n)].map((_, i) => ((i * 7 + seed.charCodeAt(0) * 3 + seed.length * 5 + ((i * i) % 11)) % 16).toString(16)).join('')
const day = 86_400

let serial = 0
const newID = () => `S20261127-F${String(++serial).padStart(7, '0')}`

const submission = (id, dataset, way, over) => ({
  id, dataset, way, name: '', source: '', digest: '', period: '', by: '', state: 'landed', reason: '', total: 0, rows: 0, good: 0, rejected: 0, opened_at: t(0), report: {}, ...over,
})
const landed = (ago, rows, rejected) => ({ total: rows, rows, good: rows - rejected, rejected, opened_at: t(ago), sent_at: t(ago - 40), landed_at: t(ago - 55) })

// Eight weeks of pulls, a nil report, a refused file and a file that waits for a word.
const list = [
  submission('S20261127-Q7M2XW4K', 'resident', 'table', { name: 'main', source: 'ga_syrk.t_resident', ...landed(420, 18_422, 37) }),
  submission('S20261127-H4C9RT2P', 'elder_visit', 'file', { source: '独居老人走访（11月第4周）待补.xlsx', digest: 'sha256:' + hex(64, 'w'), by: 'officer', state: 'open', total: 1204, opened_at: t(3600), sent_at: undefined, report: { sending: false, options: { sheet: '走访', header: 2 } } }),
  submission('S20261127-B8K3NV6D', 'elder_visit', 'file', { source: '独居老人走访（11月第3周）.xlsx', digest: 'sha256:' + hex(64, 'a'), by: 'officer', ...landed(7200, 1204, 12), report: { sending: true, sent_by: 'officer' } }),
  submission('S20261126-Z2D5GY7J', 'disability', 'nil', { period: '2026-11', by: 'officer', ...landed(day, 0, 0), report: { note: '本月无新增、变更和注销' } }),
  submission('S20261126-T6W8LA3E', 'enterprise', 'file', { source: '企业登记信息-全量.csv', digest: 'sha256:' + hex(64, 'b'), by: 'shichang', state: 'refused', reason: '必填的数据项“统一社会信用代码”没有对应的列；请补齐后重新报送', opened_at: t(day + 3000), report: { sending: true } }),
  submission('S20261126-K9P4SB5R', 'housing', 'package', { source: 'housing-20261126.mulupkg', digest: 'sha256:' + hex(64, 'c'), by: 'operator', ...landed(day + 9000, 410_233, 0) }),
  submission('S20261126-W5N8JD3F', 'vaccination', 'table', { name: 'main', source: 'wj.t_vaccine', ...landed(day + 12_000, 2210, 3), report: { mode: 'compare', read: 1_204_551, same: 1_202_341, withheld: 41_200, known: 1_245_751 } }),
  submission('S20261126-M3F7QC8T', 'elder_visit', 'http', { by: 'caoyang-system', ...landed(day + 20_000, 180, 2) }),
  ...[...Array(60)].map((_, i) => submission(`S2026${1100 + (28 - (i % 28))}-${hex(8, 'p' + i).toUpperCase()}`, ['resident', 'elder_visit', 'enterprise'][i % 3], i % 3 === 1 && i % 4 ? 'file' : 'table', {
    name: i % 3 === 1 && i % 4 ? '' : 'main', source: ['ga_syrk.t_resident', '走访记录.csv', 'scjg.v_enterprise'][i % 3], ...landed(day * (1.5 + i / 2.2), Math.floor(900 + 700 * Math.sin(i / 4) ** 2 * (i % 3 ? 1 : 9)), (i * 7) % 23),
  })),
]

const way = (dataset, title, kind, name, over) => ({ dataset, title, owner: '', kind, name, source: '', schedule: '', paused: false, running: false, asked: false, ...over })
const ways = () => [
  way('resident', '常住人口基本信息', 'table', 'main', { source: '公安前置库 · ga_syrk.t_resident（增量，upd）', schedule: '每小时', next: t(-1400), behind: 0, last: list.find((s) => s.dataset === 'resident') }),
  way('elder_visit', '独居老人走访', 'file', 'main', { source: '投递目录 elder_visit/', last: list.find((s) => s.id === 'S20261127-B8K3NV6D') }),
  way('elder_visit', '独居老人走访', 'table', 'week', { source: '街道前置库 · cy_wl.visit（按键区间）', schedule: '每日 22:00–06:00', next: t(-9 * 3600), behind: 5400, last: list.find((s) => s.dataset === 'elder_visit' && s.way === 'table') }),
  way('disability', '残疾人证信息', 'table', 'main', { source: '残联前置库 · cl.t_card', schedule: '每日 02:00', paused: true }),
  way('enterprise', '企业登记信息', 'table', 'main', { source: '市场监管前置库 · scjg.v_enterprise（全量比对）', schedule: '每日 01:00–05:00', next: t(-5 * 3600), behind: 2 * day + 4000, failure: '连接 10.12.3.9:1521 被拒绝：请确认前置库已启动、防火墙放行，口令未过期', last: list.find((s) => s.dataset === 'enterprise' && s.way === 'table') }),
  way('vaccination', '预防接种记录', 'table', 'main', { source: '卫健前置库 · wj.t_vaccine（全量比对）', schedule: '每日 03:00', next: t(-6 * 3600), last: list.find((s) => s.dataset === 'vaccination') }),
  way('housing', '房屋基本信息', 'package', 'main', { source: '离线包 housing-*.mulupkg', last: list.find((s) => s.dataset === 'housing') }),
]

// What is being sent moves by a sixth a second or so, then lands.
const moved = (s) => {
  if (!s.began) return s
  const at = (Date.now() - s.began) / 1000
  s.rows = Math.min(s.total, Math.floor((s.total * at) / 6))
  s.state = at > 8 ? 'landed' : at > 6 ? 'sent' : 'open'
  if (at > 6) s.sent_at ??= new Date().toISOString()
  if (at > 8) Object.assign(s, { landed_at: s.landed_at ?? new Date().toISOString(), good: s.rows - s.bad, rejected: s.bad })
  return s
}
const shown = ({ began, bad, preview, ...s }) => s

const fault = (row, letter, heading, field, kind, reason, rule = '') => ({ sheet: '走访', row, column: letter.charCodeAt(0) - 64, field, cell: letter ? `${letter}${row}` : '', heading, class: kind, rule, reason })
const damages = [
  (r) => fault(r, 'B', '身份证号', 'id_no', 'excel.rounded', '“310107194501011000”被 Excel 舍入为 15 位有效数字，校验码不符；请把整列改为文本后从源系统重导'),
  (r) => fault(r, 'B', '身份证号', 'id_no', 'excel.scientific', '“3.10107E+17”是科学计数法，原号码已不可知；请把整列改为文本后重导'),
  (r) => fault(r, 'E', '所属居委代码', 'street', 'excel.zeros', '“7005001”应为 12 位，前导零可能已丢失；请把整列改为文本后重导'),
  (r) => fault(r, 'C', '出生年月日', 'birth', 'excel.date', '“16438”是 Excel 的日期序号；请把单元格设为日期格式或文本 1945-01-01'),
  (r) => fault(r, 'A', '姓名', 'name', 'excel.merged', '位于合并单元格 A18:A21 中，只有 A18 有值；请取消合并并逐行填写'),
  (r) => fault(r, 'D', '走访结论', '', 'excel.error', '单元格是错误值 #N/A；请改正公式或粘贴为值'),
  (r) => fault(r, 'C', '出生年月日', 'birth', 'rule', '出生日期早于 1900 年，请核对', 'birth.date'),
  (r) => fault(r, 'A', '姓名', 'name', 'file.empty', '必填，不能为空'),
]
const columns = [
  { heading: '姓名', column: 'name', by: 'title', samples: ['张三（测试）', '李四（测试）', '王五（测试）'] },
  { heading: '身份证号', column: 'id_no', by: 'map', samples: ['310107194501010003', '310199195002020118'] },
  { heading: '出生年月日', column: 'birth', by: 'map', samples: ['1945-01-01', '1950/2/2', '1938年3月3日'] },
  { heading: '走访结论', column: '', by: 'none', samples: ['情况正常', '需要陪诊'] },
  { heading: '所属居委代码', column: 'street', by: 'map', samples: ['310107005001'] },
  { heading: 'updated', column: 'updated', by: 'name', samples: ['2026-11-26 09:12:00'] },
]
const required = ['name', 'id_no', 'birth', 'street', 'updated']
const advice = (name) => (/损坏/.test(name) ? 'damaged' : /缺列/.test(name) ? 'missing' : /重复/.test(name) ? 'earlier' : 'clean')

function judge(s, ask = {}) {
  const kind = advice(s.source)
  const csv = /\.csv$/.test(s.source)
  const mapped = columns.filter((c) => kind !== 'missing' || c.heading !== 'updated').map((c) => {
    const named = ask.map?.[c.heading]
    return named === undefined ? c : { ...c, column: named, by: named ? (named === c.column ? c.by : 'map') : 'none' }
  })
  const missing = required.filter((r) => !mapped.some((c) => c.column === r))
  const rows = kind === 'damaged' ? 1204 : 866
  const faults = kind === 'damaged' ? [...Array(200)].map((_, i) => damages[[0, 0, 0, 1, 2, 0, 3, 4, 0, 5, 6, 7][i % 12]](3 + i)) : []
  const classes = kind === 'damaged' ? [['excel.rounded', 188], ['excel.scientific', 31], ['rule', 24], ['excel.zeros', 18], ['excel.date', 12], ['excel.merged', 9], ['excel.error', 3], ['file.empty', 2]] : []
  const bad = kind === 'damaged' ? 262 : 0
  s.total = rows
  s.bad = bad
  s.report.options = ask
  return {
    id: s.id, file: s.source, format: csv ? 'csv' : 'xlsx', encoding: csv ? (ask.encoding ?? 'gb18030') : '', sheets: csv ? [] : [{ name: '走访', rows, hidden: false }, { name: '填表说明', rows: 12, hidden: false }, { name: '代码表', rows: 2873, hidden: true }],
    sheet: csv ? '' : (ask.sheet ?? '走访'), header: ask.header || 2, rows, good: rows - bad, bad, columns: mapped, missing, faults, fault_count: classes.reduce((n, [, c]) => n + c, 0), by_class: classes.map(([c, count]) => ({ class: c, title: '', count })), by_rule: bad ? [{ rule: 'birth.date', title: '出生日期合理', blocking: true, count: 24 }, { rule: 'name.length', title: '姓名 2 至 50 个字', blocking: false, count: 7 }] : [], dataset: s.dataset, version: 1, soft: bad ? 7 : 0, earlier: '',
    sendable: missing.length === 0, refusal: missing.length ? `必填的数据项没有对应的列：${missing.join('、')}` : '', notes: csv ? [] : ['工作表“代码表”是隐藏的，没有读取。', '第 1 行是标题“曹杨新村街道走访登记”，已跳过。'],
  }
}

// upload takes a file's bytes (counted, not read).
export function upload(url, who, size) {
  const name = url.searchParams.get('name')
  if (size === 0) return [400, { title: '请求无效', status: 400, detail: '文件是空的', mend: '请检查是否已保存后重新上传。' }]
  if (/坏文件/.test(name)) return [422, { title: '不能读取', status: 422, detail: '这不是 XLSX 工作簿：文件头不是 ZIP', mend: '请在 Excel 或 WPS 中打开，另存为 .xlsx 后重新上传。' }]
  if (advice(name) === 'earlier' && !url.searchParams.has('force')) {
    const was = list.find((s) => s.id === 'S20261127-B8K3NV6D')
    return [200, { ...judge({ ...was, report: {} }), sendable: false, earlier: was.id, refusal: `这份文件已于 2026-11-27 09:12 报送（${was.id}，已入库）；确需再报送一次请选择“仍要报送”` }]
  }
  const s = submission(newID(), url.searchParams.get('dataset'), 'file', { source: name, digest: 'sha256:' + hex(64, 'u' + serial), by: who.account, state: 'open', report: { sending: false } })
  list.unshift(s)
  return [200, judge(s)]
}

// answer gives the answer to a call about deliveries, or undefined.
export function answer(method, path, url, who, body, owned) {
  const q = (k) => url.searchParams.get(k) ?? ''
  const mine = (code) => who.role !== 'officer' || owned(code, who)
  if (method === 'GET' && path === '/ways') return [200, ways().filter((w) => mine(w.dataset)).map((w) => ({ ...w, last: w.last && shown(moved(w.last)) }))]
  if (method === 'GET' && path === '/submissions') {
    const found = list.map(moved).filter((s) => mine(s.dataset) && (!q('dataset') || s.dataset === q('dataset')) && (!q('way') || s.way === q('way')) && (!q('state') || s.state === q('state')) && (!q('before') || s.opened_at < q('before')))
    return [200, found.sort((a, b) => (a.opened_at < b.opened_at ? 1 : -1)).slice(0, Number(q('limit') || 50)).map(shown)]
  }
  if (method === 'POST' && path === '/submissions/nil') {
    const s = submission(newID(), body.dataset, 'nil', { period: body.period, by: who.account, ...landed(0, 0, 0), report: body.note ? { note: body.note } : {} })
    list.unshift(s)
    return [200, shown(s)]
  }
  const run = path.match(/^\/ways\/(\w+)\/table\/(\w+)\/run$/)
  if (method === 'POST' && run) {
    list.unshift(submission(newID(), run[1], 'table', { name: run[2], source: 'cy_wl.visit', by: who.account, state: 'open', total: 3200, bad: 5, began: Date.now(), opened_at: t(0) }))
    return [202]
  }
  const one = path.match(/^\/submissions\/([\w-]+)(?:\/(\w+))?$/)
  if (!one) return undefined
  const s = list.find((x) => x.id === one[1])
  if (!s || !mine(s.dataset)) return [404, { title: '没有找到', status: 404, detail: '没有这次报送', mend: '请返回列表重新选择。' }]
  switch (`${method} ${one[2] ?? ''}`) {
    case 'GET ': return [200, shown(moved(s))]
    case 'POST preview': return [200, judge(s, body)]
    case 'GET preview': return [200, judge(s, s.report.options)]
    case 'POST send': Object.assign(s, { began: Date.now(), report: { ...s.report, sending: true, sent_by: who.account } }); return [200, shown(moved(s))]
    case 'POST discard': Object.assign(s, { state: 'refused', reason: `由 ${who.account} 放弃，没有报送任何一行`, sent_at: t(0), landed_at: t(0) }); return [204]
  }
  return undefined
}
