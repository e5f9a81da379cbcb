// What went wrong, in words for people: the server's own sentence and its mend
// hint where there is one, else one by the status.
export interface Problem {
  status: number // 0: no answer came
  title: string
  mend: string
}

export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.title)
  }
}

const text = (v: unknown): string => (typeof v === 'string' ? v : '')

// fromAnswer reads an RFC 9457 body (or none) of a refused call.
export function fromAnswer(status: number, body: unknown): Problem {
  const b = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>
  const title = text(b.detail) || text(b.message) || text(b.title)
  const mend = text(b.mend) || text(b.hint)
  const known = byStatus(status)
  return { status, title: title || known.title, mend: mend || known.mend }
}

function byStatus(status: number): { title: string; mend: string } {
  switch (status) {
    case 400:
    case 422:
      return { title: '请求内容有误 Invalid request', mend: '请检查填写的内容后重试。' }
    case 401:
      return { title: '登录已失效 Signed out', mend: '请重新登录。' }
    case 403:
      return { title: '当前角色无权进行此操作 Not allowed for this role', mend: '请换用有此权限的账号，或联系主管部门。' }
    case 404:
      return { title: '没有找到 Not found', mend: '它可能已被删除，或地址有误；请返回列表重新选择。' }
    case 409:
      return { title: '状态已变化 Changed by somebody else', mend: '请刷新页面，按最新状态再试。' }
    case 429:
    case 503:
      return { title: '系统繁忙 Busy', mend: '请稍候再试。' }
  }
  return { title: `服务出错 (${status}) Server error`, mend: '请稍后重试；持续出现时请运维人员查看服务日志。' }
}

export function asProblem(err: unknown): Problem {
  if (err instanceof ProblemError) return err.problem
  if (err instanceof TypeError) {
    return { status: 0, title: '无法连接服务 No connection', mend: '请确认 mulu 正在运行、网络可达；恢复后本页会自动更新。' }
  }
  return { status: 0, title: err instanceof Error ? err.message : String(err), mend: '请刷新页面后重试。' }
}
