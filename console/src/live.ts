import { useCallback, useEffect, useRef, useState } from 'react'
import { asProblem, type Problem } from './problem'

export interface Live<D> {
  data: D | undefined
  problem: Problem | undefined
  loading: boolean // true until the first answer
  at: number // time of the last good answer, ms; 0 before
  reload: () => void
}

// useLive asks once and then every `every` ms while the page is visible (0: once).
// A failed refresh keeps the last good answer on screen beside the problem; an
// answer that arrives after a newer question is dropped.
export function useLive<D>(ask: () => Promise<D>, key: string, every = 0): Live<D> {
  const [state, set] = useState<Omit<Live<D>, 'reload'>>({ data: undefined, problem: undefined, loading: true, at: 0 })
  const [turn, setTurn] = useState(0)
  const latest = useRef(ask)
  latest.current = ask
  const shown = useRef(key)

  useEffect(() => {
    let over = false
    let timer: ReturnType<typeof setTimeout> | undefined
    if (shown.current !== key) {
      shown.current = key
      set({ data: undefined, problem: undefined, loading: true, at: 0 })
    }
    const run = async () => {
      if (!document.hidden) {
        try {
          const data = await latest.current()
          if (!over) set({ data, problem: undefined, loading: false, at: Date.now() })
        } catch (err) {
          if (!over) set((old) => ({ ...old, problem: asProblem(err), loading: false }))
        }
      }
      if (!over && every > 0) timer = setTimeout(run, every)
    }
    void run()
    return () => {
      over = true
      clearTimeout(timer)
    }
  }, [key, every, turn])

  const reload = useCallback(() => setTurn((n) => n + 1), [])
  return { ...state, reload }
}
