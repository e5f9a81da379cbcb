import { useT } from '../lang'

// Steps says how far one is in delivering a file.
export function Steps({ at }: { at: 0 | 1 | 2 }) {
  const t = useT()
  const names = [t('选择文件', 'Choose a file'), t('预检与对应', 'Check and match'), t('报送与回执', 'Send and receipt')]
  return (
    <ol className="steps no-print" aria-label={t('步骤', 'Steps')}>
      {names.map((name, i) => (
        <li key={name} className={i < at ? 'past' : i === at ? 'now' : undefined} aria-current={i === at ? 'step' : undefined}>
          <span aria-hidden="true">{i < at ? '✓' : i + 1}</span>
          {name}
        </li>
      ))}
    </ol>
  )
}
