// Laying JSON text out for reading and back, by its tokens alone: values are never
// parsed, so no digit of a number and no escape is changed, and text that is not
// valid JSON comes through as well.

function tokens(text: string): string[] {
  return text.match(/"(?:\\[\s\S]|[^"\\])*"?|[{}[\]:,]|[^\s{}[\]:,"]+/g) ?? []
}

// pretty gives each member a line.
export function pretty(text: string): string {
  let out = ''
  let depth = 0
  let before = ''
  const line = () => '\n' + '  '.repeat(Math.max(0, depth))
  for (const token of tokens(text)) {
    const closes = token === '}' || token === ']'
    if (closes) depth--
    if (closes ? before !== '{' && before !== '[' : before === '{' || before === '[' || before === ',') out += line()
    out += token + (token === ':' ? ' ' : '')
    if (token === '{' || token === '[') depth++
    before = token
  }
  return out
}

// compact takes the layout out again.
export const compact = (text: string): string => tokens(text).join('')

// looksJSON says whether a record is JSON, broken or not.
export const looksJSON = (text: string): boolean => /^\s*[{[]/.test(text)

// encode gives the base64 of a text's UTF-8 bytes.
export function encode(text: string): string {
  let raw = ''
  for (const b of new TextEncoder().encode(text)) raw += String.fromCharCode(b)
  return btoa(raw)
}
