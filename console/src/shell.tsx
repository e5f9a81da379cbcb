import { AuditOutlined, LogoutOutlined, MenuOutlined } from '@ant-design/icons'
import { Button, Drawer, Layout, Menu, Segmented, Tag, Tooltip } from 'antd'
import { useEffect, useState, type ReactNode } from 'react'
import { Link, useLocation } from 'react-router'
import { useLang, useT, type T } from './lang'
import { placeOf, places } from './places'
import { roleName, useSession, type Role } from './session'

function items(t: T, role: Role) {
  return places
    .map((g) => ({
      type: 'group' as const,
      key: g.en,
      label: t(g.zh, g.en),
      children: g.places
        .filter((p) => p.roles.includes(role))
        .map((p) => ({ key: p.path, icon: p.icon, label: <Link to={p.path}>{t(p.zh, p.en)}</Link> })),
    }))
    .filter((g) => g.children.length > 0)
}

function useNarrow(): boolean {
  const query = '(max-width: 900px)'
  const [narrow, set] = useState(() => window.matchMedia(query).matches)
  useEffect(() => {
    const m = window.matchMedia(query)
    const on = () => set(m.matches)
    m.addEventListener('change', on)
    return () => m.removeEventListener('change', on)
  }, [])
  return narrow
}

export function Shell({ children }: { children: ReactNode }) {
  const t = useT()
  const { lang, setLang } = useLang()
  const { session, signOut } = useSession()
  const { pathname } = useLocation()
  const narrow = useNarrow()
  const [open, setOpen] = useState(false)
  useEffect(() => setOpen(false), [pathname])
  if (!session) return null

  const selected = placeOf(pathname)?.path
  const menu = (
    <nav aria-label={t('主菜单', 'Main menu')}>
      <Menu mode="inline" selectedKeys={selected ? [selected] : []} items={items(t, session.role)} />
    </nav>
  )
  return (
    <Layout className={session.sample ? 'shell stamp' : 'shell'}>
      <a className="skip" href="#content">
        {t('跳到正文', 'Skip to content')}
      </a>
      <Layout.Header className="shell-head">
        {narrow ? <Button icon={<MenuOutlined />} aria-label={t('打开菜单', 'Open menu')} onClick={() => setOpen(true)} /> : null}
        <span className="shell-name">
          <img src="/favicon.svg" alt="" />
          mulu <small>{t('公共数据治理与共享', 'Public data, governed and shared')}</small>
        </span>
        {session.sample ? (
          <Tooltip title={t('本系统中的单位、人员和数据均为虚构', 'Every person, body and record here is made up')}>
            <Tag color="warning" data-testid="stamp">
              {t('演示数据', 'Demonstration data')}
            </Tag>
          </Tooltip>
        ) : null}
        <span className="shell-grow" />
        <span className="shell-who quiet small">
          <AuditOutlined aria-hidden /> {session.org_name} · {session.name} · {roleName(session.role, t)}
        </span>
        <Segmented
          size="small"
          aria-label={t('语言', 'Language')}
          value={lang}
          onChange={(v) => setLang(v as 'zh' | 'en')}
          options={[{ label: '中文', value: 'zh' }, { label: 'EN', value: 'en' }]}
        />
        <Button size="small" icon={<LogoutOutlined />} onClick={() => void signOut()}>
          {narrow ? null : t('退出', 'Sign out')}
          {narrow ? <span className="skip">{t('退出', 'Sign out')}</span> : null}
        </Button>
      </Layout.Header>
      <Layout>
        {narrow ? (
          <Drawer open={open} onClose={() => setOpen(false)} placement="left" size={260} title={t('菜单', 'Menu')} styles={{ body: { padding: 8 } }}>
            {menu}
          </Drawer>
        ) : (
          <Layout.Sider className="shell-side" width={196} theme="light" style={{ position: 'sticky', top: 52, height: 'calc(100vh - 52px)', overflow: 'auto' }}>
            {menu}
          </Layout.Sider>
        )}
        <Layout.Content id="content" tabIndex={-1}>
          <div className="shell-body">{children}</div>
        </Layout.Content>
      </Layout>
    </Layout>
  )
}
