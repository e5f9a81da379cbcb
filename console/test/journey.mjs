// One application from end to end, each step by the person whose it is: a street
// applies for two of its communities, the bureau agrees, the street's system reads,
// the proof is taken, the grants are revoked, the system is refused.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const communities = ['310107005001', '310107005022'] // of 曹杨新村街道

export async function journey({ base, people, check, enter, look, verify, logKey }) {
  const of = (name) => people.find((p) => p.name === name)
  const by = async (name) => enter(of(name).account, of(name).password)
  const purpose = `走访独居老人（浏览器测试 ${Date.now()}）`
  const pull = (grant) => fetch(`${base}/v1/share/grants/${grant}/rows?format=json`, { headers: { authorization: `Bearer ${of('system').key}` } })

  // The steward: from the score to the worst indicator to a problem row as it came.
  const steward = await by('steward')
  await steward.page.goto(base + '/datasets')
  await steward.page.getByRole('link', { name: '标准地址与房屋' }).click()
  await steward.page.getByText('最低的指标').waitFor({ timeout: 10_000 })
  await steward.page.getByRole('link', { name: '查看问题数据' }).click()
  await steward.page.locator('[data-open]').first().click()
  const bytes = await steward.page.locator('pre.bytes').first().textContent()
  check('steward: a problem row shows its original bytes', bytes.length > 10, bytes)
  check('steward: and why it was refused', (await steward.page.locator('.ant-drawer-body').textContent()).includes('原因与整改'))

  await steward.page.locator('.ant-drawer-close').click()

  // A row is mended: a value that is not a number becomes one, is tried out, replayed,
  // and is no longer open.
  await steward.page.goto(base + '/rejects?dataset=address&class=type')
  await steward.page.locator('[data-open]').first().waitFor({ timeout: 10_000 })
  const open = async () => (await steward.page.evaluate(() => fetch('/v1/rejects?dataset=address&class=type&state=open&limit=1').then((r) => r.json()))).total
  const opened = await open()
  await steward.page.locator('[data-open]').first().click()
  const editor = steward.page.locator('[data-editor]')
  await editor.waitFor({ timeout: 10_000 })
  await editor.getByRole('button', { name: '试算' }).click()
  await editor.getByText('仍不合格').waitFor({ timeout: 10_000 }).catch(() => {})
  check('steward: the original is tried out and still at fault', (await editor.getByText('仍不合格').count()) > 0, await editor.textContent())
  await look(steward.page, 'steward', 'journey-mend')
  await editor.getByRole('switch').click()
  const box = editor.getByLabel('更正后的内容')
  await box.fill((await box.inputValue()).replace(/"约(\d+)平"/, '$1'))
  await editor.getByRole('button', { name: '试算' }).click()
  await editor.getByText('可以入库').waitFor({ timeout: 10_000 }).catch(() => {})
  check('steward: the mended row would enter', (await editor.getByText('可以入库').count()) > 0, await editor.textContent())
  await look(steward.page, 'steward', 'journey-mended')
  await editor.getByLabel('处理说明').fill('与来源单位核对')
  await editor.getByRole('button', { name: '重放入库' }).click()
  await editor.waitFor({ state: 'detached', timeout: 15_000 }).catch(() => {})
  check('steward: the reject is closed', (await open()) === opened - 1, `${await open()} of ${opened} are open`)
  await steward.page.goto(base + '/rejects?dataset=address&state=closed')
  await steward.page.locator('tr').getByText('已销号').first().waitFor({ timeout: 10_000 }).catch(() => {})
  check('steward: and is found among the closed', (await steward.page.locator('tr').getByText('已销号').count()) === 1)

  // Many at once.
  await steward.page.goto(base + '/rejects?dataset=address&class=type')
  await steward.page.getByRole('button', { name: '选择本页' }).click()
  await steward.page.getByRole('button', { name: /重放所选/ }).click()
  await steward.page.locator('.ant-modal').getByRole('button', { name: '试算' }).click()
  const report = steward.page.locator('[data-report]')
  await report.getByText(/仍不合格 [1-9]/).waitFor({ timeout: 20_000 }).catch(() => {})
  check('steward: many are tried out at once', /可入库 0，仍不合格 [1-9]/.test(await report.textContent()), await report.textContent())
  await look(steward.page, 'steward', 'journey-many')
  await steward.page.locator('.ant-modal-footer').getByRole('button', { name: '关闭' }).click()

  // And what is seen of the way in, by the keyboard alone.
  await steward.page.goto(base + '/flow')
  const details = steward.page.getByRole('button', { name: '查看 标准地址与房屋 的详情' })
  await details.focus()
  await steward.page.keyboard.press('Enter')
  await steward.page.getByRole('heading', { name: '最近批次' }).waitFor({ timeout: 10_000 })
  await steward.page.locator('.ant-drawer-body canvas').nth(2).waitFor({ timeout: 10_000 })
  check('steward: the last hour of a dataset is three pictures', (await steward.page.locator('.ant-drawer-body [role=img] canvas').count()) === 3)
  check('steward: what is looked at has an address', new URL(steward.page.url()).searchParams.get('dataset') === 'address', steward.page.url())
  check('steward: its partitions and batches are listed', (await steward.page.locator('.ant-drawer-body tbody tr[data-row-key]').count()) > 1)
  await steward.page.keyboard.press('Escape')
  await details.waitFor({ timeout: 10_000 })
  check('steward: Esc leads back to the button', await details.evaluate((b) => new Promise((done) => setTimeout(() => done(document.activeElement === b), 500))))
  await pausing(steward, await by('operator'), { base, check, look })
  await steward.quiet('steward and the way in')

  // The street applies.
  const street = await by('street')
  await street.page.goto(base + '/scenarios')
  await street.page.locator('tr', { hasText: 'SC-2' }).getByRole('button', { name: '申请共享' }).click()
  await street.page.getByLabel('用途说明').fill(purpose)
  const receivers = street.page.locator('#receivers')
  for (const code of communities) {
    await receivers.click()
    await receivers.pressSequentially(code)
    await street.page.keyboard.press('Enter')
  }
  await street.page.keyboard.press('Escape')
  await street.page.getByLabel('个人信息保护影响评估编号').fill('PIA-2026-0017')
  await look(street.page, 'street', 'journey-form')
  await street.page.getByRole('button', { name: '提交申请' }).click()
  await street.page.locator('tr', { hasText: purpose }).waitFor({ timeout: 15_000 }).catch(() => {})
  const row = await street.page.locator('tr', { hasText: purpose }).textContent({ timeout: 1000 }).catch(() => '')
  check('street: the request is in the list, awaiting a decision', row.includes('待审批'), row || (await street.page.locator('.ant-modal, .ant-form-item-explain-error').allTextContents()).join(' | '))
  const request = row.match(/[A-Z]{1,3}[\w-]*\d{4,}[\w-]*/)?.[0] ?? ''

  // The bureau agrees.
  const bureau = await by('approver')
  await bureau.page.goto(base + '/requests')
  await bureau.page.locator('tr', { hasText: purpose }).getByRole('button', { name: '同意', exact: true }).click()
  await look(bureau.page, 'approver', 'journey-decide')
  await bureau.page.locator('.ant-modal-footer').getByRole('button', { name: '同意', exact: true }).click()
  await bureau.page.locator('tr', { hasText: purpose }).getByText('已同意').first().waitFor({ timeout: 15_000 }).catch(() => {})
  check('approver: the request is agreed', (await bureau.page.locator('tr', { hasText: purpose }).textContent()).includes('已同意'))

  const mine = (await bureau.page.evaluate(() => fetch('/v1/share/requests').then((r) => r.json()))).find((r) => r.purpose === purpose)
  check('approver: a grant for each community', mine?.grants.length === communities.length, JSON.stringify([request, mine?.grants]))
  const grants = mine?.grants ?? []
  await bureau.page.goto(base + '/grants')
  for (const g of grants) {
    const active = bureau.page.locator('tr', { hasText: g }).getByText('生效中')
    await active.first().waitFor({ timeout: 45_000 }).catch(() => {})
    check(`approver: ${g} becomes active`, (await active.count()) > 0, await bureau.page.locator('tr', { hasText: g }).textContent().catch(() => ''))
  }
  await look(bureau.page, 'approver', 'journey-active')

  // The street's system reads.
  const answer = await pull(grants[0])
  const body = await answer.text()
  check('system: reads under the grant', answer.status === 200, `${answer.status} ${body.slice(0, 300)}`)

  // A wrong batch is taken back; the street is told, by its next read and by a notice.
  await steward.page.goto(base + '/datasets/visit')
  await steward.page.getByRole('tab', { name: '批次' }).click()
  await steward.page.getByRole('button', { name: '撤回' }).first().click()
  const modal = steward.page.locator('.ant-modal')
  await modal.getByText('将随之消失').waitFor({ timeout: 15_000 }).catch(() => {})
  check('steward: what a withdrawal would do is said first', (await modal.getByText('将恢复旧值').count()) > 0, await modal.textContent())
  await modal.getByLabel('理由').fill('来源单位误发测试数据')
  await look(steward.page, 'steward', 'journey-withdraw')
  await modal.locator('.ant-modal-footer').getByRole('button', { name: '撤回' }).click()
  await modal.getByText(/已通知 [1-9]\d* 个授权/).waitFor({ timeout: 60_000 }).catch(() => {})
  check('steward: the batch is withdrawn and its holders told', (await modal.getByText(/已通知 [1-9]\d* 个授权/).count()) > 0, await modal.textContent())
  await modal.locator('.ant-modal-footer').getByRole('button', { name: '关闭' }).click()
  await look(steward.page, 'steward', 'journey-batches')
  await steward.quiet('steward journey')
  await steward.context.close()
  const told = (await pull(grants[0])).headers.get('x-mulu-notice') ?? ''
  check('system: the next read names the notice', told.startsWith('N'), told)
  await street.page.goto(base + '/notices')
  const notice = street.page.locator('tr', { hasText: told || 'no notice' })
  await notice.first().waitFor({ timeout: 10_000 }).catch(() => {})
  check('street: the notice says why', (await notice.textContent().catch(() => '')).includes('来源单位误发测试数据'))
  await look(street.page, 'street', 'journey-notice')
  await notice.getByRole('button', { name: '确认知悉' }).click()
  await notice.getByText('已确认').waitFor({ timeout: 10_000 }).catch(() => {})
  check('street: the notice is seen', (await notice.getByText('已确认').count()) > 0)

  // The receipt goes on the chain; its proof is a file that verifies elsewhere.
  await bureau.page.goto(`${base}/receipts?grant=${encodeURIComponent(grants[0])}`)
  const proof = bureau.page.getByRole('link', { name: /存证证明/ }).first()
  await proof.waitFor({ timeout: 60_000 }).catch(() => {})
  check('approver: the receipt is on the chain', (await proof.count()) > 0)
  if (await proof.count()) {
    const [file] = await Promise.all([bureau.page.waitForEvent('download', { timeout: 15_000 }), proof.click()])
    const path = await file.path()
    const bundle = JSON.parse(readFileSync(path, 'utf8'))
    check('approver: the proof is a bundle with its subject', Boolean(bundle.subject ?? bundle.Subject), Object.keys(bundle).join(','))
    if (verify) {
      let said = ''
      try {
        said = execFileSync(verify, [...(logKey ? ['--key', logKey] : []), path], { encoding: 'utf8' })
      } catch (err) {
        said = `failed: ${err.stdout}${err.stderr}`
      }
      check('mulu-verify: the proof holds', !said.startsWith('failed'), said)
    }
  }
  await look(bureau.page, 'approver', 'journey-receipts')

  // The street sees its own; another department does not.
  await street.page.goto(base + '/grants')
  for (const g of grants) {
    await street.page.locator('tr', { hasText: g }).waitFor({ timeout: 10_000 }).catch(() => {})
    check(`street: sees ${g}`, (await street.page.locator('tr', { hasText: g }).count()) > 0)
  }
  const other = await by('officer')
  await other.page.goto(base + '/grants')
  await other.page.locator('.ant-table').waitFor({ timeout: 10_000 })
  check('another department: sees none of them', (await other.page.locator('tr', { hasText: grants[0] }).count()) === 0)
  await other.context.close()

  // Revoked: at once.
  await bureau.page.goto(base + '/grants')
  for (const g of grants) {
    await bureau.page.locator('tr', { hasText: g }).getByRole('button', { name: '撤销' }).click()
    await bureau.page.getByLabel('理由（必填）').fill('用途已完成')
    if (g === grants[0]) await look(bureau.page, 'approver', 'journey-revoke')
    await bureau.page.locator('.ant-modal-footer').getByRole('button', { name: '撤销' }).click()
    await bureau.page.locator('.ant-modal-footer').waitFor({ state: 'hidden', timeout: 15_000 }).catch(() => {})
    const over = bureau.page.locator('tr', { hasText: g }).getByText(/已(终止|撤销)/)
    await over.first().waitFor({ timeout: 30_000 }).catch(() => {})
    check(`approver: ${g} is over`, (await over.count()) > 0, await bureau.page.locator('tr', { hasText: g }).textContent().catch(() => ''))
  }
  const after = await pull(grants[0])
  check('system: refused from then on', after.status === 403, `${after.status} ${(await after.text()).slice(0, 200)}`)
  await street.page.goto(base + '/receipts')
  await street.page.getByText('已拒绝').first().waitFor({ timeout: 10_000 }).catch(() => {})
  check('street: the refused read left a receipt too', (await street.page.getByText('已拒绝').count()) > 0)
  await look(street.page, 'street', 'journey-receipts')
  await street.quiet('street journey')
  await bureau.quiet('approver journey')
  await street.context.close()
  await bureau.context.close()
  await delivering(await by('officer'), await by('steward'), { base, check, look })
}

