import { Tag, Tooltip } from 'antd'
import { useT, type T } from '../lang'

// Words for the closed lists of the API. What is not in a list is shown as it came.
type Tone = 'success' | 'processing' | 'warning' | 'error' | 'default'

const grades: Record<string, Tone> = { 优: 'success', 良: 'success', 中: 'warning', 及格: 'warning', 差: 'error' }

export function Grade({ grade }: { grade: string | null | undefined }) {
  const t = useT()
  if (!grade) return <Tag>{t('未评分', 'Not scored')}</Tag>
  return <Tag color={grades[grade] ?? 'default'}>{grade}</Tag>
}

const levels: Record<string, { tone: Tone; zh: string; en: string }> = {
  L1: { tone: 'default', zh: '公开级', en: 'public' },
  L2: { tone: 'processing', zh: '内部级', en: 'internal' },
  L3: { tone: 'warning', zh: '敏感级', en: 'sensitive' },
  L4: { tone: 'error', zh: '高敏感级', en: 'highly sensitive' },
}

// LevelTag takes "L1" to "L4" or 1 to 4; all else is unclassified, which is never shared.
export function LevelTag({ level }: { level: string | number | null | undefined }) {
  const t = useT()
  const known = levels[typeof level === 'number' ? `L${level}` : (level ?? '')]
  if (!known) {
    return (
      <Tooltip title={t('未定级的数据不得共享', 'Unclassified data is never shared')}>
        <Tag color="error">{t('未定级', 'Unclassified')}</Tag>
      </Tooltip>
    )
  }
  const name = typeof level === 'number' ? `L${level}` : level
  return <Tag color={known.tone}>{`${name} ${t(known.zh, known.en)}`}</Tag>
}

const states: Record<string, { tone: Tone; zh: string; en: string }> = {
  draft: { tone: 'default', zh: '草稿', en: 'Draft' },
  proposed: { tone: 'processing', zh: '审核中', en: 'Under review' },
  published: { tone: 'success', zh: '已发布', en: 'Published' },
  retired: { tone: 'default', zh: '已注销', en: 'Retired' },
  filed: { tone: 'success', zh: '已备案', en: 'Filed' },
  waiting: { tone: 'processing', zh: '待审批', en: 'Awaiting decision' },
  delivered: { tone: 'success', zh: '已交付', en: 'Delivered' },
  aborted: { tone: 'warning', zh: '接收方中断', en: 'Aborted' },
  requested: { tone: 'processing', zh: '待审批', en: 'Awaiting decision' },
  pending: { tone: 'processing', zh: '待处理', en: 'Pending' },
  approved: { tone: 'success', zh: '已同意', en: 'Approved' },
  agreed: { tone: 'success', zh: '已同意', en: 'Approved' },
  refused: { tone: 'error', zh: '不同意', en: 'Refused' },
  rejected: { tone: 'error', zh: '不同意', en: 'Refused' },
  active: { tone: 'success', zh: '生效中', en: 'Active' },
  suspended: { tone: 'warning', zh: '已暂停', en: 'Suspended' },
  terminated: { tone: 'default', zh: '已终止', en: 'Terminated' },
  revoked: { tone: 'default', zh: '已撤销', en: 'Revoked' },
  expired: { tone: 'default', zh: '已到期', en: 'Expired' },
  open: { tone: 'processing', zh: '进行中', en: 'Open' },
  closed: { tone: 'success', zh: '已完成', en: 'Closed' },
  interrupted: { tone: 'warning', zh: '中断', en: 'Interrupted' },
  denied: { tone: 'error', zh: '已拒绝', en: 'Denied' },
  failed: { tone: 'error', zh: '失败', en: 'Failed' },
  running: { tone: 'success', zh: '运行', en: 'Running' },
  paused: { tone: 'warning', zh: '暂停', en: 'Paused' },
  held: { tone: 'warning', zh: '待审', en: 'Held for review' },
  stopped: { tone: 'error', zh: '停止', en: 'Stopped' },
  idle: { tone: 'default', zh: '空闲', en: 'Idle' },
}

export function StateTag({ state }: { state: string }) {
  const t = useT()
  const known = states[state]
  return <Tag color={known?.tone ?? 'default'}>{known ? t(known.zh, known.en) : state}</Tag>
}

