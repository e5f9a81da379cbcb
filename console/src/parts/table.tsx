import { Table as AntTable, type TableProps } from 'antd'
import { useEffect, useRef } from 'react'

// Table is antd's, dense, scrolling sideways in its own frame when the window is
// narrow. The frame takes the focus, so that the arrow keys can scroll it too.
export function Table<D extends object>(props: TableProps<D>) {
  const host = useRef<HTMLDivElement>(null)
  useEffect(() => {
    host.current?.querySelector('.ant-table-content')?.setAttribute('tabindex', '0')
  })
  return (
    <div ref={host}>
      <AntTable<D> size="small" scroll={{ x: 'max-content' }} {...props} />
    </div>
  )
}
