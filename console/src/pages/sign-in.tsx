import { Button, Form, Input } from 'antd'
import { useT } from '../lang'

export function SignIn() {
  const t = useT()
  return (
    <main className="sign-in">
      <div className="sign-in-box">
        <img src="/favicon.svg" width={40} height={40} alt="" />
        <h1>{t('公共数据治理与共享', 'Public data, governed and shared')}</h1>
        <Form layout="vertical" requiredMark={false}>
          <Form.Item label={t('账号', 'Account')} name="account">
            <Input autoComplete="username" autoFocus />
          </Form.Item>
          <Form.Item label={t('密码', 'Password')} name="password">
            <Input.Password autoComplete="current-password" />
          </Form.Item>
          <Button type="primary" htmlType="submit" block>
            {t('登录', 'Sign in')}
          </Button>
        </Form>
      </div>
    </main>
  )
}