// A number that can not belong to anybody: women's sequence numbers begin at 001.
const identity = (birth, right = true) => {
  const first = '310107' + birth + '000'
  const weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
  const n = weights.reduce((sum, w, i) => sum + w * Number(first[i]), 0) % 11
  return first + '10X98765432'[right ? n : (n + 1) % 11]
}

// The department hands in a file: four rows, one of them with a wrong check digit and
// one column that the dataset does not have. It sees so before anything is sent, sends
// it, and has its receipt; the steward finds the one reject. Then a nil report.
async function delivering(officer, steward, { base, check, look }) {
  const { page } = officer
  const name = `走访（浏览器测试 ${Date.now()}）.csv` // and other bytes: the same content again would be the same submission
  const csv = ['公民身份号码,是否独居,走访日期,走访情况,风险等级,居委代码,备注']
  for (const [i, birth] of ['19380301', '19410712', '19350928', '19440105'].entries()) csv.push([identity(birth, i !== 2), i % 2 ? '否' : '是', '2026-11-20', name, i % 3, '310107005001', '无'].join(','))
  await page.goto(base + '/submissions')
  await page.getByText('独居和困难老人走访').first().waitFor({ timeout: 10_000 })
  check('officer: sees the delivery of its own datasets alone', (await page.locator('.delivery').textContent()).includes('全国乡级行政区划') && !(await page.locator('.delivery').textContent()).includes('实有人口'))
  await page.goto(base + '/submissions/upload?dataset=visit')
  const [template] = await Promise.all([page.waitForEvent('download', { timeout: 30_000 }), page.getByRole('link', { name: /下载模板/ }).click()])
  check('officer: the template is a workbook', readFileSync(await template.path()).subarray(0, 2).toString() === 'PK')
  await page.getByLabel('选择要上传的文件').setInputFiles({ name, mimeType: 'text/csv', buffer: Buffer.from(csv.join('\r\n') + '\r\n') })
  const foot = page.locator('.foot')
  await foot.waitFor({ timeout: 60_000 }).catch(() => {})
  check('officer: what would be rejected is said before', (await foot.textContent().catch(() => '')).includes('将报送 4 行，其中 1 行会成为问题数据'), await page.locator('.shell-body').textContent())
  check('officer: a heading that the dataset has not is left out', (await page.locator('tr', { hasText: '备注' }).getByText('未对应').count()) === 1)
  check('officer: the fault is named by its line and reason', (await page.locator('tr', { hasText: '公民身份号码' }).filter({ hasText: /校验/ }).count()) > 0)
  await look(page, 'officer', 'journey-preview')
  const [marked] = await Promise.all([page.waitForEvent('download', { timeout: 30_000 }), page.getByRole('link', { name: /下载标注文件/ }).click()])
  check('officer: the marked file is a workbook', readFileSync(await marked.path()).subarray(0, 2).toString() === 'PK')
  await foot.getByRole('button', { name: '报送 4 行' }).click()
  await page.getByRole('heading', { name: '报送回执' }).waitFor({ timeout: 90_000 }).catch(() => {})
  const receipt = await page.locator('.receipt').textContent().catch(() => '')
  const id = new URL(page.url()).pathname.split('/').at(-1)
  const s = await page.evaluate((x) => fetch(`/v1/submissions/${x}`).then((r) => r.json()), id)
  check('officer: the file has landed, one row among the rejects', s.state === 'landed' && s.rows === 4 && s.good === 3 && s.rejected === 1, JSON.stringify(s))
  check('officer: the receipt says so, with the digest of the file', receipt.includes(s.digest) && receipt.includes(name), receipt)
  await look(page, 'officer', 'journey-receipt')

  await steward.page.goto(base + '/submissions?dataset=visit')
  const link = steward.page.getByLabel(`查看 ${id} 的问题数据 1 行`)
  await link.waitFor({ timeout: 15_000 }).catch(() => {})
  await link.click()
  await steward.page.getByText(/入册时间/).waitFor({ timeout: 10_000 }).catch(() => {})
  await steward.page.locator('[data-open]').first().waitFor({ timeout: 15_000 }).catch(() => {})
  check('steward: the reject of the file is found from its submission', (await steward.page.locator('[data-open]').count()) >= 1, await steward.page.locator('.shell-body').textContent())
  await look(steward.page, 'steward', 'journey-submission-rejects')
  await steward.quiet('steward and deliveries')
  await steward.context.close()

  // Nothing changed this week.
  await page.goto(base + '/submissions')
  await page.getByRole('button', { name: '独居和困难老人走访 本期无变化' }).click()
  const modal = page.locator('.ant-modal')
  const ok = modal.getByRole('button', { name: /^确认 \d{4}-W\d{2} 无变化$/ })
  await ok.waitFor({ timeout: 10_000 }).catch(() => {})
  check('officer: the nil report names the week', (await ok.count()) === 1, await modal.textContent().catch(() => ''))
  await look(page, 'officer', 'journey-nil')
  await ok.click()
  await page.locator('tr', { hasText: '零报告' }).first().waitFor({ timeout: 15_000 }).catch(() => {})
  const row = await page.locator('tr', { hasText: '零报告' }).first().textContent().catch(() => '')
  check('officer: the nil report is down', /\d{4}-W\d{2}/.test(row) && row.includes('入库完成'), row)
  await officer.quiet('officer journey')
  await officer.context.close()
}

