import { Link } from 'react-router'
import { count } from '../format'
import { useLang, useT } from '../lang'
import { series } from '../theme'
import { shares } from './series'
import { className } from './tags'

// ClassBar is a bar of rejects by class with the largest named below it. to gives the
// page of a class, "" for none.
export function ClassBar({ list, to, named = 2 }: { list: { class: string; rows: number }[]; to: (name: string) => string; named?: number }) {
  const t = useT()
  const { lang } = useLang()
  const name = (c: string) => className(c, lang === 'zh')
  const colour = (i: number) => series[(i + 1) % series.length]
  const widths = shares(list.map((r) => r.rows))
  if (list.length === 0) return <div className="quiet small">{t('没有问题数据', 'No rejects')}</div>
  const words = list.map((r) => `${name(r.class)} ${count(r.rows)}`).join('，')
  return (
    <>
      <div className="class-bar" role="img" aria-label={t('问题数据按类别：', 'Rejects by class: ') + words} title={words}>
        {list.map((r, i) => (
          <span key={r.class} style={{ width: `${widths[i] ?? 0}%`, background: colour(i) }} />
        ))}
      </div>
      <div className="class-names small">
        {list.slice(0, named).map((r, i) => {
          const text = `${name(r.class)} ${count(r.rows)}`
          return (
            <span key={r.class}>
              <i style={{ background: colour(i) }} aria-hidden="true" />
              {to(r.class) ? <Link to={to(r.class)}>{text}</Link> : text}
            </span>
          )
        })}
        {list.length > named ? <span className="quiet">{t(`另 ${list.length - named} 类`, `${list.length - named} more`)}</span> : null}
      </div>
    </>
  )
}
