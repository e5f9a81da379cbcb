import type { ReactNode } from 'react'
import { count } from '../format'
import { shares } from './series'

// Meter is a share in [0,1] as a small bar beside its number.
export function Meter({ x, tone = 'good', children }: { x: number; tone?: 'good' | 'bad'; children: ReactNode }) {
  return (
    <span className="meter">
      <span className={`meter-bar meter-${tone}`} aria-hidden="true">
        <i style={{ width: `${Math.min(100, Math.max(x > 0 ? 2 : 0, x * 100))}%` }} />
      </span>
      <span className="meter-value">{children}</span>
    </span>
  )
}

export interface Part { name: string; n: number; colour: string; title?: string }

// Split is one bar of several counts, each named with its number below.
export function Split({ list, label }: { list: Part[]; label: string }) {
  const widths = shares(list.map((p) => p.n), 1)
  const words = list.map((p) => `${p.name} ${count(p.n)}`).join('，')
  return (
    <div>
      <div className="class-bar split-tall" role="img" aria-label={`${label}：${words}`}>
        {list.map((p, i) => (
          <span key={p.name} style={{ width: `${widths[i] ?? 0}%`, background: p.colour }} />
        ))}
      </div>
      <div className="class-names small">
        {list.map((p) => (
          <span key={p.name} title={p.title}>
            <i style={{ background: p.colour }} aria-hidden="true" />
            {p.name} <b>{count(p.n)}</b>
          </span>
        ))}
      </div>
    </div>
  )
}
