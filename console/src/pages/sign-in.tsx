import { Button, Form, Input, Segmented } from 'antd'
import { useEffect, useState } from 'react'
import { useLang, useT } from '../lang'
import { Notice } from '../parts/page'
import { asProblem, type Problem } from '../problem'
import { useSession } from '../session'

export function SignIn() {
  const t = useT()
  const { lang, setLang } = useLang()
  const { signIn } = useSession()
  const [problem, setProblem] = useState<Problem>()
  const [busy, setBusy] = useState(false)
  useEffect(() => {
    document.title = `${t('登录', 'Sign in')} · mulu`
  }, [t])

  const submit = async ({ account, password }: { account: string; password: string }) => {
    setBusy(true)
    setProblem(undefined)
    try {
      await signIn(account.trim(), password)
    } catch (err) {
      const p = asProblem(err)
      setProblem(
        p.status === 401
          ? { ...p, title: t('账号或密码不正确', 'Wrong account or password'), mend: t('请核对后重试；首次启动时的账号显示在 mulu up 的输出中。', 'Check both. `mulu up` prints the accounts when it first starts.') }
          : p,
      )
      setBusy(false)
    }
  }

  return (
    <main className="sign-in">
      <div className="sign-in-box">
        <div className="row" style={{ justifyContent: 'space-between' }}>
          <img src="/favicon.svg" width={40} height={40} alt="" />
          <Segmented
            size="small"
            aria-label={t('语言', 'Language')}
            value={lang}
            onChange={(v) => setLang(v as 'zh' | 'en')}
            options={[{ label: '中文', value: 'zh' }, { label: 'EN', value: 'en' }]}
          />
        </div>
        <h1>{t('公共数据治理与共享', 'Public data, governed and shared')}</h1>
        <p className="quiet" style={{ margin: '0 0 18px' }}>
          {t('mulu · 归集 · 治理 · 目录链 · 共享', 'mulu · collect · govern · chain · share')}
        </p>
        <Form layout="vertical" requiredMark={false} onFinish={(v) => void submit(v)}>
          <Form.Item label={t('账号', 'Account')} name="account" rules={[{ required: true, message: t('请输入账号', 'Enter your account') }]}>
            <Input autoComplete="username" autoFocus size="large" />
          </Form.Item>
          <Form.Item label={t('密码', 'Password')} name="password" rules={[{ required: true, message: t('请输入密码', 'Enter your password') }]}>
            <Input.Password autoComplete="current-password" size="large" />
          </Form.Item>
          {problem ? (
            <div style={{ marginBottom: 16 }}>
              <Notice problem={problem} />
            </div>
          ) : null}
          <Button type="primary" htmlType="submit" block size="large" loading={busy}>
            {t('登录', 'Sign in')}
          </Button>
        </Form>
      </div>
    </main>
  )
}
