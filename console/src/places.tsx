import {
  ApartmentOutlined, AuditOutlined, BarChartOutlined, BellOutlined, BlockOutlined, DashboardOutlined, DatabaseOutlined, EditOutlined, EyeOutlined, FileProtectOutlined,
  FileSearchOutlined, FormOutlined, InboxOutlined, ProfileOutlined, SafetyCertificateOutlined, UploadOutlined, WarningOutlined,
} from '@ant-design/icons'
import type { ReactNode } from 'react'
import type { Role } from './session'

interface Place {
  path: string
  icon: ReactNode
  zh: string
  en: string
  roles: Role[]
}

const readers: Role[] = ['steward', 'officer', 'approver', 'auditor']
const sharers: Role[] = ['officer', 'approver', 'auditor']

// What each role may open, as internal/httpapi/policy.go has it. The server decides;
// the menu only does not offer what it would refuse.
export const places: { zh: string; en: string; places: Place[] }[] = [
  {
    zh: '数据归集与治理', en: 'Collect and govern',
    places: [
      { path: '/flow', icon: <BarChartOutlined />, zh: '运行总览', en: 'Overview', roles: ['steward', 'approver', 'operator', 'auditor'] },
      { path: '/datasets', icon: <DatabaseOutlined />, zh: '数据集', en: 'Datasets', roles: readers },
      { path: '/submissions', icon: <InboxOutlined />, zh: '报送', en: 'Delivery', roles: ['steward', 'officer', 'operator', 'auditor'] },
      { path: '/submissions/upload', icon: <UploadOutlined />, zh: '上传文件', en: 'Upload a file', roles: ['steward', 'officer'] },
      { path: '/rejects', icon: <WarningOutlined />, zh: '问题数据', en: 'Rejects', roles: ['steward', 'auditor'] },
      { path: '/quality/departments', icon: <ApartmentOutlined />, zh: '部门质量', en: 'Departments', roles: readers },
      { path: '/quality/looks', icon: <EyeOutlined />, zh: '查看记录', en: 'Looks', roles: ['steward', 'officer', 'auditor'] },
      { path: '/quality/drafts', icon: <EditOutlined />, zh: '规则草稿', en: 'Rule drafts', roles: ['steward', 'officer', 'auditor'] },
      { path: '/reconcile', icon: <AuditOutlined />, zh: '对账', en: 'Reconciliation', roles: ['steward', 'officer', 'operator', 'auditor'] },
      { path: '/notices', icon: <BellOutlined />, zh: '告知与通知', en: 'Notices', roles: ['steward', 'officer', 'approver', 'operator', 'auditor'] },
    ],
  },
  {
    zh: '目录与链', en: 'Catalogue and chain',
    places: [
      { path: '/entries', icon: <ProfileOutlined />, zh: '公共数据目录', en: 'Catalogue', roles: readers },
      { path: '/chain', icon: <BlockOutlined />, zh: '目录链', en: 'Directory chain', roles: ['steward', 'approver', 'auditor'] },
    ],
  },
  {
    zh: '共享', en: 'Sharing',
    places: [
      { path: '/scenarios', icon: <FileSearchOutlined />, zh: '应用场景', en: 'Scenarios', roles: sharers },
      { path: '/requests', icon: <FormOutlined />, zh: '共享申请', en: 'Requests', roles: sharers },
      { path: '/grants', icon: <SafetyCertificateOutlined />, zh: '共享授权', en: 'Grants', roles: sharers },
      { path: '/receipts', icon: <FileProtectOutlined />, zh: '共享日志', en: 'Receipts', roles: sharers },
    ],
  },
  {
    zh: '运维', en: 'Operations',
    places: [
      { path: '/system', icon: <DashboardOutlined />, zh: '系统状态', en: 'System', roles: ['operator', 'auditor'] },
    ],
  },
]

// home is where a role starts: the first place it may open.
export const home = (role: Role): string => places.flatMap((g) => g.places).find((p) => p.roles.includes(role))?.path ?? '/'

// placeOf is the place that a path lies in, the innermost of them.
export const placeOf = (path: string): Place | undefined =>
  places
    .flatMap((g) => g.places)
    .filter((p) => path === p.path || path.startsWith(p.path + '/'))
    .sort((a, b) => b.path.length - a.path.length)[0]

export const mayOpen = (path: string, role: Role): boolean => placeOf(path)?.roles.includes(role) ?? true
