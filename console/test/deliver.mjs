// The ways of delivery on the fixture server: what an officer does with a file that
// Excel has damaged, one without a required column, one that was delivered before, and
// one that is clean, up to the receipt; the nil report, the pull at once; what the
// steward sees of it.
const sizes = [1920, 1366, 390]

export async function deliver({ base, asked, check, enter, look }) {
  const last = (path) => asked.filter((a) => a.path === path || (path instanceof RegExp && path.test(a.path))).at(-1)
  const each = async (page, who, name) => {
    await look(page, who, name)
    for (const width of sizes) {
      await page.setViewportSize({ width, height: width === 1920 ? 1080 : width === 390 ? 844 : 768 })
      await look(page, who, name, width)
    }
    await page.setViewportSize({ width: 1440, height: 900 })
  }
  const file = (name, text = 'a,b\n1,2\n') => ({ name, mimeType: 'application/octet-stream', buffer: Buffer.from(text) })
  const gone = (page) => page.locator('.ant-modal-footer').waitFor({ state: 'hidden', timeout: 10_000 }).catch(() => {})

  const officer = await enter('officer', 'demo')
  const { page } = officer
  const give = async (f) => {
    await page.goto(base + '/submissions/upload?dataset=elder_visit')
    await page.getByLabel('选择要上传的文件').setInputFiles(f)
    await page.waitForURL(/upload\/S/, { timeout: 10_000 }).catch(() => {})
  }

  // The list: own datasets alone, each way with its light.
  await page.goto(base + '/submissions')
  await page.getByText('逾期 1 小时 30 分').waitFor({ timeout: 10_000 }).catch(() => {})
  check('officer: a way that is late says how late', (await page.getByText('逾期 1 小时 30 分').count()) === 1)
  check('officer: ways of others are not shown', (await page.getByText('常住人口基本信息').count()) === 0)
  await page.getByRole('button', { name: '立即取数 elder_visit week' }).click()
  await page.getByRole('row', { name: /库表 week/ }).first().waitFor({ timeout: 10_000 }).catch(() => {})
  check('officer: a table is pulled at once', last('/v1/ways/elder_visit/table/week/run') !== undefined)
  check('officer: what is on its way has a bar', (await page.locator('.advance').count()) > 0)
  await look(page, 'officer', 'deliver-pulling')
  const nil = page.getByRole('button', { name: '残疾人证信息 本期无变化' })
  await nil.focus()
  await page.keyboard.press('Enter')
  const modal = page.locator('.ant-modal')
  const month = new Date(Date.now() + 8 * 3600_000).toISOString().slice(0, 7)
  check('officer: the nil report names the month', (await modal.getByRole('button', { name: `确认 ${month} 无变化` }).count()) === 1, await modal.textContent())
  await modal.getByLabel('说明（可不填）').fill('本月无新增')
  await each(page, 'officer', 'deliver-nil')
  await modal.getByRole('button', { name: `确认 ${month} 无变化` }).click()
  await gone(page)
  const reported = last('/v1/submissions/nil')?.body
  check('officer: the nil report is sent with its period', reported?.dataset === 'disability' && reported.period === month && reported.note === '本月无新增', JSON.stringify(reported))

  // A file that no one can read, and files that are not taken at all; a sign-in of its
  // own, since the browser notes the server's refusal as an error.
  const careless = await enter('officer', 'demo')
  const c = careless.page
  await c.goto(base + '/submissions/upload?dataset=elder_visit')
  const input = c.getByLabel('选择要上传的文件')
  await input.focus()
  check('officer: the file is reached by the keyboard', await input.evaluate((e) => document.activeElement === e))
  await input.setInputFiles(file('走访.xls'))
  check('officer: an old workbook is told how to be saved', (await c.getByText('另存为 .xlsx').count()) === 1)
  await input.setInputFiles(file('坏文件.xlsx'))
  await c.getByText('文件头不是 ZIP').waitFor({ timeout: 10_000 }).catch(() => {})
  check('officer: what the server says of a broken file, and how to mend it', (await c.getByText('另存为 .xlsx 后重新上传').count()) === 1)
  await c.getByRole('button', { name: '重新选择文件' }).click()
  check('officer: and it can be chosen again', (await input.count()) === 1)
  await careless.context.close()

  await page.goto(base + '/submissions/upload?dataset=elder_visit')
  await each(page, 'officer', 'deliver-choose')
  await page.getByLabel('选择要上传的文件').setInputFiles(file('大文件.csv', 'x'.repeat(4_000_000)))
  await page.getByText('正在逐行预检').waitFor({ timeout: 10_000 }).catch(() => {})
  check('officer: while every row is looked at it can be called off', (await page.getByRole('button', { name: '取消上传' }).count()) === 1)
  if (process.env.SHOTS) for (const width of [1440, ...sizes]) {
    await page.setViewportSize({ width, height: 844 })
    await page.screenshot({ path: `${process.env.SHOTS}/officer-deliver_uploading-${width}.png` })
  }
  await page.setViewportSize({ width: 1440, height: 900 })
  const menu = (name) => page.getByRole('navigation', { name: '主菜单' }).getByRole('link', { name, exact: true }).click()
  await menu('报送')
  await page.getByRole('heading', { name: '报送', exact: true }).waitFor({ timeout: 10_000 })
  await menu('上传文件')
  await page.waitForURL(/upload\/S/, { timeout: 20_000 }).catch(() => {})
  await page.getByText('大文件.csv').waitFor({ timeout: 10_000 }).catch(() => {})
  check('officer: who leaves the page and comes back finds the file looked at', (await page.getByText('大文件.csv').count()) === 1 && asked.filter((a) => a.query?.includes(encodeURIComponent('大文件.csv'))).length === 1)

  // Damaged by Excel.
  await give(file('独居老人走访（损坏）.xlsx'))
  await page.getByText('改为文本后重导').first().waitFor({ timeout: 10_000 }).catch(() => {})
  check('officer: damage by Excel is explained', (await page.getByText('丢掉的数字找不回来').count()) === 1)
  check('officer: the first fault is named by its cell', (await page.locator('td', { hasText: /^B3$/ }).count()) === 1)
  check('officer: how many rows would be rejected is said before', (await page.locator('.foot').textContent()).includes('262 行会成为问题数据'), await page.locator('.foot').textContent())
  await each(page, 'officer', 'deliver-damaged')
  await page.getByLabel('走访结论 对应的数据项').click()
  await page.locator('.ant-select-dropdown:visible .ant-select-item-option', { hasText: '姓名 name' }).click()
  check('officer: a column goes to one heading only', (await page.getByText('必填的数据项没有').count()) === 0 && (await page.getByText('已改，待预检').count()) === 2)
  check('officer: an edited matching is not sent unseen', await page.locator('.foot').getByRole('button', { name: /^报送/ }).isDisabled())
  await look(page, 'officer', 'deliver-edited')
  await page.getByRole('button', { name: '按新的对应重新预检' }).click()
  await page.getByText('已改，待预检').first().waitFor({ state: 'detached', timeout: 10_000 }).catch(() => {})
  const again = last(/\/preview$/)?.body
  check('officer: the file is judged again by the new matching', again?.map?.['走访结论'] === 'name' && again.map['姓名'] === '', JSON.stringify(again))
  await page.getByLabel('工作表').click()
  await page.locator('.ant-select-dropdown:visible .ant-select-item-option', { hasText: '填表说明' }).click()
  await page.locator('.ant-spin-spinning').first().waitFor({ state: 'detached', timeout: 10_000 }).catch(() => {})
  check('officer: another sheet is read from its own headings', last(/\/preview$/)?.body?.sheet === '填表说明' && last(/\/preview$/).body.map === undefined, JSON.stringify(last(/\/preview$/)?.body))
  const id = new URL(page.url()).pathname.split('/').at(-1)
  await page.goto(base + '/submissions')
  await page.getByRole('link', { name: id }).click()
  await page.waitForURL(new RegExp(`upload/${id}`), { timeout: 10_000 }).catch(() => {})
  await page.locator('.foot').waitFor({ timeout: 10_000 })
  check('officer: the preview can be come back to, read as it was', (await page.locator('.ant-select', { hasText: '填表说明（' }).count()) === 1)
  await page.locator('.foot').getByRole('button', { name: '放弃' }).click()
  await page.locator('.ant-modal-confirm').getByRole('button', { name: '放弃' }).click()
  await page.waitForURL(/\/submissions$/, { timeout: 10_000 }).catch(() => {})
  check('officer: a file can be discarded', last(/\/discard$/)?.path.includes(id), last(/\/discard$/)?.path)
  await page.goto(`${base}/submissions/${id}`)
  await each(page, 'officer', 'deliver-refused')

  // A required column is missing: red, and not to be sent.
  await give(file('走访（缺列）.csv'))
  await page.getByText('必填的数据项没有对应的列').first().waitFor({ timeout: 10_000 }).catch(() => {})
  check('officer: a file without a required column can not be sent', await page.locator('.foot').getByRole('button', { name: /^报送/ }).isDisabled())
  await each(page, 'officer', 'deliver-missing')

  // Delivered before, to the byte.
  await give(file('走访（重复）.xlsx'))
  await page.getByText('这份文件报送过').waitFor({ timeout: 10_000 }).catch(() => {})
  await each(page, 'officer', 'deliver-earlier')
  await page.getByRole('button', { name: '仍要报送' }).click()
  await page.locator('.foot').getByRole('button', { name: '报送 866 行' }).waitFor({ timeout: 10_000 }).catch(() => {})
  check('officer: it is sent once more only when told', asked.filter((a) => a.path === '/v1/submissions/files').at(-1)?.query.endsWith('&force=true'))

  // Clean, to the receipt.
  await give(file('走访.xlsx'))
  const send = page.locator('.foot').getByRole('button', { name: '报送 866 行' })
  await send.waitFor({ timeout: 10_000 }).catch(() => {})
  await each(page, 'officer', 'deliver-clean')
  await send.click()
  await page.getByRole('progressbar').first().waitFor({ timeout: 10_000 }).catch(() => {})
  await each(page, 'officer', 'deliver-sending')
  await page.getByRole('heading', { name: '报送回执' }).waitFor({ timeout: 20_000 }).catch(() => {})
  check('officer: the receipt comes by itself', (await page.getByRole('heading', { name: '报送回执' }).count()) === 1)
  const receipt = await page.locator('.receipt').textContent()
  for (const word of ['866', 'sha256:', '走访.xlsx', 'officer', '入库完成']) check(`officer: the receipt says ${word}`, receipt.includes(word), receipt)
  await each(page, 'officer', 'deliver-receipt')
  await page.emulateMedia({ media: 'print' })
  await page.setViewportSize({ width: 794, height: 1123 })
  await look(page, 'officer', 'deliver-receipt-paper', 794)
  check('officer: on paper there is the receipt and no button', (await page.locator('button:visible').count()) === 0 && (await page.locator('.receipt').isVisible()))
  await page.emulateMedia({ media: null })
  await officer.quiet('officer delivers')
  await officer.context.close()

  // The steward comes from a submission to its rejects.
  const steward = await enter('steward', 'demo')
  await steward.page.goto(base + '/submissions')
  await steward.page.getByText('10.12.3.9:1521').waitFor({ timeout: 10_000 }).catch(() => {})
  await each(steward.page, 'steward', 'deliver-all')
  check('steward: uploads, but does not say for others that nothing changed', (await steward.page.getByRole('link', { name: '上传文件' }).count()) > 1 && (await steward.page.getByRole('button', { name: /本期无变化/ }).count()) === 0)
  await steward.page.getByRole('button', { name: '同意删除 41,200 行' }).click()
  await look(steward.page, 'steward', 'deliver-withheld')
  await steward.page.locator('.ant-modal-confirm').getByRole('button', { name: '同意删除', exact: true }).click()
  await steward.page.locator('.ant-modal-confirm').waitFor({ state: 'detached', timeout: 10_000 }).catch(() => {})
  check('steward: many deletions are agreed to by a person', last('/v1/ways/vaccination/table/main/run')?.body?.agree_deletions === true)
  await steward.page.goto(base + '/submissions?dataset=resident')
  await steward.page.locator('[role=img] canvas').waitFor({ timeout: 10_000 }).catch(() => {})
  await each(steward.page, 'steward', 'deliver-one')
  await steward.page.getByLabel(/^查看 S20261127-Q7M2XW4K 的问题数据/).click()
  await steward.page.getByText(/入册时间 .* 至/).waitFor({ timeout: 10_000 }).catch(() => {})
  const q = new URL(steward.page.url()).searchParams
  check('steward: rejects are those of the dataset and the time', q.get('dataset') === 'resident' && q.get('from') < q.get('to') && q.get('state') === 'all', steward.page.url())
  await look(steward.page, 'steward', 'deliver-rejects')
  check('steward: what is timed is not replayed as a whole', await steward.page.getByRole('button', { name: '按筛选全部重放' }).isDisabled().catch(() => true))
  await steward.quiet('steward and deliveries')
  await steward.context.close()

  const operator = await enter('operator', 'demo')
  await operator.page.goto(base + '/submissions')
  await operator.page.getByText('暂停', { exact: true }).waitFor({ timeout: 10_000 }).catch(() => {})
  check('operator: pulls, but neither uploads nor reports', (await operator.page.getByRole('button', { name: /立即取数/ }).count()) > 0 && (await operator.page.getByRole('button', { name: /上传文件|本期无变化/ }).count()) === 0)
  await operator.page.goto(base + '/submissions/upload')
  await operator.page.getByRole('heading', { name: '无权查看' }).waitFor({ timeout: 10_000 }).catch(() => {})
  check('operator: the upload is not for this role', (await operator.page.getByRole('heading', { name: '无权查看' }).count()) === 1)
  await operator.context.close()
}
