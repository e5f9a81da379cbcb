import { runs } from './series'

// Spark is a small line of non-negative values, oldest first: one row of a list, so
// plain SVG. What is not known (null) is a gap and never a zero.
export function Spark({ values, label, colour = '#14508c', width = 132, height = 28 }: {
  values: (number | null)[]
  label: string
  colour?: string
  width?: number
  height?: number
}) {
  const top = Math.max(1e-9, ...values.map((v) => v ?? 0))
  const step = values.length > 1 ? width / (values.length - 1) : width
  const x = (i: number) => (i * step).toFixed(1)
  const y = (v: number) => (height - 2 - (v / top) * (height - 5)).toFixed(1)
  const known = runs(values)
  return (
    <svg viewBox={`0 0 ${width} ${height}`} width="100%" height={height} preserveAspectRatio="none" role="img" aria-label={label} style={{ display: 'block', maxWidth: width }}>
      <line x1={0} x2={width} y1={height - 1} y2={height - 1} stroke="#dde3ea" vectorEffect="non-scaling-stroke" />
      {known.map(({ from, values: run }) => {
        const points = run.map((v, i) => `${x(from + i)},${y(v)}`).join(' ')
        const last = from + run.length - 1
        return run.length === 1 ? (
          <circle key={from} cx={x(from)} cy={y(run[0] ?? 0)} r={1.8} fill={colour} />
        ) : (
          <g key={from}>
            <polygon points={`${x(from)},${height - 1} ${points} ${x(last)},${height - 1}`} fill={colour} opacity={0.1} />
            <polyline points={points} fill="none" stroke={colour} strokeWidth={1.5} strokeLinejoin="round" vectorEffect="non-scaling-stroke" />
          </g>
        )
      })}
    </svg>
  )
}
