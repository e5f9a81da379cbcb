import type { T } from '../lang'

// Kinds of personal information and names of code tables in words. What is not in
// a list is shown as it came.
const pi: Record<string, [string, string]> = {
  id_no: ['证件号码', 'Identity number'],
  name: ['姓名', 'Name'],
  sex: ['性别', 'Sex'],
  birth: ['出生日期', 'Birth'],
  death: ['死亡日期', 'Death'],
  nation: ['民族', 'Ethnic group'],
  address: ['住址', 'Address'],
  phone: ['电话', 'Phone'],
  family: ['家庭关系', 'Family'],
  health: ['健康状况', 'Health'],
}

const tables: Record<string, [string, string]> = {
  division_putuo: ['本区区划（街镇、居村）', 'Divisions of the district'],
  gbt2260_history: ['GB/T 2260 行政区划（含历史）', 'GB/T 2260 divisions, past ones too'],
  nationality_gbt3304: ['GB/T 3304 民族', 'GB/T 3304 ethnic groups'],
  sex_gbt2261_1: ['GB/T 2261.1 性别', 'GB/T 2261.1 sex'],
}

const words = (of: Record<string, [string, string]>, key: string, t: T): string => {
  if (!key) return '–'
  const known = of[key]
  return known ? t(known[0], known[1]) : key
}

export const piName = (kind: string, t: T): string => words(pi, kind, t)
export const tableName = (table: string, t: T): string => words(tables, table, t)
