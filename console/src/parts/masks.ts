import type { T } from '../lang'

const names: Record<string, [string, string, string]> = {
  '': ['明文', 'Clear', ''],
  name: ['姓名脱敏', 'Name', '张**'],
  id_no: ['证件号脱敏', 'Identity number', '310***********1236'],
  phone: ['手机号脱敏', 'Phone', '138****1234'],
  address: ['地址到路名', 'Address to the road', ''],
  birth_year: ['仅出生年', 'Year of birth', '1945-**-**'],
  age_band: ['年龄段', 'Age band', '80-84'],
  yes_no: ['是/否', 'Yes or no', ''],
  hide: ['不提供', 'Hidden', ''],
  token: ['场景内假名', 'Pseudonym', ''],
}

// maskName says how an item is shown, with an example where it helps.
export const maskName = (mask: string, t: T): string => {
  const n = names[mask]
  if (!n) return mask
  return t(n[0], n[1]) + (n[2] ? `（${n[2]}）` : '')
}
