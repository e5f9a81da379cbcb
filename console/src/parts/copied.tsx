import { Typography } from 'antd'
import { digest, none } from '../format'
import { useT } from '../lang'

// Copied is a digest, short or whole, that can be copied whole.
export function Copied({ text, whole = false }: { text: string; whole?: boolean }) {
  const t = useT()
  if (!text) return <>{none}</>
  return (
    <Typography.Text className="mono" title={text} style={whole ? { wordBreak: 'break-all' } : { whiteSpace: 'nowrap' }} copyable={{ text, tooltips: [t('复制摘要', 'Copy the digest'), t('已复制', 'Copied')] }}>
      {whole ? text : digest(text)}
    </Typography.Text>
  )
}
