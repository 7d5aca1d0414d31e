// The files that are shown: page by page, and kept up to date by events, or by asking now and then where there are none.
import { useCallback, useEffect, useRef, useState } from "preact/hooks"
import type { FileQuery } from "../api/client"
import type { ApiError } from "../api/error"
import type { FileRecord } from "../api/types"
import type { Live, News } from "../live"
import type { Session } from "../session"
import { useStore } from "../store"
import { asError } from "../ui/asked"

const PAGE = 48
/** Events that come close together are one look. */
const SETTLE_MS = 250
const ACTIVE_MS = 1_500
const IDLE_MS = 10_000
/** In case that an event is missed. */
const LIVE_MS = 30_000

export interface List {
  files: FileRecord[] | null
  error: ApiError | null
  more: boolean
  showMore: () => void
  again: () => void
  /** Shows at once what the server will confirm. */
  drop: (ids: Set<string>) => void
}

export function useList(session: Session, live: Live, query: FileQuery, changes: number): List {
  const [files, setFiles] = useState<FileRecord[] | null>(null)
  const [error, setError] = useState<ApiError | null>(null)
  const [more, setMore] = useState(false)
  const shown = useRef(PAGE)
  const round = useRef(0)
  const isLive = useStore(live.isLive)
  const about = JSON.stringify(query)

  const again = useCallback(() => {
    const mine = ++round.current
    load(session, query, shown.current).then(
      (page) => {
        if (mine !== round.current) return
        setFiles(page.files)
        setMore(page.next !== null)
        setError(null)
      },
      (problem: unknown) => mine === round.current && setError(asError(problem)),
    )
  }, [session, about])

  useEffect(() => {
    shown.current = PAGE
    again()
    return () => void round.current++
  }, [again])
  useEffect(() => {
    if (changes > 0) again()
  }, [changes])

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const stop = live.follow((news) => {
      if (!concernsLists(news)) return
      clearTimeout(timer)
      timer = setTimeout(again, SETTLE_MS)
    })
    return () => {
      clearTimeout(timer)
      stop()
    }
  }, [live, again])

  // What happened before somebody listened.
  const listened = useRef(isLive)
  useEffect(() => {
    if (isLive && !listened.current) again()
    listened.current = isLive
  }, [isLive, again])

  const active = files?.some(isActive) ?? false
  useEffect(() => {
    const everyMs = error ? ACTIVE_MS : isLive ? LIVE_MS : active ? ACTIVE_MS : IDLE_MS
    const timer = setInterval(() => document.visibilityState === "visible" && again(), everyMs)
    return () => clearInterval(timer)
  }, [isLive, active, again, error])

  const showMore = useCallback(() => {
    shown.current += PAGE
    again()
  }, [again])
  const drop = useCallback((ids: Set<string>) => setFiles((all) => all && all.filter((file) => !ids.has(file.id))), [])
  return { files, error, more, showMore, again, drop }
}

/** Progress is shown where it is, without asking for the list. */
function concernsLists(news: News): boolean {
  return news.type.startsWith("file.") || news.type === "rendition.ready" || news.type === "reset"
}

export function isActive(file: FileRecord): boolean {
  return file.state !== "failed" && (file.state !== "ready" || file.progress < 1)
}

async function load(session: Session, query: FileQuery, count: number): Promise<{ files: FileRecord[]; next: string | null }> {
  let files: FileRecord[] = []
  let next: string | null = null
  do {
    const page = await session.client.files({ ...query, limit: Math.min(PAGE * 4, count - files.length), cursor: next })
    files = [...files, ...page.files]
    next = page.next
  } while (next && files.length < count)
  return { files, next }
}
