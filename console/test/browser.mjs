// Uses the console in a real browser: walks every page as each role (walk.mjs) and,
// on a running mulu, carries one application through from end to end (journey.mjs).
//
//   BASE_URL   server to test; without it the fixture server beside this file
//   SIGN_INS   path of the sign-ins.json that `mulu up` wrote; with BASE_URL
//   MULU       mulu, to verify the export of failing rows
//   VERIFY     mulu-verify, LOG_KEY the log's key file: to verify the proof downloaded
//   CHROMIUM   browser, default /usr/bin/chromium
//   SHOTS      folder for screenshots, none by default
//   ONLY       walk, journey, quality or rules alone
//
// The last line is "N passed, N failed"; the exit status is 1 when any failed.
import { mkdirSync, readFileSync } from 'node:fs'
import { chromium } from 'playwright-core'
import { decide } from './decide.mjs'
import { deliver } from './deliver.mjs'
import { journey } from './journey.mjs'
import { quality } from './quality.mjs'
import { rules } from './rules.mjs'
import { walker } from './walk.mjs'

const { SHOTS: shots = '', ONLY: only = '', SIGN_INS: signIns = '', VERIFY: verify, LOG_KEY: logKey, MULU: mulu } = process.env
if (shots) mkdirSync(shots, { recursive: true })

let base = process.env.BASE_URL ?? ''
let people = []
let stop = () => {}
let asked
if (base) {
  if (!signIns) {
    console.error('BASE_URL 需要同时给出 SIGN_INS / SIGN_INS is needed with BASE_URL: the sign-ins.json that mulu up wrote')
    process.exit(2)
  }
  people = JSON.parse(readFileSync(signIns, 'utf8'))
} else {
  const made = await import('./fixture.mjs')
  const fixture = await made.start()
  asked = made.asked
  base = fixture.url
  stop = fixture.stop
  people = made.walk.map(([account, password]) => ({ name: account, account, password }))
}

let passed = 0
const failed = []
const check = (name, ok, detail = '') => {
  if (ok) {
    passed++
    return
  }
  failed.push(name)
  console.error(`✗ ${name}${detail ? ` — ${detail}` : ''}`)
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
  ],
})
const { enter, walk, english, look } = walker({ browser, base, check, shots })
// attempt counts what breaks off as one failure, and goes on with the next.
const attempt = async (name, run) => {
  const began = Date.now()
  try {
    await run()
  } catch (err) {
    check(name, false, err instanceof Error ? err.message.split('\n').slice(0, 4).join(' ') : String(err))
  }
  console.log(`· ${name} ${((Date.now() - began) / 1000).toFixed(0)} s`)
}
try {
  // First the journey: the walk then sees pages with something on them.
  if ((only === '' || only === 'quality') && base && signIns) await attempt('quality', () => quality({ base, people, check, enter, look, mulu }))
  if (!['walk', 'quality'].includes(only)) {
    if (people.some((p) => p.key)) {
      if (only !== 'rules') await attempt('journey', () => journey({ base, people, check, enter, look, verify, logKey }))
      await attempt('rules', () => rules({ base, people, check, enter, look }))
    } else console.log('· not run: journey (the fixture server carries no application through)')
    // What only a broker gone wrong brings about is made up.
    if (asked) await attempt('decide', () => decide({ base, asked, check, enter, look }))
    if (asked) await attempt('deliver', () => deliver({ base, asked, check, enter, look }))
  }
  if (!['journey', 'quality', 'rules'].includes(only)) {
    const walkers = people.filter((p) => p.password)
    for (const p of walkers) await attempt(`walk as ${p.name}`, () => walk(p.account, p.password))
    const reader = walkers.find((p) => ['steward', 'approver'].includes(p.name)) ?? walkers[0] // who may open the overview
    await attempt('english', () => english(reader.account, reader.password))
  }
} finally {
  await browser.close()
  await stop()
}
console.log(`${passed} passed, ${failed.length} failed`)
process.exit(failed.length ? 1 : 0)
