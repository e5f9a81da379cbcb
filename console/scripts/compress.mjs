// Puts a .gz and a .br beside every built file that gains from it, so that the
// server compresses nothing while it runs.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const root = new URL('../dist/', import.meta.url).pathname
let raw = 0
let gz = 0
let br = 0
for (const name of readdirSync(root, { recursive: true })) {
  const path = join(root, String(name))
  // index.html carries a nonce, another one in every response: it stays as it is.
  if (!statSync(path).isFile() || !/\.(js|css|svg|json)$/.test(path)) continue
  const body = readFileSync(path)
  if (body.length < 1024) continue
  const zipped = gzipSync(body, { level: 9 })
  const brotli = brotliCompressSync(body, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: body.length },
  })
  writeFileSync(path + '.gz', zipped)
  writeFileSync(path + '.br', brotli)
  raw += body.length
  gz += zipped.length
  br += brotli.length
}
const kb = (n) => (n / 1024).toFixed(0) + ' KB'
console.log(`compressed ${kb(raw)}: gzip ${kb(gz)}, brotli ${kb(br)}`)
