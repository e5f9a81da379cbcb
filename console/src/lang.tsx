import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from 'react'

// Both languages stand at the place of use: t('数据集', 'Datasets'). The house has
// two languages, and a text that is missing in one does not compile.
export type Lang = 'zh' | 'en'
export type T = (zh: string, en: string) => string

const Context = createContext<{ lang: Lang; setLang: (lang: Lang) => void }>({ lang: 'zh', setLang: () => {} })

const stored = (): Lang => {
  try {
    return localStorage.getItem('mulu.lang') === 'en' ? 'en' : 'zh'
  } catch {
    return 'zh' // storage can be switched off by policy
  }
}

export function LangProvider({ children }: { children: ReactNode }) {
  const [lang, set] = useState<Lang>(stored)
  useEffect(() => {
    document.documentElement.lang = lang === 'zh' ? 'zh-CN' : 'en'
  }, [lang])
  const value = useMemo(
    () => ({
      lang,
      setLang: (next: Lang) => {
        set(next)
        try {
          localStorage.setItem('mulu.lang', next)
        } catch {
          // the choice then lasts for this page only
        }
      },
    }),
    [lang],
  )
  return <Context.Provider value={value}>{children}</Context.Provider>
}

export const useLang = () => useContext(Context)

export function useT(): T {
  const { lang } = useLang()
  return useMemo(() => (zh, en) => (lang === 'zh' ? zh : en), [lang])
}
