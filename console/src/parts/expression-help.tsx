import { useT } from '../lang'
import type { Column } from '../shapes'

// What an expression may say, as docs/rules.md has it.
const words: [string, string, string][] = [
  ["a == 'x'   a != 'x'   a < 1   a >= 1", '同类型比较；日期写作 \'2026-01-02\'', "compares like with like; a day is '2026-01-02'"],
  ['甲 && 乙   甲 || 乙   !(甲)', '并且、或者、否；“如果甲就要乙”写成 !(甲) || (乙)', 'and, or, not; "if a then b" is !(a) || (b)'],
  ['a == null   isNull(a)', '是否为空；其他写法遇到空值为未知，该行不判断', 'is it null; all else with a null is unknown, and the row is not judged'],
  ["a in ['1', '2']", '取值在列表中', 'is one of a list'],
  ['a + b   a - b   a * 2', '精确计算；不支持除法', 'exact sums; no division'],
  ["a.startsWith('31')   a.endsWith('X')   a.contains('号')", '前缀、后缀、包含', 'begins, ends, contains'],
  ["a.matches('^[0-9]+$')", '正则表达式（RE2）', 'regular expression (RE2)'],
  ['size(a)   a.substring(6, 14)   lower(a)   upper(a)', '字数；截取；大小写', 'length; part; case'],
  ['today()   date(a)   year(d)   month(d)   day(d)', '当天；转为日期；年、月、日', 'today; to a date; its parts'],
  ['days(a, b)   age(a)   age(a, b)', '相差天数；周岁（到当天或到 b）', 'days between; age today or on b'],
  ["field('package')", '名称与保留字相同的数据项', 'an item whose name is a reserved word'],
]

// ExpressionHelp stands beneath a field for an expression: its columns, to be put in by
// a click, and what may be said of them.
export function ExpressionHelp({ columns, put }: { columns: Column[]; put: (text: string) => void }) {
  const t = useT()
  return (
    <details className="help">
      <summary>{t('数据项与写法', 'Items and what may be written')}</summary>
      <div className="help-names">
        {columns.map((c) => (
          <button type="button" key={c.name} onClick={() => put(c.name)} title={c.title} aria-label={t(`插入 ${c.title}`, `Put in ${c.name}`)}>
            <span className="mono">{c.name}</span> {c.title}
          </button>
        ))}
      </div>
      <table>
        <tbody>
          {words.map(([code, zh, en]) => (
            <tr key={code}>
              <td className="mono">{code}</td>
              <td>{t(zh, en)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  )
}
