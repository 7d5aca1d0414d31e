// What is asked of the server when a view appears, again when told to, and what became of it. An answer that comes when somebody has
// asked for something else meanwhile is dropped.
import { useCallback, useEffect, useRef, useState } from "preact/hooks"
import { ApiError } from "../api/error"
import { texts } from "../texts"

export interface Asked<T> {
  value: T | null
  error: ApiError | null
  again: () => void
  put: (value: T) => void
}

export function useAsked<T>(ask: () => Promise<T>, about: unknown[], everyMs?: number): Asked<T> {
  const [value, setValue] = useState<T | null>(null)
  const [error, setError] = useState<ApiError | null>(null)
  const round = useRef(0)
  const again = useCallback(() => {
    const mine = ++round.current
    ask().then(
      (answer) => {
        if (mine !== round.current) return
        setValue(() => answer)
        setError(null)
      },
      (problem: unknown) => mine === round.current && setError(asError(problem)),
    )
  }, about)
  useEffect(() => {
    setValue(null)
    setError(null)
    again()
    return () => void round.current++
  }, about)
  useEffect(() => {
    if (!everyMs) return
    const timer = setInterval(() => document.visibilityState === "visible" && again(), everyMs)
    return () => clearInterval(timer)
  }, [again, everyMs])
  const put = useCallback((given: T) => setValue(() => given), [])
  return { value, error, again, put }
}

export function asError(problem: unknown): ApiError {
  return problem instanceof ApiError ? problem : new ApiError(0, "internal", problem instanceof Error ? problem.message : texts.errors.title)
}
