import { Button } from 'antd'
import { useState } from 'react'
import { count } from '../format'
import { useT } from '../lang'

// useCursor walks pages that name only the next one; it starts again when `key`
// (the filter) changes.
export function useCursor(key: string) {
  const [at, set] = useState<{ key: string; path: string[] }>({ key, path: [] })
  const path = at.key === key ? at.path : []
  return {
    cursor: path[path.length - 1] ?? '',
    page: path.length + 1,
    forward: (next: string) => set({ key, path: [...path, next] }),
    back: () => set({ key, path: path.slice(0, -1) }),
  }
}

export function Pages({ at, next, total }: { at: ReturnType<typeof useCursor>; next: string; total?: number }) {
  const t = useT()
  if (at.page === 1 && !next) return null
  return (
    <div className="row" style={{ justifyContent: 'flex-end', padding: '10px 12px' }}>
      {total === undefined ? null : <span className="quiet">{t(`共 ${count(total)} 条`, `${count(total)} in all`)}</span>}
      <Button size="small" disabled={at.page === 1} onClick={at.back}>
        {t('上一页', 'Previous')}
      </Button>
      <span className="quiet">{t(`第 ${at.page} 页`, `Page ${at.page}`)}</span>
      <Button size="small" disabled={!next} onClick={() => at.forward(next)}>
        {t('下一页', 'Next')}
      </Button>
    </div>
  )
}
