// Says whether the built console keeps to its browser floor, Chromium 88: the
// syntax must parse as ECMAScript 2021 and no later API may be called that
// src/floor.ts does not provide. The list is of names that a build can contain
// by accident; it is not a whole compatibility table.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'acorn'

const root = new URL('../dist/', import.meta.url).pathname
if (!existsSync(join(root, 'index.html'))) {
  console.error('dist has no index.html: run npm run build first')
  process.exit(1)
}

// name → Chromium version that brought it
const methods = {
  findLast: 97, findLastIndex: 97, toSorted: 110, toReversed: 110, toSpliced: 110,
  groupBy: 117, withResolvers: 119, showPopover: 114, replaceChildren: 86, isWellFormed: 111,
}
const statics = {
  'Array.fromAsync': 121, 'Object.groupBy': 117, 'Promise.try': 128, 'Promise.withResolvers': 119,
  'AbortSignal.any': 116, 'AbortSignal.timeout': 103, 'URL.canParse': 120, 'crypto.randomUUID': 92,
}
const globals = { structuredClone: 98, reportError: 95, scheduler: 94, navigation: 102 }
const css = [/:has\(/, /@container\b/, /@layer\b/, /\boklch\(/, /\bcolor-mix\(/, /@property\b/, /\bd[vh]{2}\b/]

const walk = (node, visit) => {
  visit(node)
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) value.forEach((n) => n && typeof n.type === 'string' && walk(n, visit))
    else if (value && typeof value.type === 'string') walk(value, visit)
  }
}

const faults = []
const files = readdirSync(root, { recursive: true }).map(String)
for (const name of files.filter((f) => f.endsWith('.js'))) {
  const text = readFileSync(join(root, name), 'utf8')
  const at = (node) => `${name}:${node.start} ${JSON.stringify(text.slice(node.start, node.start + 60))}`
  let tree
  try {
    // 2021 is Chromium 85; classes with fields or # would be 2022 and fail here.
    tree = parse(text, { ecmaVersion: 2021, sourceType: 'module' })
  } catch (err) {
    faults.push(`${name}: syntax after ECMAScript 2021: ${err.message}`)
    continue
  }
  walk(tree, (node) => {
    if (node.type !== 'CallExpression' || node.optional) return
    const callee = node.callee
    if (callee.type === 'Identifier' && globals[callee.name]) {
      // A call guarded by typeof is how libraries feel for it.
      if (!text.includes(`typeof ${callee.name}`)) faults.push(`${at(node)}: Chromium ${globals[callee.name]}`)
    }
    if (callee.type !== 'MemberExpression' || callee.computed) return
    const own = methods[callee.property.name]
    if (own > 88) faults.push(`${at(node)}: Chromium ${own}`)
    const full = callee.object.type === 'Identifier' ? `${callee.object.name}.${callee.property.name}` : ''
    if (statics[full]) faults.push(`${at(node)}: Chromium ${statics[full]}`)
  })
}
for (const name of files.filter((f) => f.endsWith('.css'))) {
  const text = readFileSync(join(root, name), 'utf8')
  for (const rule of css) if (rule.test(text)) faults.push(`${name}: ${rule} is newer than Chromium 88`)
}
if (faults.length) {
  console.error('newer than Chromium 88:\n  ' + faults.join('\n  '))
  process.exit(1)
}
console.log(`floor: ${files.filter((f) => /\.(js|css)$/.test(f)).length} files keep to Chromium 88`)
