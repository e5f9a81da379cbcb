import { Button } from 'antd'
import { type ComponentType } from 'react'
import { Link, Navigate, Route, Routes, useLocation } from 'react-router'
import { useT } from './lang'
import { Notice, Nothing, Page } from './parts/page'
import { Chain } from './pages/chain'
import { Dataset } from './pages/dataset'
import { Datasets } from './pages/datasets'
import { Departments } from './pages/departments'
import { DraftPage } from './pages/draft'
import { Drafts } from './pages/drafts'
import { Entries } from './pages/entries'
import { Failing } from './pages/failing'
import { Flow } from './pages/flow'
import { Grants } from './pages/grants'
import { Looks } from './pages/looks'
import { Notices } from './pages/notices'
import { Preview } from './pages/preview'
import { Receipts } from './pages/receipts'
import { Reconciliations, StatementView } from './pages/reconcile'
import { Rejects } from './pages/rejects'
import { Requests } from './pages/requests'
import { Scenarios } from './pages/scenarios'
import { SignIn } from './pages/sign-in'
import { Receipt } from './pages/submission'
import { Submissions } from './pages/submissions'
import { System } from './pages/system'
import { UploadFile } from './pages/upload'
import { home, mayOpen } from './places'
import { SessionProvider, useSession } from './session'
import { Shell } from './shell'

export function App() {
  return (
    <SessionProvider>
      <Gate />
    </SessionProvider>
  )
}

function Gate() {
  const { session, known } = useSession()
  if (!known) return null
  if (!session) return <SignIn />
  return (
    <Shell>
      <Routes>
        <Route path="/" element={<Navigate to={home(session.role)} replace />} />
        <Route path="/flow" element={<Guard of={Flow} />} />
        <Route path="/datasets" element={<Guard of={Datasets} />} />
        <Route path="/datasets/:code" element={<Guard of={Dataset} />} />
        <Route path="/datasets/:code/rules/:rule" element={<Guard of={Failing} />} />
        <Route path="/quality/departments" element={<Guard of={Departments} />} />
        <Route path="/quality/looks" element={<Guard of={Looks} />} />
        <Route path="/submissions" element={<Guard of={Submissions} />} />
        <Route path="/submissions/upload" element={<Guard of={UploadFile} />} />
        <Route path="/submissions/upload/:id" element={<Guard of={Preview} />} />
        <Route path="/submissions/:id" element={<Guard of={Receipt} />} />
        <Route path="/rejects" element={<Guard of={Rejects} />} />
        <Route path="/reconcile" element={<Guard of={Reconciliations} />} />
        <Route path="/reconcile/:id" element={<Guard of={StatementView} />} />
        <Route path="/quality/drafts" element={<Guard of={Drafts} />} />
        <Route path="/quality/drafts/:id" element={<Guard of={DraftPage} />} />
        <Route path="/entries" element={<Guard of={Entries} />} />
        <Route path="/chain" element={<Guard of={Chain} />} />
        <Route path="/scenarios" element={<Guard of={Scenarios} />} />
        <Route path="/requests" element={<Guard of={Requests} />} />
        <Route path="/grants" element={<Guard of={Grants} />} />
        <Route path="/receipts" element={<Guard of={Receipts} />} />
        <Route path="/notices" element={<Guard of={Notices} />} />
        <Route path="/system" element={<Guard of={System} />} />
        <Route path="*" element={<Lost />} />
      </Routes>
    </Shell>
  )
}

function Guard({ of: Of }: { of: ComponentType }) {
  const t = useT()
  const { session } = useSession()
  const { pathname } = useLocation()
  if (session && !mayOpen(pathname, session.role)) {
    return (
      <Page title={t('无权查看', 'Not for this role')}>
        <Notice
          problem={{
            status: 403,
            title: t('当前角色不能打开本页', 'Your role may not open this page'),
            mend: t('请从左侧菜单选择可用的页面，或换用有权限的账号登录。', 'Choose a page from the menu, or sign in with another account.'),
          }}
        />
      </Page>
    )
  }
  return <Of />
}

function Lost() {
  const t = useT()
  return (
    <Page title={t('没有这个页面', 'No such page')}>
      <Nothing
        what={t('地址有误，或页面已移动。', 'The address is wrong or the page has moved.')}
        todo={
          <Link to="/">
            <Button type="link">{t('回到首页', 'Back to the start')}</Button>
          </Link>
        }
      />
    </Page>
  )
}
