import { Alert, Button, Empty, Spin } from 'antd'
import { useEffect, type ReactNode } from 'react'
import { useT } from '../lang'
import type { Live } from '../live'
import type { Problem } from '../problem'

// Page is the frame of every page: one h1, what the page is for, its tools.
export function Page({ title, about, tools, children }: { title: string; about?: ReactNode; tools?: ReactNode; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · mulu`
  }, [title])
  return (
    <>
      <div className="page-head">
        <div>
          <h1>{title}</h1>
          {about ? <p>{about}</p> : null}
        </div>
        {tools ? <div className="page-tools">{tools}</div> : null}
      </div>
      <div className="stack">{children}</div>
    </>
  )
}

// Notice shows a problem and how to mend it.
export function Notice({ problem, retry }: { problem: Problem; retry?: () => void }) {
  const t = useT()
  return (
    <Alert
      type={problem.status === 403 ? 'warning' : 'error'}
      showIcon
      role="alert"
      title={problem.title}
      description={problem.mend || undefined}
      action={
        retry && problem.status !== 403 ? (
          <Button size="small" onClick={retry}>
            {t('重试', 'Retry')}
          </Button>
        ) : undefined
      }
    />
  )
}

// Loaded shows what useLive holds: the wait, the problem, or the data (with the
// problem of the last refresh above it).
export function Loaded<D>({ live, children }: { live: Live<D>; children: (data: D) => ReactNode }) {
  const t = useT()
  if (live.data === undefined) {
    if (live.problem) return <Notice problem={live.problem} retry={live.reload} />
    return (
      <div style={{ padding: 48, textAlign: 'center' }} role="status" aria-label={t('加载中', 'Loading')}>
        <Spin />
      </div>
    )
  }
  return (
    <div className="stack">
      {live.problem ? <Notice problem={live.problem} retry={live.reload} /> : null}
      {children(live.data)}
    </div>
  )
}

// Nothing is an empty state: what would stand here and what to do for it.
export function Nothing({ what, todo }: { what: string; todo?: ReactNode }) {
  return (
    <Empty
      image={Empty.PRESENTED_IMAGE_SIMPLE}
      description={
        <>
          <div>{what}</div>
          {todo ? <div className="quiet small">{todo}</div> : null}
        </>
      }
    />
  )
}

export interface FigureItem {
  name: string
  value: ReactNode
  unit?: string
}

// Figures is a strip of named numbers.
export function Figures({ items }: { items: FigureItem[] }) {
  return (
    <dl className="figures">
      {items.map((f) => (
        <div className="figure" key={f.name}>
          <dt>{f.name}</dt>
          <dd>
            {f.value}
            {f.unit ? <small>{f.unit}</small> : null}
          </dd>
        </div>
      ))}
    </dl>
  )
}