// Anchored says where a change stands: on the chain with its index, or waiting for it.
export function Anchored({ index }: { index: number | null | undefined }) {
  const t = useT()
  if (index === null || index === undefined) return <Tag color="warning">{t('待上链', 'Awaiting chain')}</Tag>
  return <span className="mono">#{index.toLocaleString('en-US')}</span>
}

const rejectStates: Record<string, { tone: Tone; zh: string; en: string }> = {
  open: { tone: 'error', zh: '待处理', en: 'Open' },
  draft: { tone: 'warning', zh: '草稿，仍不合格', en: 'Draft, still at fault' },
  closed: { tone: 'success', zh: '已销号', en: 'Closed' },
  withdrawn: { tone: 'default', zh: '批次已撤回', en: 'Batch withdrawn' },
}

export function RejectState({ state }: { state: string }) {
  const t = useT()
  const known = rejectStates[state]
  return <Tag color={known?.tone ?? 'default'}>{known ? t(known.zh, known.en) : state}</Tag>
}

const classes: Record<string, [string, string]> = {
  decode: ['无法解析', 'Undecodable'],
  encoding: ['编码有误', 'Wrong encoding'],
  schema: ['模式不符', 'Schema'],
  type: ['类型不符', 'Wrong type'],
  key: ['主键缺失', 'Key missing'],
  tombstone: ['删除标记', 'Tombstone'],
  rule: ['违反强规则', 'Blocking rule'],
  oversize: ['超出大小', 'Oversize'],
  change: ['变更消息不完整', 'Incomplete change'],
  // What Excel did to a file, and what is wrong with the file itself.
  'excel.rounded': ['Excel：长编号被舍入', 'Excel: long number rounded'],
  'excel.scientific': ['Excel：变成科学计数法', 'Excel: scientific notation'],
  'excel.zeros': ['Excel：前导零丢失', 'Excel: leading zeros lost'],
  'excel.date': ['Excel：日期与数字互变', 'Excel: date and number swapped'],
  'excel.merged': ['Excel：数据区合并单元格', 'Excel: merged cells'],
  'excel.error': ['Excel：错误值（#N/A 等）', 'Excel: error value'],
  'excel.formula': ['Excel：公式没有结果', 'Excel: formula without result'],
  'excel.number': ['Excel：文本列里存成数字', 'Excel: number in a text column'],
  'file.fullwidth': ['文件：含全角字符', 'File: full-width characters'],
  'file.ragged': ['文件：列数与表头不符', 'File: columns differ from the headings'],
  'file.quote': ['文件：引号不成对', 'File: unpaired quote'],
  'file.encoding': ['文件：字符编码损坏', 'File: broken encoding'],
  'file.value': ['文件：值不符合类型', 'File: value does not fit its type'],
  'file.empty': ['文件：必填项为空', 'File: required and empty'],
  'file.long': ['文件：一行过长', 'File: row too long'],
}

// Holds have one class more: a required field that is no longer sent.
const holdClasses: Record<string, [string, string]> = { ...classes, absent: ['字段不再出现', 'Field gone'] }

// rejectClasses are the closed list that a page may filter by.
export const rejectClasses = Object.keys(classes)

const libraries: Record<string, [string, string]> = {
  lib_population: ['人口库', 'Population'],
  lib_legal: ['法人库', 'Legal persons'],
  lib_space: ['空间地理库', 'Space'],
  lib_community: ['社区库', 'Community'],
  lib_civil: ['民政库', 'Civil affairs'],
}

// libraryName says a library in words where it has a known name.
export function libraryName(name: string, zh: boolean): string {
  const known = libraries[name]
  return known ? known[zh ? 0 : 1] : name
}

export function className(name: string, zh: boolean): string {
  const known = holdClasses[name]
  return known ? known[zh ? 0 : 1] : name
}

const types: Record<string, [string, string]> = {
  string: ['字符', 'text'],
  int: ['整数', 'integer'],
  decimal: ['小数', 'decimal'],
  date: ['日期', 'date'],
  datetime: ['日期时间', 'date and time'],
  bool: ['布尔', 'yes/no'],
}

// typeName says a column's type in words.
export const typeName = (type: string, t: T): string => {
  const known = types[type]
  return known ? t(known[0], known[1]) : type
}
