import { createContext, useCallback, useContext, useEffect, useMemo, useState, type ReactNode } from 'react'
import * as calls from './calls'
import type { Session } from './shapes'
import type { T } from './lang'
import { ProblemError } from './problem'
import { cancel } from './upload'

export type Role = Session['role']

interface Held {
  session: Session | undefined
  known: boolean // whether the server has said if somebody is signed in
  signIn: (account: string, password: string) => Promise<void>
  signOut: () => Promise<void>
}

const Context = createContext<Held>({ session: undefined, known: false, signIn: async () => {}, signOut: async () => {} })

export function SessionProvider({ children }: { children: ReactNode }) {
  const [session, set] = useState<Session>()
  const [known, setKnown] = useState(false)

  useEffect(() => {
    calls.onSignedOut(() => {
      cancel() // a file that is on its way is not the next person's
      set(undefined)
    })
    calls
      .getSession()
      .then((s) => set(s))
      .catch((err) => {
        // 401 is the ordinary answer before the sign-in; anything else shows there.
        if (!(err instanceof ProblemError)) console.warn(err)
      })
      .finally(() => setKnown(true))
  }, [])

  const signIn = useCallback(async (account: string, password: string) => {
    set(await calls.signIn(account, password))
  }, [])

  const signOut = useCallback(async () => {
    cancel()
    try {
      await calls.signOut()
    } finally {
      set(undefined)
    }
  }, [])

  const value = useMemo(() => ({ session, known, signIn, signOut }), [session, known, signIn, signOut])
  return <Context.Provider value={value}>{children}</Context.Provider>
}

export const useSession = () => useContext(Context)

// useMay says whether who is signed in has one of the roles.
export const useMay = (...roles: Role[]): boolean => {
  const { session } = useSession()
  return session !== undefined && roles.includes(session.role)
}

const names: Record<string, [string, string]> = {
  steward: ['数据治理员', 'Steward'],
  officer: ['数据专员', 'Data officer'],
  approver: ['主管部门审批人', 'Approver'],
  operator: ['运维人员', 'Operator'],
  auditor: ['审计员', 'Auditor'],
  system: ['信息系统', 'System'],
}

export const roleName = (role: string, t: T): string => {
  const n = names[role]
  return n ? t(n[0], n[1]) : role
}
