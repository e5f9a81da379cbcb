// Quality as people use it: the score is the API's and can be recomputed, a gain leads
// to the rows that cost it, an export can be verified, a reveal is on record, and who may
// not see rows sees none.
import { execFileSync } from 'node:child_process'

export async function quality({ base, people, check, enter, look, mulu }) {
  const of = (name) => people.find((p) => p.name === name)
  const by = async (name) => enter(of(name).account, of(name).password)
  const steward = await by('steward')
  const { page } = steward
  const get = (path) => page.evaluate((p) => fetch(p).then((r) => r.json()), path)

  // The score, and how it was counted.
  await page.goto(base + '/datasets/resident')
  const score = await get('/v1/datasets/resident/score')
  const shown = (x) => (Math.round(x * 1000) / 10).toFixed(1)
  for (const [part, total] of [['total', score.total], ...['increment', 'stock', 'district', 'otherwise'].filter((p) => score[p]).map((p) => [p, score[p].total])]) {
    const text = await page.locator(`[data-part=${part}]`).textContent({ timeout: 15_000 })
    check(`quality: the ${part} score is the API's`, text.startsWith(shown(total)), `${text} for ${total}`)
  }
  const explained = page.locator('[data-explain]')
  await explained.getByText('已按下面的 A、B 与权重重新算过，一致').waitFor({ timeout: 15_000 }).catch(() => {})
  check('quality: the score recomputes from what is shown', (await explained.getByText('已按下面的 A、B 与权重重新算过，一致').count()) === 1, (await explained.textContent()).slice(0, 400))
  const record = score.dimensions.flatMap((d) => d.indicators).find((i) => i.code === '020200')
  check('quality: each step is a formula with its numbers', (await explained.textContent()).includes(`A ÷ B = ${record.a} ÷ ${record.b} = ${record.x.toFixed(6)}`))
  await look(page, 'steward', 'quality-score')

  // A gain leads to the rows that cost it.
  const { gains } = await get('/v1/datasets/resident/score/explain')
  const gain = gains.find((g) => g.rule)
  check('quality: gains are listed', (await page.locator('[data-gain]').count()) > 1)
  await page.locator(`[data-gain="${gain.rule}"] a`).click()
  const rows = page.locator('[data-rows] tbody tr[data-row-key]')
  await rows.first().waitFor({ timeout: 15_000 })
  const total = Number(await page.locator('[data-total]').getAttribute('data-total'))
  check('quality: clicking a gain leads to its rows, as many as there are to mend', total === gain.mend && (await rows.count()) === Math.min(50, total), `${total} rows, ${await rows.count()} shown, ${gain.mend} to mend`)
  check('quality: what they are is masked', /\d{3}\*{11}/.test(await rows.first().textContent()), await rows.first().textContent())
  await look(page, 'steward', 'quality-rows')
  const top = await rows.first().getAttribute('data-row-key')
  await page.getByRole('button', { name: '下一页' }).first().click()
  await page.getByText('第 2 页').first().waitFor({ timeout: 15_000 })
  await rows.first().waitFor({ timeout: 15_000 })
  check('quality: the next page is another', (await rows.first().getAttribute('data-row-key')) !== top && Number(await page.locator('[data-total]').getAttribute('data-total')) === total)

  // The export is whole, signed, and masked like the page.
  await page.getByRole('button', { name: '导出' }).click()
  const [download] = await Promise.all([page.waitForEvent('download', { timeout: 60_000 }), page.getByRole('button', { name: '开始导出' }).click()])
  const file = await download.path()
  if (mulu) {
    let said = ''
    try {
      said = execFileSync(mulu, ['quality', 'verify', file], { encoding: 'utf8' })
    } catch (err) {
      said = `${err.stdout ?? ''}${err.stderr ?? ''}`
      check('quality: mulu quality verify accepts the export', false, said)
    }
    check('quality: the export holds as many rows as the page counts', said.replaceAll(',', '').includes(String(total)), said)
  } else console.log('· not run: mulu quality verify (MULU names no binary)')
  const done = page.locator('[data-exported]')
  await done.waitFor({ timeout: 15_000 })
  await done.getByRole('button', { name: /去向/ }).click()
  await done.locator('[data-became]').waitFor({ timeout: 30_000 })
  check('quality: nobody has mended them yet', (await done.locator('[data-became]').textContent()).includes(`仍不合格 ${total.toLocaleString('en-US')}`), await done.textContent())
  await look(page, 'steward', 'quality-export')
  await page.locator('.ant-modal-footer').getByRole('button', { name: '关闭' }).click()

  // A reveal asks why, and is on record for the auditor.
  const why = `核对更正（浏览器测试 ${Date.now()}）`
  await page.getByRole('button', { name: '揭示' }).click()
  check('quality: without a purpose nothing is revealed', await page.locator('.ant-modal-footer .ant-btn-primary').last().isDisabled())
  await page.getByLabel('用途（写入查看记录）').fill(why)
  await page.locator('.ant-modal-footer .ant-btn-primary').last().click()
  await page.getByText('正在以原值显示').waitFor({ timeout: 15_000 })
  await rows.first().waitFor({ timeout: 15_000 })
  check('quality: then the key is in clear', /\d{17}[\dX]/.test(await rows.first().textContent()), 'still masked')
  await steward.quiet('quality steward')
  await steward.context.close()

  const auditor = await by('auditor')
  await auditor.page.goto(base + '/quality/looks')
  const line = auditor.page.locator('tr', { hasText: why }).first()
  await line.waitFor({ timeout: 15_000 }).catch(() => {})
  check('quality: the auditor sees who revealed what and why', /揭示原值/.test(await line.textContent().catch(() => '')), await line.textContent().catch(() => 'no such line'))
  await look(auditor.page, 'auditor', 'quality-looks')
  await auditor.page.goto(base + '/datasets/resident?tab=rules')
  await auditor.page.locator('[data-status]').first().waitFor({ timeout: 15_000 })
  check('quality: the auditor is offered no rows', (await auditor.page.getByRole('link', { name: /不合格行/ }).count()) === 0)
  await auditor.page.goto(base + '/quality/departments')
  const departments = (await auditor.page.evaluate(() => fetch('/v1/quality/departments').then((r) => r.json()))).departments
  await auditor.page.locator('[data-final]').first().waitFor({ timeout: 15_000 })
  const finals = await auditor.page.locator('[data-final]').evaluateAll((all) => all.map((e) => e.textContent))
  check('quality: scores of departments are the API\'s', finals.length === departments.length && departments.every((d, i) => finals[i].startsWith(shown(d.final))), finals.join(' | '))
  check('quality: no rank unless one is given', departments.some((d) => d.rank) || (await auditor.page.getByRole('columnheader', { name: '排名' }).count()) === 0)
  await auditor.quiet('quality auditor')
  await auditor.context.close()

  // An officer of another organisation is offered no rows either; the rules can be run by the steward only.
  const street = await by('street')
  await street.page.goto(base + '/datasets/resident?tab=rules')
  await street.page.locator('[data-status]').first().waitFor({ timeout: 15_000 })
  check('quality: an officer is offered no rows of others', (await street.page.getByRole('link', { name: /不合格行/ }).count()) === 0 && (await street.page.getByRole('button', { name: '立即运行' }).count()) === 0)
  await street.quiet('quality street')
  await street.context.close()
}
