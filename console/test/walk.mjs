// Every role, every page its menu offers: a heading, no error, no refusal of the
// Content-Security-Policy, no serious accessibility fault, nothing wider than the
// window, the 演示数据 stamp, and no English left over in a Chinese page.
import AxeBuilder from '@axe-core/playwright'

const wcag = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']

// Words that may stand in Latin letters on a Chinese page are codes and names; a
// whole English word in a heading, a button or a column title is a leftover.
const leftovers = () =>
  [...document.querySelectorAll('h1, th, .ant-tag, .ant-tabs-tab, .ant-card-head-title, dt, .ant-descriptions-item-label, .ant-empty-description')]
    .filter((e) => e.getClientRects().length > 0)
    .map((e) => e.textContent.trim())
    .filter((s) => /^[A-Za-z][a-z]+( [a-z]+)*$/.test(s))

export function walker({ browser, base, check, shots }) {
  const scanned = new Set()
  const narrow = new Set()

  async function settle(page) {
    await page.locator('h1').first().waitFor({ timeout: 10_000 })
    // The menu's own spinners never show; a page has one until its data is there.
    await page.locator('.ant-spin-spinning').first().waitFor({ state: 'detached', timeout: 10_000 }).catch(() => {})
    await page.waitForTimeout(300) // the drawing of a chart, the sliding in of a drawer
  }

  async function look(page, who, name, width = 1440) {
    const where = `${who} ${name} @${width}`
    await settle(page).catch(() => {})
    check(`${where}: heading`, (await page.locator('h1').count()) > 0)
    if (shots) await page.screenshot({ path: `${shots}/${who}-${name.replace(/[^\w]+/g, '_')}-${width}.png`, fullPage: true })
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    check(`${where}: no wider than the window`, wide <= 1, `${wide}px wider`)
    const alert = await page.locator('.shell-body [role=alert], .ant-modal-confirm-error').allTextContents()
    check(`${where}: no error and no refusal shown`, alert.filter((a) => !/不能查看原值|只信任/.test(a)).length === 0, alert.join(' | '))
    if (await page.locator('html').evaluate(() => !document.querySelector('.shell') || document.querySelector('nav[aria-label=主菜单]') !== null)) {
      const english = await page.evaluate(leftovers)
      check(`${where}: all Chinese`, english.length === 0, english.join(', '))
    }
    const view = `${name} ${width}`
    if (width !== 1440 || scanned.has(view)) return // the scan is the slow part: once for each view
    scanned.add(view)
    const { violations } = await new AxeBuilder({ page }).withTags(wcag).analyze()
    const serious = violations.filter((v) => ['serious', 'critical'].includes(v.impact))
    check(`${where}: no serious accessibility fault`, serious.length === 0,
      serious.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.target).join('; ')}`).join(' | '))
  }

  // enter opens a fresh browser session and signs in through the form.
  async function enter(account, password) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'zh-CN', acceptDownloads: true })
    const page = await context.newPage()
    await page.addInitScript(() => {
      window.refusals = []
      document.addEventListener('securitypolicyviolation', (e) => window.refusals.push(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`))
    })
    const errors = []
    page.on('console', (m) => {
      // 401 is the answer before the sign-in.
      if (m.type() === 'error' && !/status of 401/.test(m.text())) errors.push(m.text())
    })
    page.on('pageerror', (err) => errors.push(err.message))
    await page.goto(base)
    await page.getByLabel('账号').waitFor({ timeout: 10_000 })
    if (!scanned.has('sign-in 1440')) await look(page, 'anyone', 'sign-in')
    await page.getByLabel('账号').fill(account)
    await page.locator('input[type=password]').fill(password)
    await page.keyboard.press('Enter')
    await page.locator('nav[aria-label=主菜单]').waitFor({ timeout: 10_000 })
    const quiet = async (where) => {
      const refused = await page.evaluate(() => window.refusals.splice(0))
      check(`${where}: nothing refused by the content policy`, refused.length === 0, refused.join(' | '))
      check(`${where}: console without errors`, errors.length === 0, errors.splice(0).join(' | '))
    }
    return { page, context, quiet }
  }

  async function walk(account, password) {
    const { page, context, quiet } = await enter(account, password)
    const sample = await page.evaluate(() => fetch('/v1/session').then((r) => r.json()).then((s) => Boolean(s.sample)))
    const links = await page.locator('nav[aria-label=主菜单] a').evaluateAll((as) => as.map((a) => a.getAttribute('href')))
    check(`${account}: the menu offers something`, links.length > 0)
    check(`${account}: starts on a page it may open`, links.includes(new URL(page.url()).pathname), page.url())
    for (const link of links) {
      await page.goto(base + link)
      await look(page, account, link)
      if (sample) check(`${account} ${link}: 演示数据 stamp`, await page.getByTestId('stamp').isVisible())
      const first = page.locator('[data-open]').first() // the first thing of a list too
      if (await first.count()) {
        await first.click()
        await look(page, account, link + '-open')
      }
      await quiet(`${account} ${link}`)
      if (narrow.has(link)) continue
      narrow.add(link)
      for (const width of [1920, 1366, 768, 390]) {
        await page.setViewportSize({ width, height: 900 })
        await page.goto(base + link)
        await look(page, account, link, width)
      }
      await page.setViewportSize({ width: 1440, height: 900 })
    }
    await context.close()
  }

  async function english(account, password) {
    const { page, context, quiet } = await enter(account, password)
    await page.getByText('EN', { exact: true }).click()
    await page.getByRole('heading', { name: 'Overview' }).waitFor({ timeout: 5000 }).catch(() => {})
    check(`${account}: the language switches`, await page.getByRole('heading', { name: 'Overview' }).isVisible())
    await look(page, account, 'english')
    await quiet(`${account} english`)
    await context.close()
  }

  return { enter, walk, english, look }
}
