import { SignIn } from './pages/sign-in'

export function App() {
  return <SignIn />
}
