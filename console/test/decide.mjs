// What people decide about the way in where it has gone wrong, on the fixture server:
// partitions that are held, a topic created again, offsets that are gone, notices.
export async function decide({ base, asked, check, enter, look }) {
  const last = (path) => asked.filter((a) => a.path === path).at(-1)?.body
  const answer = async (page, ok) => {
    await page.locator('.ant-modal-footer').getByRole('button', { name: ok }).click()
    await page.locator('.ant-modal-footer').waitFor({ state: 'hidden', timeout: 10_000 }).catch(() => {})
  }
  const modal = (page) => page.locator('.ant-modal')

  const steward = await enter('steward', 'demo')
  const { page } = steward
  await page.goto(base + '/flow')
  const review = page.getByRole('region', { name: '待审' })
  await review.waitFor({ timeout: 10_000 })
  check('steward: what is held is said in words', /1,000 条中有 934 条不符合版本 1：字段“capital”，类型不符/.test(await review.textContent()), await review.textContent())
  check('steward: and why, with the value', (await review.textContent()).includes('伍佰万'))
  await look(page, 'steward', 'decide-held')
  for (const width of [1920, 1366, 390]) {
    await page.setViewportSize({ width, height: 900 })
    await look(page, 'steward', 'decide-held', width)
  }
  await page.setViewportSize({ width: 1440, height: 900 })
  await review.getByRole('button', { name: '改用新版本' }).first().click()
  const ok = page.locator('.ant-modal-footer').getByRole('button', { name: '改用新版本' })
  check('steward: no version without a note', await ok.isDisabled())
  await modal(page).getByLabel('说明（必填）').fill('厂商改了字段类型')
  await modal(page).getByLabel('版本号').fill('3')
  await modal(page).getByRole('checkbox', { name: '另外 2 个待审的分区' }).uncheck()
  await look(page, 'steward', 'decide-version')
  await answer(page, '改用新版本')
  const changed = last('/v1/ingest/holds/release')
  check('steward: the new version is asked for', changed?.decision === 'version' && changed.version === 3 && changed.partition === 0 && changed.note === '厂商改了字段类型', JSON.stringify(changed))
  await review.getByText('分区 0').waitFor({ state: 'detached', timeout: 10_000 }).catch(() => {})
  await review.getByRole('button', { name: '原样放行' }).first().click()
  await modal(page).getByLabel('说明（必填）').fill('已与来源单位核对')
  await look(page, 'steward', 'decide-proceed')
  await answer(page, '放行')
  await review.waitFor({ state: 'detached', timeout: 10_000 }).catch(() => {})
  check('steward: the topic\'s others go with it: nothing is held any more', (await review.count()) === 0 && last('/v1/ingest/holds/release')?.decision === 'proceed' && last('/v1/ingest/holds/release').partition === undefined)
  await page.goto(base + '/flow?dataset=housing')
  await page.getByText('分区 0 已停止读取').waitFor({ timeout: 10_000 })
  await look(page, 'steward', 'decide-stopped')
  check('steward: may pause, may not accept a topic', (await page.getByRole('button', { name: '暂停读取' }).count()) === 1 && (await page.getByRole('button', { name: '确认重建' }).count()) === 0 && (await page.getByText('由运维人员处理').count()) === 2)
  await page.goto(base + '/notices')
  const notice = page.locator('tr', { hasText: 'putuo.enterprise/0' })
  await notice.getByRole('button', { name: '标为已阅' }).click()
  await notice.getByText('已阅', { exact: true }).waitFor({ timeout: 10_000 }).catch(() => {})
  check('steward: a notice is seen', last('/v1/ingest/notices/seen')?.subject === 'putuo.enterprise/0' && (await notice.getByText('已阅', { exact: true }).count()) === 1)
  check('steward: no notices of withdrawals', (await page.getByText('撤回通知', { exact: true }).count()) === 0)
  await steward.quiet('steward decides')
  await steward.context.close()

  const operator = await enter('operator', 'demo')
  const o = operator.page
  await o.goto(base + '/flow?dataset=housing')
  await o.getByRole('button', { name: '放弃位置' }).waitFor({ timeout: 10_000 })
  for (const width of [1920, 1366, 390]) {
    await o.setViewportSize({ width, height: 900 })
    await look(o, 'operator', 'decide-stopped', width)
  }
  await o.setViewportSize({ width: 1440, height: 900 })
  await o.getByRole('button', { name: '放弃位置' }).click()
  await modal(o).getByLabel('理由（必填）').fill('保留期已过，来源单位补发')
  check('operator: what is lost is said first', (await modal(o).textContent()).includes('位置 80,000 之前尚未读取的记录将计入丢失'), await modal(o).textContent())
  await look(o, 'operator', 'decide-skip')
  await answer(o, '放弃位置')
  const skipped = last('/v1/ingest/topics/skip')
  check('operator: the offsets are skipped', skipped?.topic === 'putuo.housing' && skipped.partition === 1 && skipped.next === 80000, JSON.stringify(skipped))
  await o.getByRole('button', { name: '确认重建' }).click()
  await modal(o).getByLabel('理由（必填）').fill('来源单位重建主题')
  await look(o, 'operator', 'decide-accept')
  await answer(o, '确认重建')
  check('operator: the topic is accepted', last('/v1/ingest/topics/accept')?.topic === 'putuo.housing')
  await o.getByRole('button', { name: '确认重建' }).waitFor({ state: 'detached', timeout: 10_000 }).catch(() => {})
  check('operator: nothing is left to do', (await o.getByRole('button', { name: /确认重建|放弃位置/ }).count()) === 0)
  await operator.quiet('operator decides')
  await operator.context.close()
}
