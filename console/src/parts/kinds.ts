import type { T } from '../lang'

const kinds: Record<string, [string, string]> = {
  'chain.init': ['建链', 'Chain started'],
  'actor.register': ['登记人员或系统的签名公钥', 'Signing key registered'],
  'system.put': ['登记信息系统', 'System registered'],
  'duty.put': ['登记职责', 'Duty registered'],
  'entry.propose': ['提交目录条目', 'Entry proposed'],
  'entry.publish': ['发布目录条目', 'Entry published'],
  'entry.retire': ['注销目录条目', 'Entry retired'],
  'dataset.link': ['资源挂接', 'Dataset linked to its entry'],
  'batch.anchor': ['数据批次存证', 'Batches anchored'],
  'quality.anchor': ['质量得分存证', 'Score anchored'],
  'scenario.file': ['应用场景备案', 'Scenario filed'],
  'grant.request': ['提出共享申请', 'Grant requested'],
  'grant.decide': ['审批共享申请', 'Grant decided'],
  'grant.activate': ['场景授权生效', 'Grant activated'],
  'grant.suspend': ['场景授权暂停', 'Grant suspended'],
  'grant.resume': ['场景授权恢复', 'Grant resumed'],
  'grant.terminate': ['场景授权终止', 'Grant terminated'],
  'receipt.anchor': ['共享日志存证', 'Receipts anchored'],
}

// kindName says in words what a command of the chain did.
export const kindName = (kind: string, t: T): string => {
  const k = kinds[kind]
  return k ? t(k[0], k[1]) : kind
}
