// Spark is a small line of non-negative values: one row of a table, so plain SVG.
export function Spark({ values, label, width = 132, height = 28 }: { values: number[]; label: string; width?: number; height?: number }) {
  const top = Math.max(1e-9, ...values)
  const step = values.length > 1 ? width / (values.length - 1) : width
  const points = values.map((v, i) => `${(i * step).toFixed(1)},${(height - 2 - (v / top) * (height - 5)).toFixed(1)}`)
  const line = points.join(' ')
  return (
    <svg width={width} height={height} role="img" aria-label={label} style={{ display: 'block' }}>
      {values.length > 1 ? (
        <>
          <polygon points={`0,${height - 1} ${line} ${width},${height - 1}`} fill="#14508c" opacity={0.1} />
          <polyline points={line} fill="none" stroke="#14508c" strokeWidth={1.5} strokeLinejoin="round" />
        </>
      ) : (
        <line x1={0} x2={width} y1={height - 2} y2={height - 2} stroke="#c5ced8" />
      )}
    </svg>
  )
}
