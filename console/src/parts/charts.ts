// The parts of ECharts the console draws with, in a chunk of their own: pages
// without a chart never load it.
import { BarChart, LineChart, RadarChart, SankeyChart } from 'echarts/charts'
import { AriaComponent, GridComponent, LegendComponent, RadarComponent, TooltipComponent } from 'echarts/components'
import { init, use, type EChartsCoreOption } from 'echarts/core'
import { CanvasRenderer } from 'echarts/renderers'
import { colors, series } from '../theme'

use([BarChart, LineChart, RadarChart, SankeyChart, GridComponent, LegendComponent, RadarComponent, TooltipComponent, AriaComponent, CanvasRenderer])

const base = {
  color: series,
  animation: false,
  textStyle: { fontFamily: 'PingFang SC, Microsoft YaHei, Noto Sans CJK SC, sans-serif', color: colors.text },
  aria: { enabled: false }, // the caller names the picture
}

export interface Drawing {
  draw: (option: EChartsCoreOption) => void
  resize: () => void
  dispose: () => void
}

export function drawing(host: HTMLElement): Drawing {
  const chart = init(host)
  return {
    draw: (option) => {
      const given = (option.tooltip ?? {}) as object
      // richText: the HTML tooltip writes style attributes, which the
      // Content-Security-Policy refuses.
      chart.setOption({ ...base, ...option, tooltip: { ...given, renderMode: 'richText', confine: true } }, { notMerge: true })
    },
    resize: () => chart.resize(),
    dispose: () => chart.dispose(),
  }
}
