// The names of files that jobs and leases know by id alone. Asked for once each.
import { useEffect, useState } from "preact/hooks"
import type { Session } from "../session"

const known = new Map<string, string>()

/** What each file is called; until that is known, and where it is gone, its id's beginning. */
export function useNames(session: Session, ids: string[]): (id: string) => string {
  const [, setRound] = useState(0)
  const missing = [...new Set(ids)].filter((id) => !known.has(id))
  useEffect(() => {
    let gone = false
    const looked = missing.map((id) =>
      session.client.file(id).then(
        (file) => known.set(id, file.filename),
        () => known.set(id, short(id)),
      ),
    )
    if (looked.length > 0) void Promise.all(looked).then(() => gone || setRound((round) => round + 1))
    return () => {
      gone = true
    }
  }, [session, missing.join()])
  return (id) => known.get(id) ?? short(id)
}

const short = (id: string) => id.slice(0, 8)
