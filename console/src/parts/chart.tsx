import { useEffect, useRef } from 'react'
import type { EChartsCoreOption } from 'echarts/core'
import type { Drawing } from './charts'

// Chart draws an ECharts option. `label` says in words what the picture shows:
// the canvas itself is mute to a screen reader.
export function Chart({ option, height, label }: { option: EChartsCoreOption; height: number; label: string }) {
  const host = useRef<HTMLDivElement>(null)
  const made = useRef<Drawing | undefined>(undefined)
  const latest = useRef(option)
  latest.current = option

  useEffect(() => {
    let over = false
    let watch: ResizeObserver | undefined
    void import('./charts').then(({ drawing }) => {
      if (over || !host.current) return
      const d = drawing(host.current)
      made.current = d
      d.draw(latest.current)
      watch = new ResizeObserver(() => d.resize())
      watch.observe(host.current)
    })
    return () => {
      over = true
      watch?.disconnect()
      made.current?.dispose()
      made.current = undefined
    }
  }, [])

  useEffect(() => {
    made.current?.draw(option)
  }, [option])

  return <div ref={host} role="img" aria-label={label} style={{ height, width: '100%' }} />
}
