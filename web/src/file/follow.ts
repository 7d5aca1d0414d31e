// One file, kept up to date: by events, or by asking again while something is still to come.
import { useEffect, useRef, useState } from "preact/hooks"
import type { FileRecord } from "../api/types"
import { isActive } from "../library/list"
import type { Live } from "../live"
import type { Session } from "../session"
import { useStore } from "../store"
import { type Asked, useAsked } from "../ui/asked"

const ACTIVE_MS = 1_500
/** In case that an event is missed. */
const LIVE_MS = 10_000
/** Events that come close together are one look. */
const SETTLE_MS = 200

export function useFile(session: Session, live: Live, id: string): Asked<FileRecord> {
  const isLive = useStore(live.isLive)
  const [active, setActive] = useState(false)
  const asked = useAsked(() => session.client.file(id), [session, id], active ? (isLive ? LIVE_MS : ACTIVE_MS) : undefined)
  const { value, again } = asked
  // What happened before somebody listened.
  const listened = useRef(isLive)
  useEffect(() => {
    if (isLive && !listened.current) again()
    listened.current = isLive
  }, [isLive, again])
  useEffect(() => setActive(value !== null && isActive(value)), [value])
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const stop = live.follow((news) => {
      const concerns = news.file_id === id && !news.type.startsWith("upload.") && !news.type.startsWith("job.")
      if (!concerns && news.type !== "reset") return
      clearTimeout(timer)
      timer = setTimeout(again, SETTLE_MS)
    })
    return () => {
      clearTimeout(timer)
      stop()
    }
  }, [live, id, again])
  return asked
}