// The steward pauses a dataset and says why; the operator sees it and resumes it.
async function pausing(steward, operator, { base, check, look }) {
  const drawer = (who) => who.page.locator('.ant-drawer-body')
  const state = (who) => who.page.evaluate(() => fetch('/v1/flow').then((r) => r.json()).then((f) => f.datasets.find((d) => d.code === 'visit')?.state))
  const becomes = async (who, want) => {
    for (let n = 0; n < 40 && (await state(who)) !== want; n++) await who.page.waitForTimeout(500)
    return (await state(who)) === want
  }
  const decide = async (who, name, button, reason) => {
    await drawer(who).getByRole('button', { name: button }).click()
    await who.page.getByLabel('理由（必填）').fill(reason)
    await look(who.page, name, 'journey-pausing')
    await who.page.locator('.ant-modal-footer').getByRole('button', { name: button }).click()
    await who.page.locator('.ant-modal-footer').waitFor({ state: 'hidden', timeout: 15_000 }).catch(() => {})
  }
  await steward.page.goto(base + '/flow?dataset=visit')
  await decide(steward, 'steward', '暂停读取', '来源单位重新导出（浏览器测试）')
  check('steward: the dataset is paused', await becomes(steward, 'paused'), await state(steward))
  await operator.page.goto(base + '/flow?dataset=visit')
  const word = drawer(operator).getByText('来源单位重新导出（浏览器测试）')
  await word.waitFor({ timeout: 10_000 }).catch(() => {})
  check('operator: sees who paused it and why', (await word.count()) === 1, await drawer(operator).textContent().catch(() => ''))
  await drawer(operator).getByText('自位置').first().waitFor({ timeout: 10_000 }).catch(() => {})
  check('operator: sees the version in force and since which position', (await drawer(operator).getByText(/版本 [1-9]/).count()) > 0)
  await look(operator.page, 'operator', 'journey-paused')
  await decide(operator, 'operator', '继续读取', '已重新导出')
  await word.waitFor({ state: 'detached', timeout: 10_000 }).catch(() => {})
  check('operator: the dataset is read again', (await word.count()) === 0 && ['running', 'idle'].includes(await state(operator)) || (await becomes(operator, 'idle')), await state(operator))
  await operator.quiet('operator journey')
  await operator.context.close()
}
