// Walks the console in a real browser: signs in with each role, opens every page
// the menu offers, and fails on a console error, a Content-Security-Policy
// violation, a serious accessibility fault or a missing 演示数据 stamp.
//
//   BASE_URL   server to test; without it the fixture server beside this file
//   SIGN_INS   account:password, comma separated, or the path of a sign-ins.json; default the fixture's
//   CHROMIUM   browser, default /usr/bin/chromium
//   SHOTS      folder for screenshots, none by default
import AxeBuilder from '@axe-core/playwright'
import { mkdirSync, readFileSync } from 'node:fs'
import { chromium } from 'playwright-core'

const shots = process.env.SHOTS ?? ''
if (shots) mkdirSync(shots, { recursive: true })

let base = process.env.BASE_URL ?? ''
const given = process.env.SIGN_INS ?? ''
let signIns = given.endsWith('.json')
  ? JSON.parse(readFileSync(given, 'utf8')).filter((s) => s.password).map((s) => [s.account, s.password])
  : given.split(',').filter(Boolean).map((s) => s.split(':'))
let stop = () => {}
if (!base) {
  const { start, walk } = await import('./fixture.mjs')
  const fixture = await start()
  base = fixture.url
  stop = fixture.stop
  if (!signIns.length) signIns = walk
}
if (!signIns.length) {
  console.error('SIGN_INS is needed with BASE_URL, e.g. SIGN_INS=steward:secret,officer:secret')
  process.exit(2)
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
  ],
})
const faults = []
let visited = 0
const seen = new Set()
const scanned = new Set()

async function look(page, who, name, width) {
  const where = `${who} ${name} @${width}`
  await page.waitForLoadState('networkidle', { timeout: 4000 }).catch(() => {}) // pages that refresh may never be idle
  await page.locator('h1').first().waitFor({ timeout: 10_000 }).catch(() => faults.push(`${where}: no heading`))
  await page.waitForTimeout(150)
  if (shots) await page.screenshot({ path: `${shots}/${who}-${name.replace(/\W+/g, '_')}-${width}.png`, fullPage: true })
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
  if (wide > 1) faults.push(`${where}: page is ${wide}px wider than the window`)
  const alert = await page.locator('.ant-alert-error').first().textContent({ timeout: 50 }).catch(() => null)
  if (alert) faults.push(`${where}: shows an error: ${alert}`)
  visited++
  // The scan is the slow part: once for each view, again where roles see other controls.
  const view = /scenarios|requests|grants/.test(name) ? where : `${name} @${width}`
  if (scanned.has(view)) return
  scanned.add(view)
  const { violations } = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']).analyze()
  for (const v of violations.filter((v) => ['serious', 'critical'].includes(v.impact))) {
    faults.push(`${where}: axe ${v.impact} ${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.target} (${(n.any[0] ?? n.all[0] ?? n.none[0])?.message ?? ''})`).join('; ')}`)
  }
}

try {
  for (const [account, password] of signIns) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'zh-CN' })
    const page = await context.newPage()
    await page.addInitScript(() => {
      window.refusals = []
      document.addEventListener('securitypolicyviolation', (e) => {
        window.refusals.push(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`)
      })
    })
    page.on('console', (m) => {
      if (m.type() !== 'error') return
      // 401 is the answer before the sign-in.
      if (!/status of 401/.test(m.text())) faults.push(`${account}: console: ${m.text()}`)
    })
    page.on('pageerror', (err) => faults.push(`${account}: ${err.message}`))
    const policy = async () => {
      for (const v of await page.evaluate(() => window.refusals.splice(0))) faults.push(`${account}: policy: ${v} at ${page.url()}`)
    }

    await page.goto(base)
    if (!seen.has('sign-in')) {
      seen.add('sign-in')
      await look(page, 'anyone', 'sign-in', 1440)
    }
    await page.getByLabel('账号').fill(account)
    await page.locator('input[type=password]').fill(password)
    await page.keyboard.press('Enter')
    await page.locator('nav[aria-label=主菜单]').waitFor({ timeout: 10_000 })
    const sample = await page.evaluate(() => fetch('/v1/session').then((r) => r.json()).then((s) => Boolean(s.sample)))
    const links = await page.locator('nav[aria-label=主菜单] a').evaluateAll((as) => as.map((a) => a.getAttribute('href')))
    if (links.length === 0) faults.push(`${account}: the menu is empty`)
    for (const link of links) {
      await page.goto(base + link)
      await look(page, account, link, 1440)
      await policy()
      if (sample && !(await page.getByTestId('stamp').isVisible())) faults.push(`${account} ${link}: no 演示数据 stamp`)
      // Open the first thing of a list too.
      const first = page.locator('[data-open]').first()
      if (await first.count()) {
        await first.click()
        await page.waitForTimeout(300)
        await look(page, account, link + '-open', 1440)
        await policy()
      }
      if (link === '/requests') {
        // The two forms of the sharing desk, where the role has them.
        const ask = page.getByRole('button', { name: '新建申请' })
        const agree = page.getByRole('button', { name: '同意', exact: true }).first()
        for (const [name, button] of [['ask', ask], ['decide', agree]]) {
          if (!(await button.count())) continue
          await button.click()
          await page.waitForTimeout(400)
          await look(page, account, `${link}-${name}`, 1440)
          await policy()
        }
      }
      if (!seen.has(link)) {
        seen.add(link)
        for (const width of [1280, 768]) {
          await page.setViewportSize({ width, height: 900 })
          await page.goto(base + link)
          await look(page, account, link, width)
        }
        await page.setViewportSize({ width: 1440, height: 900 })
      }
    }
    if (!seen.has('english')) {
      seen.add('english')
      await page.goto(base + '/flow')
      await page.getByText('EN', { exact: true }).click()
      await page.getByRole('heading', { name: 'Overview' }).waitFor({ timeout: 5000 }).catch(() => faults.push('the language does not switch'))
      await look(page, account, 'english', 1440)
    }
    await context.close()
  }
} finally {
  await browser.close()
  await stop()
}

if (faults.length) {
  console.error(`${faults.length} faults in ${visited} views:\n  ` + [...new Set(faults)].join('\n  '))
  process.exit(1)
}
console.log(`browser: ${visited} views, ${signIns.length} sign-ins: no error, no serious accessibility fault`)
